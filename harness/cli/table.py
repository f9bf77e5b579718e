"""`harness table`: the error figures of a run, each with its convention and aggregation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from harness.cli.console import out, run_folder, show_table
from harness.suggest import unknown

RUN = typer.Argument(help="a folder under reports/")
CONVENTION = typer.Option(help="seed, well or joint; repeatable; all if left out")
AGGREGATE = typer.Option(
    help="median-of-time-means, pooled-median, median-of-medians or geometric-mean; repeatable"
)
STEPS = typer.Option(help="first and last step, inclusive, 1 = first prediction: 21-60")
JSON = typer.Option("--json", help="write the table as JSON; - prints it", allow_dash=True)
MARKDOWN = typer.Option("--markdown", help="write the table as Markdown; - prints it", allow_dash=True)


def table(
    run: Annotated[Path, RUN] = Path("reports/latest"),
    convention: Annotated[list[str] | None, CONVENTION] = None,
    aggregate: Annotated[list[str] | None, AGGREGATE] = None,
    steps: Annotated[str | None, STEPS] = None,
    as_json: Annotated[Path | None, JSON] = None,
    markdown: Annotated[Path | None, MARKDOWN] = None,
) -> None:
    """Print the error figures of a run as papers print them, per model and protocol.

    One line per VRMSE convention and aggregation, with the number of windows and simulations
    and an interval: the range of the simulations below 8 of them, a BCa bootstrap over
    simulations from 8 on.
    """
    from harness.diagnostics.errors import CONVENTIONS
    from harness.report import error_table as tables
    from harness.statistics.aggregates import AGGREGATIONS

    loaded = run_folder(run)
    chosen = _named("convention", convention, CONVENTIONS)
    recipes = _named("aggregation", aggregate, AGGREGATIONS)
    try:
        lines = tables.error_table(loaded, run, chosen, recipes, _range(steps))
    except tables.TableError as error:
        raise typer.BadParameter(str(error)) from None
    if as_json:
        out(as_json, tables.as_json(loaded, lines))
    if markdown:
        out(markdown, tables.as_markdown(lines))
    if Path("-") in (as_json, markdown):
        return
    for subject, own in tables.subjects(lines).items():
        Console().print(subject, style="bold", markup=False, highlight=False)
        show_table(tables.HEADER, [line.cells for line in own])
    for note in tables.footnotes(lines):
        Console().print(note, style="dim", markup=False, highlight=False)


def _named(what: str, names: list[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    for name in names or ():
        if name not in known:
            raise typer.BadParameter(unknown(what, name, known))
    return tuple(names or known)


def _range(steps: str | None) -> tuple[int, int] | None:
    if steps is None:
        return None
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", steps.strip())
    if not found or not 1 <= int(found[1]) <= int(found[2] or found[1]):
        raise typer.BadParameter(f"--steps {steps!r} is no range of steps, such as 21-60 or 1")
    return int(found[1]), int(found[2] or found[1])
