"""The `harness` command: what there is, and what can be made without pytest."""

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
from rich.table import Table
from rich.text import Text

from harness import paths

app = typer.Typer(help="Physics benchmark for neural surrogates of PDEs.", no_args_is_help=True)
data_app = typer.Typer(help="The data that surrogates are judged on.", no_args_is_help=True)
app.add_typer(data_app, name="data")


@app.command()
def models() -> None:
    """List the names that `pytest --model` knows."""
    from harness.surrogates import registry

    _print(("name", "what it is"), list(registry.names().items()))
    Console().print(Text("Your own: --model path/to/file.py:Class, or an entry point of the group "
                         f"{registry.GROUP!r}."))  # fmt: skip


@app.command()
def protocols() -> None:
    """List the recipes that `pytest --protocol` knows."""
    from harness.truth import protocols as recipes

    loaded = [recipes.load(name) for name in recipes.names()]
    _print(
        ("name", "data set, split", "windows", "steps", "reproduces"),
        [
            (
                p.name,
                f"{p.dataset}, {p.split}",
                f"{p.n_history} frames from {', '.join(map(str, p.starts))}",
                str(p.steps),
                p.reproduces,
            )
            for p in loaded
        ],
    )


@app.command()
def report(run: Annotated[Path, typer.Argument(help="a folder under reports/")]) -> None:
    """Make report.html and summary.md of a run again, from results.json and its records."""
    import harness.report

    if not (run / "results.json").is_file():
        raise typer.BadParameter(f"{run} holds no results.json; runs are folders under reports/")
    Console().print(str(harness.report.build(run)), soft_wrap=True)


@data_app.command()
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


def _print(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(*header, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
