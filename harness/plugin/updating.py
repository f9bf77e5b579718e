"""`--update-baselines`: record verdicts on purpose, and lose nothing by accident.

Entries are written once, by the controller, after the whole run, for the judged models and
protocols only.  A crash writes nothing; a skipped or failed case keeps its entry; only a complete
run forgets entries, and only of test cases that no longer exist.  A file has one set of conditions:
where the run's are others, a complete run replaces the file, and any other leaves it alone.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from harness.baselines import Baseline
from harness.judging import describe_entry, expectation
from harness.plugin.session import Session
from harness.report.text import counted
from harness.results import Expectation, TestResult


@dataclass(frozen=True)
class Change:
    """One baseline entry that is new, different or gone."""

    baseline: str
    name: str
    before: str
    after: str


def is_partial(config: pytest.Config) -> bool:
    """Whether the command line narrows the run to some trajectories, files or node ids."""
    if config.getoption("trajectories"):
        return True
    return any("::" in a or a.endswith(".py") for a in config.args)


def refusal(partial: bool, broken: Iterable[str]) -> str:
    """Why baselines are not updated; empty if they may be."""
    lost, why = list(broken), ""
    if lost:
        why = f"{counted(len(lost), 'test')} ended in an error or never reported, e.g. {lost[0]}"
    elif partial:
        why = "the run was narrowed to some tests or trajectories"
    return f"{why}; --force-update records what was judged" if why else ""


def mixture(physics: Session, results: list[TestResult]) -> str:
    """Why an incomplete run cannot be recorded even by force; empty if it can be.

    Figures of two kinds of run in one file would be taken for figures of one.
    """
    for baseline, suite in _grouped(physics, results):
        if _unlike(baseline, suite, physics):
            return (
                f"{baseline.model}/{baseline.protocol}/{suite} holds another run's conditions "
                f"({_spoken(baseline.conditions(suite))}; now {_spoken(physics.conditions)}), and this "
                "run did not judge every case: judge all of them, or remove the file first"
            )
    return ""


def update(physics: Session, results: list[TestResult], complete: bool) -> list[Change]:
    """Write the entries of all judged results; returns what changed, for the table.

    complete: every case was judged, so entries of test cases that the run does not know are dropped.
    """
    changes: list[Change] = []
    for (baseline, suite), entries in _grouped(physics, results).items():
        changes += _write(baseline, suite, entries, physics, complete)
    return changes


def _grouped(
    physics: Session, results: list[TestResult]
) -> dict[tuple[Baseline, str], dict[str, Expectation | None]]:
    """Baseline and suite -> entries by name, None for a case without a verdict; sorted."""
    chosen = {s.label: s for s in physics.plan.models}
    root = physics.config.getoption("baselines")
    grouped: dict[tuple[str, str, str], dict[str, Expectation | None]] = defaultdict(dict)
    for result in results:
        spec = chosen[result.model]
        name = physics.baseline_name(spec)
        assert name is not None, "an update of a model without a baseline is refused before it runs"
        entry = None
        if result.verdict is not None:  # else the model may not even load, and has no fingerprint
            identity = physics.engine.identities.get(spec) or physics.engine.identity(spec)
            source = f"measured {datetime.now(UTC):%Y-%m-%d}, {identity.fingerprint[:12]}"
            entry = expectation(result.verdict, source)
        grouped[name, result.protocol, result.suite][_entry_name(result)] = entry
    return {
        (Baseline(root, model, protocol), suite): grouped[model, protocol, suite]
        for model, protocol, suite in sorted(grouped)
    }


def _unlike(baseline: Baseline, suite: str, physics: Session) -> bool:
    """Whether a suite's record was made under other conditions than this run."""
    return baseline.conditions(suite) not in (None, physics.conditions)


def _spoken(conditions: Mapping[str, object] | None) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted((conditions or {}).items()))


def _entry_name(result: TestResult) -> str:
    place = result.nodeid.split("[", 1)[1].removesuffix("]")
    place = place.removeprefix(f"{result.model}:{result.protocol}").lstrip("/:")
    return f"test_{result.property}[{place}]" if place else f"test_{result.property}"


def _write(
    baseline: Baseline,
    suite: str,
    entries: dict[str, Expectation | None],
    physics: Session,
    complete: bool,
) -> list[Change]:
    before = baseline.expectations(suite)
    judged = {name: entry for name, entry in entries.items() if entry is not None}
    if _unlike(baseline, suite, physics):
        fresh, gone = judged, sorted(set(before) - set(judged))
    else:
        # Equal verdicts within tolerance keep their old digits: no churn in the diff.
        fresh = {n: e for n, e in judged.items() if n not in before or _differs(before[n], e)}
        gone = sorted(set(before) - set(entries)) if complete else []
    if gone:
        baseline.forget(suite, gone)
    if fresh:
        baseline.record(suite, fresh, physics.conditions)
    name = f"{baseline.model}/{baseline.protocol}/{suite}"
    return [
        Change(name, n, describe_entry(before[n]) if n in before else "-", describe_entry(e))
        for n, e in sorted(fresh.items())
    ] + [Change(name, n, describe_entry(before[n]), "gone") for n in gone]


def _differs(old: Expectation, new: Expectation) -> bool:
    if old.verdict != new.verdict or old.step != new.step:
        return True
    pairs = ((old.figure, new.figure), (old.limit, new.limit))
    return any(not _alike(a, b, 0.1 * (old.tolerance or 0.0)) for a, b in pairs)


def _alike(old: float | None, new: float | None, slack: float) -> bool:
    """Whether two figures are one within `slack`, or within the digits that a baseline keeps."""
    if old is None or new is None or math.isinf(old) or math.isinf(new):
        return old == new
    return math.isclose(old, new, rel_tol=1e-5, abs_tol=slack)
