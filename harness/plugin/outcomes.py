"""From the phases of a test to its result: the outcome, the figure, the records it read.

The result travels on the report as plain types, so that it survives the way from a worker to the
controller.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from harness.jobs import SOLVER
from harness.judging import Regression, Violation
from harness.plan import Case
from harness.plugin import session as sessions
from harness.plugin.collection import case_of, property_of, suite_of
from harness.plugin.finding import Finding, finding_of
from harness.report.text import rerun
from harness.results import Outcome, RecordEntry, TestResult
from harness.surrogates.minis import CheckpointError
from harness.surrogates.spec import ModelError

#: A model that cannot be had: the message says everything that a reader can mend.
UNFIT = (ModelError, CheckpointError)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach the finding to the report, and put today's figure where the reader looks."""
    report = yield
    case = case_of(item)
    if case is None or (report.when != "call" and report.passed):
        return report
    finding = finding_of(item)
    outcome = _outcome(report, call, finding)
    if hasattr(report, "wasxfail"):
        if outcome == "passed":
            del report.wasxfail  # a published baseline does not know: nobody expected it to fail
        elif finding.message:
            report.wasxfail = finding.message
    if report.failed and finding.outcome is not None and outcome == finding.outcome:
        # Broken physics is no broken code: the figure and the statement, not a traceback.
        report.longrepr = _explanation(item, finding)
    elif report.failed and call.excinfo is not None and call.excinfo.errisinstance(UNFIT):
        # Nor are weights that cannot be read: every test of the model would print the same trace.
        report.longrepr = str(call.excinfo.value)
    result = _result(item, case, finding, outcome, report)
    # New attributes of plain types survive the way from a worker to the controller.
    vars(report)["physics"] = result.model_dump(mode="python")
    vars(report)["physics_records"] = _records(item.config, case, finding)
    # JUnit takes the properties of the teardown report, which copies the item's.
    item.user_properties += _properties(finding, outcome)
    report.user_properties = list(item.user_properties)
    return report


def _properties(finding: Finding, outcome: Outcome) -> list[tuple[str, object]]:
    """Figures for JUnit, as plain types: a numpy scalar would stop a whole run under xdist."""
    named: list[tuple[str, object]] = [("outcome", outcome)]
    if finding.verdict is not None:
        for name in ("figure", "limit", "margin", "step", "where", "unit", "basis"):
            named.append((name, getattr(finding.verdict, name)))
    return [(name, value) for name, value in named if value not in (None, "")]


def _explanation(item: pytest.Item, finding: Finding) -> str:
    declaration = property_of(item)
    assert declaration is not None
    lines = [finding.message]
    if finding.outcome == "repaired":
        lines[0] += ": repaired, update the baseline (--update-baselines)"
    lines += ["", declaration.statement]
    if finding.verdict is not None and finding.verdict.basis:
        lines.append(f"limit: {finding.verdict.basis}")
    again = rerun(item.nodeid, sessions.command(item.config), item.config.getoption("against"))
    return "\n".join([*lines, f"again: {again}"])


def _outcome(report: pytest.TestReport, call: pytest.CallInfo[None], finding: Finding) -> Outcome:
    error = call.excinfo.value if call.excinfo is not None else None
    if isinstance(error, pytest.skip.Exception):
        return "not-applicable"
    if isinstance(error, Violation | Regression) and finding.outcome is not None:
        return finding.outcome
    if error is not None or report.when != "call":
        return "error"
    if finding.outcome is not None:
        return finding.outcome  # passed, or repaired (strict XPASS)
    return "recorded"


def _result(
    item: pytest.Item, case: Case, finding: Finding, outcome: Outcome, report: pytest.TestReport
) -> TestResult:
    declaration = property_of(item)
    assert declaration is not None
    message = finding.message
    if not message and report.longrepr is not None:
        message = _reason(report)
    return TestResult(
        nodeid=item.nodeid,
        suite=suite_of(item),
        property=declaration.name,
        criterion=case.criterion,
        statement=declaration.statement,
        formula=declaration.formula,
        model=case.model.label,
        protocol=case.protocol,
        simulation=case.window.simulation.name if case.window else None,
        window=case.window.index if case.window else None,
        outcome=outcome,
        message=message,
        verdict=finding.verdict,
        values=finding.values,
        baseline=finding.entry,
        records=tuple(finding.records),
        seconds=report.duration,
    )


def _reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):  # a skip: (file, line, reason)
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr)
    return text.strip().splitlines()[0] if text.strip() else ""


def _records(config: pytest.Config, case: Case, finding: Finding) -> list[dict[str, Any]]:
    """The records that a test read, as its own model and window know them.

    Cases that share a record (one window under two protocols, two checkpoints of equal weights)
    each name it; a population test knows no more than the job that made it.
    """
    done = sessions.of(config).engine.done
    entries = []
    for key in dict.fromkeys(finding.records):
        job, record = done[key].job, done[key].record
        window = case.window or job.window
        model = case.model if case.window and job.model not in (None, SOLVER) else job.model
        entries.append(
            RecordEntry(
                key=key,
                file=f"records/{key}.nc",
                kind=job.kind,
                model=model.label if model else None,
                protocol=case.protocol,
                simulation=window.simulation.name,
                window=window.index,
                precision=job.precision,
                draw=job.draw.seed,
                diverged_at=record.diverged_at,
                diverged_in=record.diverged_in,
                from_store=done[key].from_store,
                seconds=float(record.data.attrs.get("seconds", 0.0)),
            ).model_dump(mode="python")
        )
    return entries
