"""`harness data`: the data that surrogates are judged on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

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

T = TypeVar("T")

app = typer.Typer(help="The data that surrogates are judged on.", no_args_is_help=True)


@app.command()
def simulate(
    split: Annotated[list[str], typer.Option(help="train, valid or test; repeatable")] = ["test"],  # noqa: B006
    data: Annotated[Path | None, typer.Option(help="folder of the data sets")] = None,
    grid: Annotated[int | None, typer.Option(help="cells per side that are solved")] = None,
    workers: Annotated[int, typer.Option(min=1, help="simulations at a time, one process each")] = 2,
) -> None:
    """Write the embedded MHD truth in The Well's format; finished files are kept."""
    from harness.plan import Options
    from harness.truth import simulate as truth
    from harness.truth.mhd import SolverError

    root = Options(data=data).data_root
    try:
        folder = _with_progress(
            lambda show: truth.ensure(
                root, splits=tuple(split), workers=workers, grid=grid, on_progress=show
            )
        )
    except (ValueError, SolverError) as error:
        raise typer.BadParameter(str(error)) from error
    Console().print(str(folder), soft_wrap=True)


@app.command()
def hydro(data: Annotated[Path | None, typer.Option(help="folder of the data sets")] = None) -> None:
    """Write four small hydrodynamic data sets, 2D and 3D, periodic and with walls (a minute)."""
    from harness.plan import Options
    from harness.truth import hydro as flows

    root = Options(data=data).data_root
    for folder in _with_progress(lambda show: flows.ensure(root, on_frame=show)):
        Console().print(str(folder), soft_wrap=True)


def _with_progress(make: Callable[[Callable[[str, int, int], None]], T]) -> T:
    """What `make` returns, with a bar for each name that it reports (name, done, total) of."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns) as progress:
        tasks: dict[str, TaskID] = {}

        def show(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=total)
            progress.update(tasks[name], completed=done)

        return make(show)
