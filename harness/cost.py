"""What a run will cost, in evaluations of the models, known before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from harness.jobs import Job
from harness.plan import Case, Plan
from harness.properties import Property
from harness.surrogates.base import STOCHASTIC
from harness.surrogates.spec import ModelSpec


@dataclass(frozen=True)
class Row:
    """One line of the table.

    tests: cases that apply to their model and data.  jobs, forwards: what they read, each job
    counted once, and the evaluations of models it takes at most.  alone: those of the forwards
    that no other property needs.  stored: jobs that are in the store already.
    """

    name: str
    cost: str
    tests: int
    jobs: int
    forwards: int
    alone: int
    stored: int


def estimate(
    plan: Plan,
    cases: Iterable[tuple[Property, Case]],
    traits: Callable[[ModelSpec], frozenset[str]],
    is_stored: Callable[[Job], bool],
) -> list[Row]:
    """One row for each property, in the order they come, and the total: every job once.

    traits: of a model.  is_stored: whether a job's record is there.  Evaluations count alike,
    whatever the precision; a derivative counts as two.
    """
    tests: Counter[Property] = Counter()
    reads: dict[Property, set[Job]] = {}
    for declared, case in cases:
        reads.setdefault(declared, set())
        asked = declared.asks[case.criterion]
        silent = STOCHASTIC in asked and not plan.options.seeded
        if silent or asked - traits(case.model) or not _has_fields(plan, declared, case):
            continue
        tests[declared] += 1
        reads[declared] |= set(jobs(plan, declared, case))
    readers = Counter(job for found in reads.values() for job in found)
    stored = {job for job in readers if is_stored(job)}

    def row(name: str, cost: str, count: int, found: set[Job]) -> Row:
        left = found - stored
        alone = sum(job.forwards for job in left if readers[job] == 1)
        forwards = sum(job.forwards for job in left)
        return Row(name, cost, count, len(found), forwards, alone, len(found & stored))

    rows = [row(p.name, p.cost, tests[p], found) for p, found in reads.items()]
    return [*rows, row("total", "", sum(tests.values()), set(readers))]


def jobs(plan: Plan, declared: Property, case: Case) -> Iterator[Job]:
    """What a test case reads at most."""
    windows = [case.window] if case.window else [*plan.windows[case.protocol]]
    if declared.pooled:
        windows = [window for _, window in plan.pool(case.protocol)]
    for window in windows:
        for request in declared.requests(case.criterion):
            if request.applies(window):
                yield plan.job(request, case.model, window)


def _has_fields(plan: Plan, declared: Property, case: Case) -> bool:
    window = case.window or plan.windows[case.protocol][0]
    return declared.needs <= window.simulation.offers


def table(rows: Iterable[Row]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and cells; forwards are those still to be made, `alone` those for no other property."""
    header = ("property", "cost", "tests", "records", "in store", "forwards", "alone")
    return header, [
        (r.name, r.cost, str(r.tests), str(r.jobs), str(r.stored), str(r.forwards), str(r.alone))
        for r in rows
    ]
