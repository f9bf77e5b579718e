"""One section per property: statement, limits, plot and the table of its cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness import paths
from harness.report import curves
from harness.report.matrix import shade
from harness.report.outcomes import LOOK, LOOKS, Look, count_outcomes, is_red, seriousness
from harness.report.text import criterion_name, number, rerun, window_label
from harness.results import Run, TestResult


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

    bases: where the limits come from, the most frequent first.  tally: outcomes by model.
    """

    id: str
    name: str
    label: str
    bases: tuple[str, ...]
    tally: tuple[tuple[str, tuple[tuple[Look, int], ...]], ...]
    rows: tuple[Row, ...]
    figure: dict[str, Any] | None
    judged: bool


@dataclass(frozen=True)
class Section:
    """One property with its criteria."""

    name: str
    statement: str
    suite: str
    criteria: tuple[Criterion, ...]


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
    first: dict[str, TestResult] = {}
    for (name, identifier), cases in zip(ids(run).items(), by_name.values(), strict=True):
        test = cases[0][1]
        first.setdefault(test.property, test)
        found.setdefault(test.property, []).append(_criterion(run, name, identifier, cases))
    return [
        Section(name, first[name].statement, first[name].suite, tuple(criteria))
        for name, criteria in found.items()
    ]


def _criterion(
    run: Run, name: str, identifier: str, cases: Sequence[tuple[int, TestResult]]
) -> Criterion:
    tests = [test for _, test in cases]
    models = [model.name for model in run.models]
    bases = Counter(t.verdict.basis for t in tests if t.verdict and t.verdict.basis)
    labels = [window_label(run, t.protocol, t.simulation, t.window) for t in tests]
    return Criterion(
        id=identifier,
        name=name,
        label=tests[0].criterion,
        bases=tuple(basis for basis, _ in bases.most_common()),
        tally=tuple((m, _tally([t for t in tests if t.model == m])) for m in models),
        rows=tuple(
            _row(run, index, test) for index, test in sorted(cases, key=lambda c: seriousness(c[1]))
        ),
        figure=curves.figure(tests, labels, models),
        judged=any(test.verdict for test in tests),
    )


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
    recorded = "" if entry is None else number(baseline) if baseline is not None else entry.verdict
    return Row(
        index=index,
        look=LOOK[test.outcome],
        shade=shade(verdict),
        red=is_red(test, run),
        model=test.model,
        window=window_label(run, test.protocol, test.simulation, test.window),
        figure=number(figure),
        limit=number(limit),
        margin=number(margin, 2),
        step="" if step is None else str(step),
        where=(verdict.where or "") if verdict else "",
        baseline=recorded,
        sort=(figure, limit, margin, step, baseline),
        message=test.message,
        unjudged=verdict is None,
        values=tuple((name, _plain(value)) for name, value in test.values.items()),
        command=rerun(test.nodeid, run.provenance.command),
    )


def _plain(value: float | str | None) -> str:
    return value if isinstance(value, str) else number(value)
