"""What every command reads and prints with."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from harness.results import Run, complaint


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table; header and cells are text, never markup."""
    table = Table(*map(_column, header), box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    print_table(table)


def table_width() -> int:
    """Columns for a table: those of the terminal, or what COLUMNS says.

    A log has no width of its own, so there a line stays a line.
    """
    console = Console()
    return console.width if console.is_terminal or "COLUMNS" in os.environ else 400


def print_table(table: Table) -> None:
    """Print a table in `table_width` columns."""
    Console(width=table_width()).print(table)


def _column(name: str) -> Column:
    return Column(Text(name), overflow="fold")


def run_folder(folder: Path) -> Run:
    """The results of a run; BadParameter (exit 2) for a folder that holds none."""
    if not (folder / "results.json").is_file():
        raise typer.BadParameter(f"{folder} holds no results.json; runs are folders under reports/")
    try:
        return Run.load(folder)
    except (OSError, ValidationError) as error:
        raise typer.BadParameter(complaint(folder, error)) from None


def out(target: Path, text: str) -> None:
    """Write text to a file, or print it for `-`; BadParameter (exit 2) where that is impossible."""
    if target == Path("-"):
        typer.echo(text, nl=False)
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"cannot write {target}: {error.strerror or error}") from None
