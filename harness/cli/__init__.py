"""The `harness` command: what there is, and what can be made without pytest; one module a topic."""

from __future__ import annotations

import typer

from harness.cli import data, interventions, listing, report

app = typer.Typer(help="Physics benchmark for neural surrogates of PDEs.", no_args_is_help=True)
app.command()(listing.models)
app.command()(listing.protocols)
app.command()(report.report)
app.command()(interventions.interventions)
app.add_typer(data.app, name="data")
