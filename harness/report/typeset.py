"""Formulas as docstrings hold them, in the letters and indices of print."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

GREEK = {"delta": "δ", "eps": "ε", "lambda": "λ", "rho": "ρ", "sigma": "σ", "zeta": "ζ"}
INDICES = {"perp": "⊥", "par": "∥"}

#: Replacements in the plain text, in this order; `<...>` without inner blanks is a mean.
_PLAIN = (
    (re.compile(r"<=(?!\w)"), "≤"),
    (re.compile(r">="), "≥"),
    (re.compile(r"\+-"), "±"),
    (re.compile(r"<(?! )([^<>]*[^<> ])>"), r"⟨\1⟩"),
    (re.compile(r"\bsqrt(?=\()"), "√"),
    (re.compile(r"(?<=\d) x (?=\S)"), " × "),
    (re.compile(r" - "), " − "),
)
_GREEK = re.compile(rf"\b({'|'.join(GREEK)})(?![a-z])")
_INDEX = re.compile(r"(?<![\w`])([A-Za-zα-ω])_(\w+)")
_POWER = re.compile(r"\^(?:\(([^()]*)\)|(\w+))")
_CODE = re.compile(r"`([^`]*)`")


def typeset(text: str) -> Markup:
    """`S_2^2` as S with an index and a power, `rho` as the letter, `<v^2>` as a mean.

    Words of more than one letter keep their underscores, so names of properties stay names.  What is
    markup in `text` stays text; the result holds no elements but sub, sup and code, which Plotly's
    titles know as well, code apart.
    """
    for pattern, replacement in _PLAIN:
        text = pattern.sub(replacement, text)
    text = str(escape(_GREEK.sub(lambda found: GREEK[found[1]], text)))
    text = _INDEX.sub(lambda f: f"{f[1]}<sub>{INDICES.get(f[2], f[2])}</sub>", text)
    text = _POWER.sub(lambda f: f"<sup>{(f[1] or f[2]).replace('-', '−')}</sup>", text)
    return Markup(_CODE.sub(r"<code>\1</code>", text))
