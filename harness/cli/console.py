"""What every command prints with."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table; header and cells are text, never markup."""
    table = Table(*map(_column, header), box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=400)  # a log has no width of its own: a line stays a line
    console.print(table)


def _column(name: str) -> Column:
    return Column(Text(name))
