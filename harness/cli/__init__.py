"""The `harness` command: what there is, and what can be made without pytest; one module a topic."""

from __future__ import annotations

import typer

from harness.cli import data, listing, plan, report

app = typer.Typer(help="Physics benchmark for neural surrogates of PDEs.", no_args_is_help=True)
app.command()(listing.models)
app.command()(listing.protocols)
app.command()(plan.plan)
app.command()(report.report)
app.add_typer(data.app, name="data")
