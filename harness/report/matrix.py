"""The verdict matrix: criteria down, windows across, grouped by model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.report.outcomes import LOOK, broken, is_red, seriousness
from harness.report.text import criterion_name, natural, number, window_label
from harness.results import Run, TestResult, Verdict

#: Upper ends of the shades: kept k1 (at the limit) to k5 (far below), broken b1 to b5.
KEPT = ((0.01, "k5"), (0.1, "k4"), (0.3, "k3"), (0.7, "k2"), (1.0, "k1"))
BROKEN = ((1.5, "b1"), (3.0, "b2"), (10.0, "b3"), (100.0, "b4"), (math.inf, "b5"))

#: Key of a column: protocol, simulation, window.
Place = tuple[str, str | None, int | None]


@dataclass(frozen=True)
class Cell:
    """One test: its colour by margin, its symbol by outcome, and what it says."""

    index: int
    outcome: str
    shade: str
    red: bool
    summary: str
    message: str


@dataclass(frozen=True)
class Column:
    """One window of one model (or the population); `lead` starts a new simulation."""

    model: int
    protocol: str
    simulation: str | None
    window: int | None
    label: str
    lead: bool


@dataclass(frozen=True)
class Row:
    """One criterion of one property; `section` is the id of its place on the page."""

    name: str
    section: str
    statement: str
    lead: bool
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Matrix:
    """Columns in the order of models, windows of a model side by side.

    groups: (model name, number of columns); simulations: (model, name, number of columns).
    """

    groups: tuple[tuple[str, int], ...]
    simulations: tuple[tuple[int, str, int], ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def shade(verdict: Verdict | None) -> str:
    """Class of a cell's colour: log10 of figure over limit in ten steps, b6 where not finite."""
    if verdict is None or verdict.margin is None:
        return "none"
    if not math.isfinite(verdict.margin):
        return "b6"
    steps = KEPT if verdict.margin <= 1 else BROKEN
    return next(name for end, name in steps if verdict.margin <= end)


def matrix(run: Run, sections: Mapping[str, str]) -> Matrix:
    """The matrix of a run; `sections` maps a criterion's name to the id of its section."""
    models = [model.name for model in run.models]
    columns = _columns(run, models)
    found: dict[tuple[str, str, Place], tuple[int, TestResult]] = {}
    for index, test in enumerate(run.tests):
        key = (criterion_name(test), test.model, _place(test))
        # Several tests share a cell only where they differ in draw: the most serious one shows.
        if key not in found or seriousness(test) < seriousness(found[key][1]):
            found[key] = (index, test)
    rows = []
    previous = ""
    statements = {criterion_name(t): t for t in reversed(run.tests)}
    # A test that never reported knows its name only.
    statements |= {criterion_name(t): t for t in reversed(run.tests) if t.statement}
    for name in sections:
        cells = []
        for column in columns:
            place = (column.protocol, column.simulation, column.window)
            at = found.get((name, models[column.model], place))
            cells.append(None if at is None else _cell(run, *at))
        test = statements[name]
        rows.append(Row(name, sections[name], test.statement, test.property != previous, tuple(cells)))
        previous = test.property
    return Matrix(
        groups=tuple((m, sum(c.model == i for c in columns)) for i, m in enumerate(models)),
        simulations=_simulations(columns),
        columns=tuple(columns),
        rows=tuple(rows),
    )


def _cell(run: Run, index: int, test: TestResult) -> Cell:
    label = window_label(run, test.protocol, test.simulation, test.window)
    margin = test.verdict.margin if test.verdict else None
    facts = [criterion_name(test), f"{test.model} on {label}", LOOK[test.outcome].label]
    if margin is not None:
        side = "broken" if broken(test) else "kept"
        facts.append(f"{side}, {number(margin, 2)} x limit")
    return Cell(
        index=index,
        outcome=test.outcome,
        shade=shade(test.verdict),
        red=is_red(test, run),
        summary=": ".join((facts[0], ", ".join(facts[1:]))),
        message=test.message,
    )


def _place(test: TestResult) -> Place:
    return (test.protocol, test.simulation, test.window)


def _columns(run: Run, models: Sequence[str]) -> list[Column]:
    columns: list[Column] = []
    for index, model in enumerate(models):
        places = {_place(test) for test in run.tests if test.model == model}
        before: tuple[str, str | None] | None = None
        for place in sorted(places, key=lambda p: _order(run, p)):
            protocol, simulation, window = place
            label = "all" if simulation is None else "" if window is None else f"w{window}"
            lead = (protocol, simulation) != before
            columns.append(Column(index, protocol, simulation, window, label, lead))
            before = (protocol, simulation)
    return columns


def _order(run: Run, place: Place) -> tuple[int, bool, list[tuple[int, float, str]], int]:
    """Protocols as asked for; simulations by name with numbers by value; the population last."""
    protocol, simulation, window = place
    rank = run.protocols.index(protocol) if protocol in run.protocols else len(run.protocols)
    return rank, simulation is None, natural(simulation or ""), window or 0


def _simulations(columns: Sequence[Column]) -> tuple[tuple[int, str, int], ...]:
    """Header cells above the windows: one per run of columns of one simulation."""
    heads: list[tuple[int, str, int]] = []
    several = len({column.protocol for column in columns}) > 1
    for column in columns:
        if column.lead:
            name = column.simulation or ""
            heads.append((column.model, f"{column.protocol}/{name}" if several else name, 1))
        else:
            model, name, n = heads[-1]
            heads[-1] = (model, name, n + 1)
    return tuple(heads)
