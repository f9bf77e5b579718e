"""The `harness` command: what there is, and what can be made without pytest; one module a topic."""

from __future__ import annotations

import typer

from harness import paths
from harness.cli import (
    compare,
    controls,
    data,
    doctor,
    fetch,
    interventions,
    listing,
    plan,
    published,
    report,
    table,
    trend,
)

app = typer.Typer(no_args_is_help=True)


@app.callback()
def main() -> None:
    """Physics benchmark for neural surrogates of PDEs."""
    try:
        paths.cache()
    except NotADirectoryError as error:
        raise typer.BadParameter(f"{error.strerror}: {error.filename}") from None


app.command()(listing.models)
app.command()(listing.protocols)
app.command()(doctor.doctor)
app.command()(fetch.fetch)
app.add_typer(data.app, name="data")
app.command()(plan.plan)
app.command()(report.report)
app.command()(table.table)
app.command()(compare.compare)
app.command()(trend.trend)
app.command()(interventions.interventions)
app.command()(controls.controls)
app.command()(published.published)
