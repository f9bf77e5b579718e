"""`harness report`: the pages of a run, made again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from harness.cli.console import run_folder


def report(run: Annotated[Path, typer.Argument(help="a folder under reports/")]) -> None:
    """Make report.html and summary.md of a run again, from results.json and its records."""
    import harness.report

    run_folder(run)
    for problem in harness.report.unreadable(run):
        typer.echo(problem, err=True)
    Console().print(str(harness.report.build(run)), soft_wrap=True)
