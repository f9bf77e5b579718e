"""`harness trend`: figures of one model over many runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from harness.cli.console import out, show_table, table_width

RUNS = typer.Argument(help="run folders: reports/*; what is no run is skipped", metavar="RUN")
MODEL = typer.Option(help="the model; its checkpoints NAME.CHECKPOINT count as the model")
JSON = typer.Option("--json", help="write the trend as JSON; - prints it", allow_dash=True)
HTML = typer.Option("--html", help="write one self-contained page with plots")

#: Columns from which on the best run of every criterion is printed.
ROOMY = 110

#: Bars printed of more runs, evenly spread, the last among them.
MAX_BARS = 30

BARS = "▁▂▃▄▅▆▇█"


def trend(
    runs: Annotated[list[Path], RUNS],
    model: Annotated[str | None, MODEL] = None,
    as_json: Annotated[Path | None, JSON] = None,
    html: Annotated[Path | None, HTML] = None,
) -> None:
    """Show how the figures of one model move over runs: checkpoints of a training.

    Oldest first; medians over the windows that all runs share, in limits of the criterion.
    """
    from harness.comparison import CompareError
    from harness.comparison.trend import trend as followed
    from harness.report.text import number
    from harness.report.trend import SCALE_NOTE, render

    try:
        found = followed(runs, model)
    except CompareError as error:
        raise typer.BadParameter(str(error)) from None
    if as_json:
        out(as_json, found.model_dump_json(indent=1) + "\n")
    if html:
        out(html, render(found))
    if as_json == Path("-"):
        return
    console = Console()
    stops = found.stops
    console.print(
        Text(f"{found.model} over {len(stops)} runs, {stops[0].label} to {stops[-1].label}", "bold")
    )
    rows = []
    for line in found.lines:
        medians = [None if point is None else point.median for point in line.points]
        shown = [(m, stop.label) for m, stop in zip(medians, stops, strict=True) if m is not None]
        best, where = min(shown, key=lambda pair: pair[0])
        points = [point for point in line.points if point is not None]
        share = f"{points[0].violated} to {points[-1].violated} of {len(points[-1].margins)}"
        ends = (number(shown[0][0]), number(shown[-1][0]))
        rows.append((line.name, bars(medians), *ends, share, f"{number(best)} {where}"))
    header = ("property", "median", "first", "last", "violated", "best")
    kept = len(header) if table_width() >= ROOMY else len(header) - 1
    show_table(header[:kept], [row[:kept] for row in rows])
    for note in (SCALE_NOTE, *found.notes):
        console.print(Text(note, "dim"))


def bars(values: Sequence[float | None]) -> str:
    """One bar per value on a logarithmic scale: a dot for none, a cross where not finite.

    Of more than MAX_BARS values evenly spread ones are drawn, the first and the last among them.
    """
    if len(values) > MAX_BARS:
        last = len(values) - 1
        values = [values[round(i * last / (MAX_BARS - 1))] for i in range(MAX_BARS)]
    finite = [math.log(max(v, 1e-300)) for v in values if v is not None and math.isfinite(v)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)

    def bar(value: float | None) -> str:
        if value is None:
            return "·"
        if not math.isfinite(value):
            return "×"
        share = (math.log(max(value, 1e-300)) - low) / (high - low) if high > low else 0.0
        return BARS[round(share * (len(BARS) - 1))]

    return "".join(map(bar, values))
