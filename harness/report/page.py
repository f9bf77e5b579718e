"""report.html: one self-contained page, from results.json and the records beside it."""

from __future__ import annotations

import base64
import json
import re
import shlex
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs

from harness.report import flow
from harness.report.basins import Basin, components, divergences
from harness.report.matrix import matrix
from harness.report.outcomes import LOOKS, counts, red_outcomes, unreported
from harness.report.realisations import distances, precisions, realisations
from harness.report.rollouts import Rollout, principal
from harness.report.sections import Section, ids, sections
from harness.report.story import Story
from harness.report.text import counted, duration, listing, number, recording
from harness.report.typeset import typeset
from harness.results import Run

TEMPLATES = Path(__file__).parent / "templates"

#: Scripts in the order in which the page runs them.
SCRIPTS = (
    "load.js",
    "roving.js",
    "matrix.js",
    "tables.js",
    "plots.js",
    "rollouts.js",
    "planes.js",
    "page.js",
)


def render(
    run: Run,
    records: Sequence[Rollout],
    basins: Sequence[Basin],
    stories: Sequence[Story],
    problems: Sequence[str],
) -> str:
    """The page as one string of HTML that needs no other file and no network.

    records: all that could be read, as `rollouts.load` orders them.
    """
    found = sections(run)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            run=run,
            stories=stories,
            counts=counts(run),
            looks=LOOKS,
            red=red_outcomes(run),
            red_counts=[pair for pair in counts(run) if pair[0].outcome in red_outcomes(run)],
            unreported=unreported(run),
            recording=recording(run.provenance),
            matrix=matrix(run, ids(run)),
            sections=found,
            basins=basins,
            components=components(basins),
            precisions=precisions(run, records),
            diverged=divergences(run),
            problems=problems,
            windows=len({(t.protocol, t.simulation, t.window) for t in run.tests if t.simulation}),
            simulations=len({(t.protocol, t.simulation) for t in run.tests if t.simulation}),
            data=embedded(_data(run, found, records)),
        )
    )


def _data(run: Run, found: Sequence[Section], records: Sequence[Rollout]) -> dict[str, Any]:
    models = [model.name for model in run.models]
    rollouts = principal(records)
    return {
        "models": models,
        "figures": {c.id: c.figure for s in found for c in s.criteria if c.figure},
        "flows": flow.flows(rollouts, models),
        "pictures": flow.pictures(rollouts, models),
        "realisations": realisations(records, models),
        "distances": distances(records),
    }


def embedded(data: object) -> Markup:
    """JSON for a <script type="application/json">: no character in it can end or nest the element.

    Raises ValueError for a non-finite number, which JSON does not have.
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _breakable(name: str) -> Markup:
    """A name that may be broken after an underscore and before a bracket."""
    return Markup(re.sub(r"(_)|(?=\[)", r"\1<wbr>", str(escape(name))))


def _squeezed(text: str) -> Markup:
    """HTML without the indentation of its templates: thousands of table rows would carry it."""
    return Markup(re.sub(r"\s*\n\s*", "\n", str(text)))


def _deflated(script: str) -> Markup:
    """A script in base64 of its zlib stream, which load.js unpacks: 2.0 MB instead of 4.8."""
    return Markup(base64.b64encode(zlib.compress(script.encode(), 9)).decode("ascii"))


@cache
def environment() -> Environment:
    """What all pages are made with: templates that escape, filters, style, plotly."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "breakable": _breakable,
        "duration": duration,
        "listing": listing,
        "number": number,
        "squeezed": _squeezed,
        "typeset": typeset,
        "shell": shlex.join,
    }
    environment.globals |= {
        "counted": counted,
        "style": Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        "scripts": [Markup((TEMPLATES / name).read_text(encoding="utf-8")) for name in SCRIPTS],
        "plotly": _deflated(get_plotlyjs()),
    }
    return environment
