"""`--update-baselines`: record verdicts on purpose, and lose nothing by accident.

Entries are written once, by the controller, after the whole run, for the judged models and
protocols only.  A crash writes nothing; a skipped or failed case keeps its entry; only a complete
run forgets entries, and only of test cases that no longer exist.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from harness.baselines import Baseline
from harness.judging import describe_entry, expectation
from harness.plugin.session import Session
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
    lost = list(broken)
    if lost:
        return f"{len(lost)} tests ended in an error or never reported, e.g. {lost[0]}"
    if partial:
        return "the run was narrowed to some tests or trajectories"
    return ""


def update(physics: Session, results: list[TestResult], prune: bool) -> list[Change]:
    """Write the entries of all judged results; returns what changed, for the table.

    prune: the run was complete, so entries of test cases it does not know are dropped.
    """
    changes: list[Change] = []
    chosen = {s.label: s for s in physics.plan.models}
    grouped: dict[tuple[str, str, str], dict[str, Expectation | None]] = defaultdict(dict)
    for result in results:
        spec = chosen[result.model]
        name = physics.baseline_name(spec)
        if name is None:
            continue
        identity = physics.engine.identities.get(spec) or physics.engine.identity(spec)
        source = f"measured {datetime.now(UTC):%Y-%m-%d}, {identity.fingerprint[:12]}"
        entry = expectation(result.verdict, source) if result.verdict is not None else None
        grouped[name, result.protocol, result.suite][_entry_name(result)] = entry
    for (model, protocol, suite), entries in sorted(grouped.items()):
        baseline = Baseline(physics.config.getoption("baselines"), model, protocol)
        changes += _write(baseline, suite, entries, physics, prune)
    return changes


def _entry_name(result: TestResult) -> str:
    place = result.nodeid.split("[", 1)[1].removesuffix("]")
    place = place.removeprefix(f"{result.model}:{result.protocol}").lstrip("/:")
    return f"test_{result.property}[{place}]" if place else f"test_{result.property}"


def _write(
    baseline: Baseline,
    suite: str,
    entries: dict[str, Expectation | None],
    physics: Session,
    prune: bool,
) -> list[Change]:
    before = baseline.expectations(suite)
    if baseline.conditions(suite) not in (None, physics.conditions):
        before = {}
    judged = {name: entry for name, entry in entries.items() if entry is not None}
    fresh = {n: e for n, e in judged.items() if n not in before or _differs(before[n], e)}
    # Equal verdicts within tolerance keep their old digits: no churn in the diff.
    if fresh:
        baseline.record(suite, fresh, physics.conditions)
    gone = sorted(set(before) - set(entries)) if prune else []
    if gone:
        baseline.forget(suite, gone)
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
