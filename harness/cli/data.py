"""`harness data`: the data that surrogates are judged on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from harness import paths

app = typer.Typer(help="The data that surrogates are judged on.", no_args_is_help=True)


@app.command()
def simulate(
    split: Annotated[list[str], typer.Option(help="train, valid or test; repeatable")] = ["test"],  # noqa: B006
    data: Annotated[Path | None, typer.Option(help="folder of the data sets")] = None,
    grid: Annotated[int | None, typer.Option(help="cells per side that are solved")] = None,
    workers: Annotated[int, typer.Option(help="simulations at a time, one process each")] = 2,
) -> None:
    """Write the embedded MHD truth in The Well's format; finished files are kept."""
    from harness.truth import simulate as truth

    root = data or paths.cache() / "data"
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns) as progress:
        tasks: dict[str, TaskID] = {}

        def show(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=total)
            progress.update(tasks[name], completed=done)

        folder = truth.ensure(root, splits=tuple(split), workers=workers, grid=grid, on_progress=show)
    Console().print(str(folder), soft_wrap=True)
