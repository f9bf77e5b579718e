"""One section per property: statement, limits, plot and the table of its cases."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness import paths
from harness.judging import digits
from harness.report import curves
from harness.report.matrix import shade
from harness.report.outcomes import LOOK, LOOKS, Look, count_outcomes, is_red, seriousness
from harness.report.text import criterion_name, number, rerun, window_label
from harness.results import Run, TestResult, Verdict

#: Outcomes that need nobody's attention.
CALM = frozenset({"passed", "not-applicable"})


@dataclass(frozen=True)
class Row:
    """One test in the table of a criterion, as text; `sort` holds the numbers to sort by."""

    index: int
    look: Look
    shade: str
    red: bool
    model: str
    window: str
    figure: str
    limit: str
    margin: str
    step: str
    where: str
    baseline: str
    sort: tuple[float | None, ...]
    message: str
    unjudged: bool
    values: tuple[tuple[str, str], ...]
    command: str


@dataclass(frozen=True)
class Criterion:
    """One criterion: its plot (None where there is nothing to see) and its cases, worst first.

    when: the steps at which it is judged, in words.
    bases: where the limits come from, the most frequent first.  tally: outcomes by model.
    noted: of a criterion without a verdict what its tests noted, one row a name under a row of
    models; empty with a verdict.
    """

    id: str
    name: str
    label: str
    when: str
    bases: tuple[str, ...]
    tally: tuple[tuple[str, tuple[tuple[Look, int], ...]], ...]
    rows: tuple[Row, ...]
    figure: dict[str, Any] | None
    unit: str
    judged: bool
    noted: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Section:
    """One property with its criteria.

    calm: nothing is broken, red or without a figure, so that the section may stay folded.
    tally: outcomes of all models.
    """

    name: str
    statement: str
    formula: str
    suite: str
    criteria: tuple[Criterion, ...]
    calm: bool
    tally: tuple[tuple[Look, int], ...]


def ids(run: Run) -> dict[str, str]:
    """Criterion name -> id of its section, criteria of a property side by side."""
    names: dict[str, dict[str, None]] = {}
    for test in run.tests:
        names.setdefault(test.property, {}).setdefault(criterion_name(test))
    flat = [name for criteria in names.values() for name in criteria]
    return {name: f"p{index}-{paths.slug(name)}" for index, name in enumerate(flat)}


def sections(run: Run) -> list[Section]:
    """The properties of a run in the order of its tests."""
    by_name: dict[str, list[tuple[int, TestResult]]] = {name: [] for name in ids(run)}
    for index, test in enumerate(run.tests):
        by_name[criterion_name(test)].append((index, test))
    found: dict[str, list[Criterion]] = {}
    members: dict[str, list[TestResult]] = {}
    for (name, identifier), cases in zip(ids(run).items(), by_name.values(), strict=True):
        prop = cases[0][1].property
        members.setdefault(prop, []).extend(test for _, test in cases)
        found.setdefault(prop, []).append(_criterion(run, name, identifier, cases))
    return [_section(name, criteria, members[name]) for name, criteria in found.items()]


def _section(name: str, criteria: Sequence[Criterion], tests: Sequence[TestResult]) -> Section:
    # A test that never reported knows its name only.
    first = next((test for test in tests if test.statement), tests[0])
    return Section(
        name=name,
        statement=first.statement,
        formula=first.formula,
        suite=first.suite,
        criteria=tuple(criteria),
        calm=all(test.outcome in CALM for test in tests),
        tally=_tally(tests),
    )


def _criterion(
    run: Run, name: str, identifier: str, cases: Sequence[tuple[int, TestResult]]
) -> Criterion:
    tests = [test for _, test in cases]
    models = [model.name for model in run.models]
    bases = Counter(t.verdict.basis for t in tests if t.verdict and t.verdict.basis)
    labels = [window_label(run, t.protocol, t.simulation, t.window) for t in tests]
    judged = any(test.verdict for test in tests)
    return Criterion(
        id=identifier,
        name=name,
        label=tests[0].criterion,
        when=_when(tests),
        bases=tuple(basis for basis, _ in bases.most_common()),
        tally=tuple((m, _tally([t for t in tests if t.model == m])) for m in models),
        rows=tuple(
            _row(run, index, test) for index, test in sorted(cases, key=lambda c: seriousness(c[1]))
        ),
        figure=curves.figure(tests, labels, models),
        unit=next((test.verdict.unit for test in tests if test.verdict and test.verdict.unit), ""),
        judged=judged,
        noted=() if judged else _noted(list(zip(tests, labels, strict=True))),
    )


def _noted(cases: Sequence[tuple[TestResult, str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    cases = [(test, label) for test, label in cases if test.values]
    names = dict.fromkeys(name for test, _ in cases for name in test.values)
    if not names:
        return ()
    heads = tuple(t.model if t.simulation is None else f"{t.model} on {label}" for t, label in cases)
    rows = [
        (name, tuple(_plain(t.values[name]) if name in t.values else "" for t, _ in cases))
        for name in names
    ]
    return (("", heads), *rows)


def _when(tests: Sequence[TestResult]) -> str:
    """When a criterion is judged; empty where it is once for a rollout."""
    steps = next((t.verdict.steps for t in tests if t.verdict and t.verdict.steps), ())
    return when(steps) if steps else ""


def when(steps: Sequence[int]) -> str:
    """` at every step`, or ` at steps 1, 10, 50` where a figure is measured at a few of them."""
    return f" at steps {', '.join(map(str, steps))}" if sparse(steps) else " at every step"


def sparse(steps: Sequence[int]) -> bool:
    """Whether steps between the first and the last are missing."""
    return steps[-1] - steps[0] + 1 > len(steps)


def _tally(tests: Sequence[TestResult]) -> tuple[tuple[Look, int], ...]:
    found = count_outcomes(tests)
    return tuple((look, found[look.outcome]) for look in LOOKS if found[look.outcome])


def _row(run: Run, index: int, test: TestResult) -> Row:
    verdict, entry = test.verdict, test.baseline
    figure = verdict.figure if verdict else None
    limit = verdict.limit if verdict else None
    margin = verdict.margin if verdict else None
    step = verdict.step if verdict else None
    baseline = entry.figure if entry else None
    precise = 3 if figure is None else digits(figure, limit)
    recorded = "" if entry is None else number(baseline) if baseline is not None else entry.verdict
    return Row(
        index=index,
        look=LOOK[test.outcome],
        shade=shade(verdict),
        red=is_red(test, run),
        model=test.model,
        window=window_label(run, test.protocol, test.simulation, test.window),
        figure=_figure(verdict, precise),
        limit=number(limit, precise),
        margin=number(margin, precise if precise > 3 else 2),
        step="" if step is None else str(step),
        where=(verdict.where or "") if verdict else "",
        baseline=recorded,
        sort=tuple(_rounded(value) for value in (figure, limit, margin, step, baseline)),
        message=test.message,
        unjudged=verdict is None,
        values=tuple((name, _plain(value)) for name, value in test.values.items()),
        command=rerun(test.nodeid, run.provenance.command, run.provenance.against),
    )


def _figure(verdict: Verdict | None, precise: int) -> str:
    """A figure; of one that is not finite, whether the rollout had ended."""
    if verdict is None or math.isfinite(verdict.figure):
        return number(verdict.figure if verdict else None, precise)
    return "not finite" if verdict.diverged_at is None else "diverged"


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.7g}")


def _plain(value: float | str | None) -> str:
    return value if isinstance(value, str) else number(value)
