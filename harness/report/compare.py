"""The page of a comparison: self-contained, made of the sides' verdicts and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from harness.comparison.changes import CHANGES, Change
from harness.comparison.compare import Case, Comparison, Comparisons, Criterion
from harness.comparison.sides import Key, Side
from harness.report import compare_inference
from harness.report import compare_text as text
from harness.report.curves import figure
from harness.report.page import TEMPLATES, embedded, environment
from harness.report.text import number
from harness.results import TestResult

#: Scripts of the page in the order in which it runs them.
SCRIPTS = ("load.js", "roving.js", "tables.js", "plots.js", "lazy.js", "compare.js")

#: Shade of a change's square, as the report's verdicts are shaded.
SHADES: Mapping[Change, str] = {
    "broken": "b4", "worse": "b2", "same": "none", "better": "k2", "repaired": "k4",
}  # fmt: skip


@dataclass(frozen=True)
class Square:
    """One case in the matrix of changes; `anchor` is the id of its criterion's section."""

    change: Change | None
    shade: str
    summary: str


@dataclass(frozen=True)
class Matrix:
    """Changes of one comparison: criteria down, windows across."""

    simulations: tuple[tuple[str, int], ...]
    windows: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[str, str, tuple[Square | None, ...]], ...]


@dataclass(frozen=True)
class CaseRow:
    """One case in the table of its criterion; `sort` holds the numbers to sort by."""

    change: Change | None
    shade: str
    side: str
    window: str
    cells: tuple[str, ...]
    sort: tuple[float | None, ...]
    reason: str


@dataclass(frozen=True)
class Section:
    """One criterion of all comparisons: its plot and its cases."""

    id: str
    name: str
    protocol: str
    statement: str
    unit: str
    figure: dict[str, Any] | None
    rows: tuple[CaseRow, ...]


def render(found: Comparisons, couples: Sequence[tuple[Side, Side]]) -> str:
    """The page as one string of HTML that needs no other file and no network.

    couples: the sides of each comparison, for their curves.
    """
    sides = list(dict.fromkeys(side for couple in couples for side in couple))
    labels = [side.label for side in sides]
    built = sections(found, sides)
    ids = {(section.protocol, section.name): section.id for section in built}
    data = {
        "models": labels,
        "figures": {section.id: section.figure for section in built if section.figure},
        "survival": _survival(found, labels),
    }
    page = environment().get_template("compare.html.j2")
    return page.render(
        found=found,
        text=text,
        inference=compare_inference,
        labels=labels,
        changes=CHANGES,
        shades=SHADES,
        matrices=[matrix(one, ids) for one in found.comparisons],
        tables=[text.rows(one) for one in found.comparisons],
        sections=built,
        survival=bool(data["survival"]),
        compare_scripts=[Markup((TEMPLATES / name).read_text(encoding="utf-8")) for name in SCRIPTS],
        data=embedded(data),
    )


def matrix(one: Comparison, ids: Mapping[tuple[str, str], str]) -> Matrix:
    """Changes by criterion and window."""
    windows = text.windows(one)
    heads: list[tuple[str, int]] = []
    columns: list[tuple[str, bool]] = []
    previous = None
    for protocol, simulation, window in windows:
        lead = (protocol, simulation) != previous
        if lead:
            heads.append((simulation or "all", 0))
        heads[-1] = (heads[-1][0], heads[-1][1] + 1)
        columns.append(("" if window is None else f"w{window}", lead))
        previous = (protocol, simulation)
    rows = []
    for criterion in one.criteria:
        own = {(criterion.protocol, c.simulation, c.window): c for c in criterion.cases}
        squares = tuple(_square(criterion, own.get(place)) for place in windows)
        rows.append((criterion.title(), ids[criterion.protocol, criterion.title()], squares))
    return Matrix(tuple(heads), tuple(columns), tuple(rows))


def _square(criterion: Criterion, case: Case | None) -> Square | None:
    if case is None:
        return None
    said = text.case_line(criterion, case)
    return Square(case.change, _shade(case.change), f"{case.change or 'not compared'}: {said}")


def _shade(change: Change | None) -> str:
    return SHADES[change] if change else "none"


def sections(found: Comparisons, sides: Sequence[Side]) -> list[Section]:
    """One section per protocol and criterion, over all comparisons."""
    names: dict[tuple[str, str, str], list[tuple[Comparison, Criterion]]] = {}
    for one in found.comparisons:
        for criterion in one.criteria:
            key = (criterion.protocol, criterion.property, criterion.criterion)
            names.setdefault(key, []).append((one, criterion))
    return [
        Section(
            id=f"c{index}",
            name=entries[0][1].title(),
            protocol=key[0],
            statement=next((c.statement for _, c in entries if c.statement), ""),
            unit=next((c.unit for _, c in entries if c.unit), ""),
            figure=_figure(key, sides),
            rows=tuple(_rows(entries)),
        )
        for index, (key, entries) in enumerate(names.items())
    ]


def _figure(group: tuple[str, str, str], sides: Sequence[Side]) -> dict[str, Any] | None:
    """All sides' curves of one criterion in one plot, on the windows that every side has."""
    common = set.intersection(*({k for k in side.tests if k[:3] == group} for side in sides))
    tests: list[TestResult] = []
    labels = []
    for side in sides:
        for key in (key for key in side.tests if key in common):
            tests.append(side.tests[key].model_copy(update={"model": side.label, "baseline": None}))
            labels.append(_window(key))
    found = figure(tests, labels, [side.label for side in sides])
    if found and not found["unit"]:  # baselines hold figures without their units
        found["unit"] = "figure"
    return found


def _window(key: Key | Case) -> str:
    return "all" if key.simulation is None else f"{key.simulation}-w{key.window}"


def _rows(entries: Sequence[tuple[Comparison, Criterion]]) -> list[CaseRow]:
    rows = []
    for one, criterion in entries:
        for case in criterion.cases:
            before, after = case.before, case.after
            values = (
                before.figure if before else None,
                after.figure if after else None,
                case.difference,
                after.limit if after else before.limit if before else None,
                after.margin if after else None,
                float(after.step) if after and after.step is not None else None,
            )
            rows.append(
                CaseRow(
                    change=case.change,
                    shade=_shade(case.change),
                    side=one.other.label,
                    window=_window(case),
                    cells=(*map(number, values[:5]), "" if values[5] is None else f"{values[5]:.0f}"),
                    sort=values,
                    reason=", ".join(part for part in (case.reason, *text.noted(case)) if part),
                )
            )
    order = [*CHANGES, None]
    return sorted(rows, key=lambda row: order.index(row.change))


def _survival(found: Comparisons, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Per side: the share of windows that are still bounded after each step."""
    curves: dict[int, dict[str, Any]] = {}
    for one in found.comparisons:
        for survived in one.survival[:1]:
            for label, ends in zip(
                (one.reference.label, one.other.label),
                zip(*survived.ends.values(), strict=True),
                strict=True,
            ):
                steps = list(range(survived.horizon + 1))
                share = [sum(end is None or end > step for end in ends) / len(ends) for step in steps]
                index = labels.index(label)
                curves[index] = {"model": index, "x": steps, "y": share, "n": len(ends)}
    return list(curves.values())
