"""Numbers, labels and commands as a reader sees them."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Sequence

from harness.results import Provenance, Run, TestResult

#: Options of the harness that decide which tests exist and what they measure: a single test can
#: be selected again only with the same ones.
_VALUED = frozenset({
    "--model", "--against", "--protocol", "--data", "--device", "--precision", "--draw", "--steps",
    "--trajectories", "--baselines",
})  # fmt: skip
_FLAGS = frozenset({"--keep-fields", "--no-baselines"})


def number(value: float | None, digits: int = 3) -> str:
    """`value` with three significant digits; an en dash for None."""
    if value is None:
        return "\N{EN DASH}"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "\N{INFINITY}" if value > 0 else "\N{MINUS SIGN}\N{INFINITY}"
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    text = f"{mantissa}e{int(exponent)}" if exponent else mantissa
    return text.replace("-", "\N{MINUS SIGN}")


def duration(seconds: float) -> str:
    """`192.3` -> `3 min 12 s`."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def criterion_name(test: TestResult) -> str:
    """`property[criterion]`, or the property alone where it has one criterion."""
    return f"{test.property}[{test.criterion}]" if test.criterion else test.property


def window_label(run: Run, protocol: str | None, simulation: str | None, window: int | None) -> str:
    """`s0-w1`; with the protocol in front where the run has several; a population is `all`."""
    label = "all" if simulation is None else simulation
    label += "" if window is None else f"-w{window}"
    return f"{protocol}/{label}" if len(run.protocols) > 1 and protocol else label


def natural(name: str) -> list[tuple[int, float, str]]:
    """Sort key by which s2 comes before s10."""
    parts = re.findall(r"[0-9]+(?:\.[0-9]+)?|[^0-9]+", name)
    return [(0, float(part), "") if part[0] in "0123456789" else (1, 0.0, part) for part in parts]


def counted(n: int, noun: str, plural: str = "") -> str:
    """`1 window`, `2 windows`."""
    return f"{n} {noun}" if n == 1 else f"{n} {plural or noun + 's'}"


def listing(items: Sequence[str]) -> str:
    """`a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def recording(origin: Provenance) -> str:
    """The shell line that repeats a run and records what it finds as the baseline.

    A run of some tests only records when it is told so: it must not forget the others.
    """
    forced = ["--force-update"] if origin.partial else []
    gated = _gated(origin.command, origin.against)
    return shlex.join([*gated, "--update-baselines", *forced])


def rerun(nodeid: str, command: Sequence[str], against: str | None) -> str:
    """The shell line that runs one test again, with the options of the run that it depends on.

    command, against: of the run, as `Provenance` has them.
    """
    kept: list[str] = []
    parts = iter(command)
    for part in parts:
        option, equals, _ = part.partition("=")
        if part in _FLAGS or (equals and option in _VALUED):
            kept.append(part)
        elif part in _VALUED:
            kept += [part, next(parts, "")]
    return shlex.join(["pytest", nodeid, *_gated(kept, against)])


def _gated(words: Sequence[str], against: str | None) -> list[str]:
    """Words of a command, with the baseline that judged the run where nobody typed it."""
    typed = any(word.partition("=")[0] == "--against" for word in words)
    named = [] if typed or against is None else ["--against", against]
    return [*words, *named]
