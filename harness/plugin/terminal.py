"""The physics summary after pytest's own: per model and property, the worst figure."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.plugin.reporting import COLLECTOR, Collector, why_silent
from harness.report.text import counted, recording
from harness.results import RED, Run, TestResult
from harness.summary import STYLES, Row, rows

LOG_WIDTH = 120
#: room for a property's name where there is none to spare
NAME_WIDTH = 24


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> Generator[None, object, object]:
    """After pytest's own summary: physics, changes of the baselines, and where the report is."""
    result = yield
    _summarise(terminalreporter)
    return result


def _summarise(terminalreporter: pytest.TerminalReporter) -> None:
    collector: Collector | None = terminalreporter.config.pluginmanager.get_plugin(COLLECTOR)
    if collector is None or collector.run is None:
        return
    console = Console(
        file=terminalreporter._tw._file,
        # A log has no width of its own, and a table that folds there is hard to read.
        width=terminalreporter._tw.fullwidth if terminalreporter.isatty else LOG_WIDTH,
        force_terminal=bool(terminalreporter.isatty) and terminalreporter._tw.hasmarkup,
        highlight=False,
    )
    terminalreporter.section("physics", sep="=")
    _print_run(console, collector.run)
    for sentence in collector.sentences:
        console.print(Text(sentence))
    for note in collector.run.notes:
        console.print(Text(f"note: {note}"))
    _print_repaired(console, collector)
    _print_changes(console, collector)
    if unusable := collector.run.unusable:
        console.print(
            f"{counted(len(unusable), 'part')} of the data cannot be judged (see the "
            "notes): red, unless --trajectories names what is to be judged"
        )
    if collector.run.missing:
        silent, why = counted(len(collector.run.missing), "test"), why_silent(collector.run.exit_status)
        console.print(f"{silent} never reported: {why}")
    console.print(f"report: {_short(collector.folder)}/report.html", soft_wrap=True)


def _print_run(console: Console, run: Run) -> None:
    # In 80 columns verdicts and places wrap between words, and long names before their criterion;
    # numbers stay whole.
    roomy = console.width >= LOG_WIDTH
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2 if roomy else 1, 0, 0))
    for column in ("property", "verdicts", "worst", "limit", "where", "baseline"):
        least = {"verdicts": len("1 regression,"), "where": len("magnetic_field")}.get(column)
        table.add_column(column, no_wrap=least is None, overflow="fold", min_width=least)
    for model in run.models:
        table.add_row(Text(model.name, style="bold"))
        for row in rows(run, model.name):
            table.add_row(
                Text(f" {_name(row, roomy)}"),
                Text(_verdicts(row, roomy), style=STYLES[row.outcome]),
                row.figure,
                row.limit,
                Text(row.where),
                row.baseline,
            )
    console.print(table)


def _name(row: Row, roomy: bool) -> str:
    whole = roomy or len(row.property) < NAME_WIDTH
    return row.property if whole else row.property.replace("[", "\n  [")


def _verdicts(row: Row, roomy: bool) -> str:
    """`1 regression, 11 expected`, one outcome a line where there is no room."""
    text = row.verdict.replace("not-applicable", "n/a")
    return text if roomy else text.replace(", ", ",\n")


def _print_repaired(console: Console, collector: Collector) -> None:
    """What the baseline records as broken and today's run keeps, and the line that records it."""
    assert collector.run is not None
    repaired = [test for test in collector.run.tests if test.outcome == "repaired"]
    if not repaired:
        return
    console.print(f"{len(repaired)} repaired: recorded as broken, kept today", style="bold green")
    for test in repaired:
        place = "all" if test.simulation is None else f"{test.simulation}-w{test.window}"
        console.print(Text(f"  {test.message}, {test.model} on {place}"))
    console.print("record it once nothing is red:")
    console.print(Text(f"  {recording(collector.run.provenance)}"), soft_wrap=True)


def _print_changes(console: Console, collector: Collector) -> None:
    if collector.refusal:
        console.print(Text(f"baselines NOT updated: {collector.refusal}"), soft_wrap=True)
    if collector.changes:
        table = Table(title="baselines updated", box=None, title_justify="left")
        for column in ("baseline", "case", "before", "after"):
            table.add_column(column, overflow="fold")
        for change in collector.changes:
            table.add_row(change.baseline, Text(change.name), change.before, change.after)
        console.print(table)
    elif collector.run and collector._config.getoption("update_baselines") and not collector.refusal:
        console.print("baselines unchanged")


def _short(folder: Path) -> str:
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(
    report: pytest.CollectReport | pytest.TestReport,
) -> tuple[str, str, str] | None:
    """Name the outcome in -v: EXPECTED instead of XFAIL, REPAIRED, N/A."""
    result = getattr(report, "physics", None)
    if result is None:
        return None
    words = {
        "expected": ("xfailed", "x", "EXPECTED"),
        "unrecorded": ("xfailed", "u", "UNRECORDED"),
        "not-applicable": ("skipped", "-", "N/A"),
        "recorded": ("passed", "r", "RECORDED"),
        # Under --against only: without it a repair is red.
        "repaired": ("xpassed", "R", "REPAIRED"),
    }
    outcome = TestResult.model_validate(result).outcome
    if (
        report.failed
        or outcome in RED
        or outcome not in words
        or (report.when != "call" and not report.skipped)
    ):
        return None
    return words[outcome]
