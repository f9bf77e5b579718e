"""`harness fetch`: data sets of The Well, and released weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.text import Text

if TYPE_CHECKING:
    from harness.hub.fetch import Order


def fetch(
    name: Annotated[str, typer.Argument(help="data set of The Well, walrus-pt, or well-fno=DATASET")],
    split: Annotated[str, typer.Option(help="of a data set: train, valid or test")] = "test",
    match: Annotated[str, typer.Option(help="of a data set: names of files, e.g. '*Ma_0.7*'")] = "*",
    data: Annotated[Path | None, typer.Option(help="folder of the data sets")] = None,
    revision: Annotated[str | None, typer.Option(help="commit, tag or branch of the hub")] = None,
    dry_run: Annotated[bool, typer.Option(help="say what would be fetched, and stop")] = False,
) -> None:
    """Bring data or weights here: sizes and space first, resumable, every file verified."""
    from harness.hub import catalogue, listing, transfer
    from harness.hub import fetch as hub
    from harness.hub.errors import FetchError
    from harness.hub.http import Waits
    from harness.plan import Options
    from harness.truth.well import SPLITS

    if split not in SPLITS:
        raise typer.BadParameter(f"unknown split {split!r}: one of {', '.join(SPLITS)}")
    console = Console()

    def say(text: str) -> None:
        console.print(Text(text), soft_wrap=True)

    # Somebody is waiting for a dry run, and nothing is lost by asking once more.
    waits = Waits(attempts=2, pause=1.0, timeout=10.0, say=say) if dry_run else Waits(say=say)
    try:
        item = catalogue.item(name, Options(data=data).data_root, split, match)
        say(f"asking {listing.endpoint()} what {item.repository} holds")
        order = hub.order(item, revision, waits)
        say(_said(order))
        if dry_run:
            return
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(),
                   TransferSpeedColumn())  # fmt: skip
        with Progress(*columns, console=console) as progress:
            tasks = {r.path: progress.add_task(r.path, total=r.size) for r in order.missing}

            def show(path: str, here: int, size: int) -> None:
                progress.update(tasks[path], completed=here)

            hub.carry_out(order, waits, on_file=show)
    except FetchError as error:
        raise typer.BadParameter(str(error)) from error
    except KeyboardInterrupt:
        say("interrupted" if dry_run else f"interrupted; {transfer.RESUMABLE}")
        raise typer.Exit(130) from None
    say(f"{item.name} is in {item.folder}")


def _said(order: Order) -> str:
    from harness.hub.fetch import room_in, spoken

    item, listing = order.item, order.listing
    lines = [
        f"{item.kind[:-1]} {item.repository} at {listing.commit[:12]} -> {item.folder}",
        *(f"  {r.path}  {spoken(r.size)}{'' if r in order.missing else '  is here'}"
          for r in listing.files),
        f"{len(listing.files)} files, {spoken(order.size)}; to fetch: {spoken(order.to_come)}; "
        f"{spoken(room_in(item.folder))} free",
    ]  # fmt: skip
    return "\n".join(lines)
