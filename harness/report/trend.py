"""The page of a trend: one plot per criterion over runs, self-contained."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from harness.comparison.trend import Line, Trend
from harness.report.curves import compact
from harness.report.page import TEMPLATES, embedded, environment
from harness.report.typeset import typeset

#: Scripts of the page in the order in which it runs them.
SCRIPTS = ("load.js", "plots.js", "lazy.js", "trend.js")

SCALE_NOTE = (
    "Medians over the windows that all runs share, in limits of the criterion: above 1 it is broken. "
    "Where the limit is zero the figure itself stands."
)


def render(found: Trend) -> str:
    """The page as one string of HTML that needs no other file and no network."""
    several = len({line.protocol for line in found.lines}) > 1
    names = [f"{line.protocol}/{line.name}" if several else line.name for line in found.lines]
    data: dict[str, Any] = {
        "models": [found.model],
        "stops": [stop.label for stop in found.stops],
        "lines": [_line(line) for line in found.lines],
    }
    page = environment().get_template("trend.html.j2")
    return page.render(
        found=found,
        names=names,
        note=SCALE_NOTE,
        trend_scripts=[Markup((TEMPLATES / name).read_text(encoding="utf-8")) for name in SCRIPTS],
        data=embedded(data),
    )


def _line(line: Line) -> dict[str, Any]:
    windows = next(list(point.margins) for point in line.points if point is not None)
    return {
        "limit": 1 if line.scale == "limits" else 0,
        "title": typeset(f"{line.unit} / limit" if line.scale == "limits" else line.unit),
        "median": [None if p is None else compact(p.median) for p in line.points],
        "violated": [None if p is None else p.violated for p in line.points],
        "windows": windows,
        "each": [[None if p is None else compact(p.margins[w]) for p in line.points] for w in windows],
    }
