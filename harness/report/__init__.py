"""Reports: the HTML page and the Markdown summary of a run, views of results.json and its records."""

from __future__ import annotations

from pathlib import Path

from harness.atomic import replacing
from harness.report.basins import basins
from harness.report.markdown import summary
from harness.report.page import render
from harness.report.rollouts import load, principal
from harness.report.story import stories
from harness.results import Run

__all__ = ["build", "sentences", "unreadable"]


def build(run_folder: Path) -> Path:
    """Write `report.html` and `summary.md` into a run folder, from what lies in it.

    A record that is missing or unreadable costs its figures and is named on the page.
    Returns the path of report.html.  Raises FileNotFoundError without results.json, and
    pydantic.ValidationError where it does not fit the schema.
    """
    run = Run.load(run_folder)
    records, problems = load(run, run_folder)
    rows = basins(run, principal(records))
    told = stories(run, principal(records), rows)
    _write(run_folder / "summary.md", summary(run, told))
    return _write(run_folder / "report.html", render(run, records, rows, told, problems))


def unreadable(run_folder: Path) -> list[str]:
    """A line for every record of a run that is missing or cannot be read."""
    return load(Run.load(run_folder), run_folder)[1]


def sentences(run_folder: Path) -> list[str]:
    """What each model of a run keeps and breaks, one sentence a model."""
    run = Run.load(run_folder)
    records, _ = load(run, run_folder)
    rollouts = principal(records)
    told = stories(run, rollouts, basins(run, rollouts))
    return [f"{story.model} {story.sentence}" for story in told]


def _write(target: Path, text: str) -> Path:
    with replacing(target) as part:
        part.write_text(text, encoding="utf-8")
    return target
