"""`harness published`: a study's recorded figures, printed again."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from harness.cli.console import show_table


def published(
    model: Annotated[str, typer.Argument(help="walrus-pt, fno-scratch, fno-ft or fno-pretrained")],
) -> None:
    """Print what a study recorded of a model, and where its words and its arrays differ."""
    from harness.published import CITATION, STUDIED, arrays, tables, words

    try:
        runs = arrays.of(model)
    except KeyError as error:
        raise typer.BadParameter(error.args[0]) from error
    console = Console()
    console.print(Text(f"{model}: {STUDIED[model]}\nrecorded by the {CITATION}\n"))
    everything = tables.medians(list(arrays.runs().values()))
    for table in [*(t for run in runs for t in tables.of_run(run)), everything]:
        console.print(Text(table.title, style="bold"))
        show_table(table.header, table.rows)
        console.print()
    console.print(Text("Where the article's words and its arrays differ", style="bold"))
    for difference in words.of_walrus() if model == "walrus-pt" else words.of_fno():
        console.print(Text(f"- article: {difference.article}\n  arrays:  {difference.arrays}"))
