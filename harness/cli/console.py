"""What every command reads and prints with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from harness.results import Run


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table; header and cells are text, never markup."""
    table = Table(*map(_column, header), box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    print_table(table)


def print_table(table: Table) -> None:
    """Print a table as wide as the terminal; a log has no width of its own, so a line stays a line."""
    console = Console()
    (console if console.is_terminal else Console(width=400)).print(table)


def _column(name: str) -> Column:
    return Column(Text(name))


def run_folder(folder: Path) -> Run:
    """The results of a run; BadParameter (exit 2) for a folder that holds none."""
    if not (folder / "results.json").is_file():
        raise typer.BadParameter(f"{folder} holds no results.json; runs are folders under reports/")
    try:
        return Run.load(folder)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise typer.BadParameter(
            f"{folder}/results.json does not fit this version's schema: {place}: {first['msg']}"
        ) from None


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
