"""A comparison in words and numbers, for the terminal, Markdown and the page alike."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.comparison.changes import CHANGES, Change
from harness.comparison.compare import (
    Case,
    Comparison,
    Comparisons,
    Criterion,
    Party,
    most_noted,
)
from harness.judging import LIMIT_TOLERANCE, digits
from harness.report.compare_inference import decision, detectable, spread
from harness.report.text import counted, listing, number

#: What a case that changed in each way is.
MEANING: Mapping[Change, str] = {
    "broken": "kept before, violated or without a figure now",
    "worse": "the same verdict, a larger figure",
    "same": "the same verdict, the same figure within the tolerance",
    "better": "the same verdict, a smaller figure",
    "repaired": "violated before, kept now",
}


@dataclass(frozen=True)
class Row:
    """One criterion of a comparison, as text.

    before, after: median figure over windows.  difference, detectable: in limits of the criterion.
    """

    name: str
    counts: Mapping[Change, int]
    before: str
    after: str
    difference: str
    detectable: str
    decision: str


def tally(counts: Mapping[Change, int]) -> str:
    """`36 broken, 92 worse`; what did not occur is left out."""
    return ", ".join(f"{counts[name]} {name}" for name in CHANGES if counts[name]) or "none compared"


def windows(comparison: Comparison) -> list[tuple[str, str | None, int | None]]:
    """The common windows, (protocol, simulation, window), in order; None, None for populations."""
    return list(
        dict.fromkeys(
            (criterion.protocol, case.simulation, case.window)
            for criterion in comparison.criteria
            for case in criterion.cases
        )
    )


def title(found: Comparisons) -> str:
    """`b and c against a`; several references, each with its own: `b against a; d against c`."""
    others: dict[str, list[str]] = {}
    for one in found.comparisons:
        others.setdefault(one.reference.label, []).append(one.other.label)
    return "; ".join(f"{listing(labels)} against {label}" for label, labels in others.items())


def parties(found: Comparisons) -> list[Party]:
    """Every side once, each reference before what is compared with it."""
    sides = [party for one in found.comparisons for party in (one.reference, one.other)]
    return list({party.label: party for party in sides}.values())


def heads(comparison: Comparison) -> tuple[str, str]:
    """What to call the two sides in a narrow column, below a title that holds their labels."""
    names = comparison.reference.model, comparison.other.model
    return names if names[0] != names[1] else ("reference", "this model")


def headline(comparison: Comparison) -> str:
    """`: 36 broken, ... of 144 cases, in 12 windows of 6 simulations of protocol simulated`."""
    places = [place for place in windows(comparison) if place[1] is not None]
    cases = sum(len(criterion.cases) for criterion in comparison.criteria)
    simulations = {place[:2] for place in places}
    protocols = ", ".join(dict.fromkeys(place[0] for place in windows(comparison)))
    return (
        f"{tally(comparison.counts())} of {counted(cases, 'common case')}, in "
        f"{counted(len(places), 'window')} of {counted(len(simulations), 'simulation')} "
        f"of protocol {protocols}"
    )


def rows(comparison: Comparison) -> list[Row]:
    """One row per criterion."""
    several = len({criterion.protocol for criterion in comparison.criteria}) > 1
    found = []
    for one in comparison.criteria:
        name, before, after = _medians(one)
        found.append(
            Row(
                name=f"{one.protocol}/{name}" if several else name,
                counts=one.counts(),
                before=before,
                after=after,
                difference=spread(one.inference),
                detectable=detectable(one.inference),
                decision=decision(one.inference),
            )
        )
    return found


def _medians(one: Criterion) -> tuple[str, str, str]:
    """Name of the figure and its medians; of a published value where a side has no figure."""
    pairs = [(c.before.figure, c.after.figure) for c in one.cases if c.before and c.after]
    if pairs:
        return one.title(), _median([a for a, _ in pairs]), _median([b for _, b in pairs])
    name, noted = most_noted(one.cases)
    if not noted:
        return one.title(), number(None), number(None)
    title = f"{one.title()} {name}"
    return title, _median([a for _, a, _ in noted]), _median([b for *_, b in noted])


def _median(figures: Sequence[float]) -> str:
    return number(statistics.median(figures)) if figures else number(None)


def gate(found: Comparisons) -> str:
    """What fails the comparison, in a sentence."""
    share = f"{100 * found.comparisons[0].worse_than:g}\N{NO-BREAK SPACE}%"
    if not found.fail_on:
        return "No change fails the comparison."
    text = f"A case that is {' or '.join(found.fail_on)} fails the comparison"
    return (
        f"{text}; worse is a figure beyond the reference's by {share} of it, and by "
        f"{100 * LIMIT_TOLERANCE:g}\N{NO-BREAK SPACE}% of its limit."
    )


def survival_line(comparison: Comparison) -> list[str]:
    """How many rollouts stay bounded on each side, and what the log-rank test says."""
    lines = []
    for one in comparison.survival:
        sides = []
        for label, ends in zip(
            (comparison.reference.label, comparison.other.label),
            zip(*one.ends.values(), strict=True),
            strict=True,
        ):
            lasting = sum(end is None for end in ends)
            gone = sorted(end for end in ends if end is not None)
            when = f", the first leaves at step {gone[0]}" if gone else ""
            sides.append(f"{label} {lasting} of {len(ends)}{when}")
        test = "" if one.p is None else f"; log-rank over simulations p = {number(one.p, 2)}"
        lines.append(f"Bounded over all {one.horizon} steps: {'; '.join(sides)}{test}.")
    return lines


def footer(comparison: Comparison) -> list[str]:
    """What was left out, and why."""
    lines = list(comparison.notes)
    if comparison.only_reference or comparison.only_other:
        lines.append(
            f"{comparison.only_reference} cases are in {comparison.reference.label} only, "
            f"{comparison.only_other} in {comparison.other.label} only: not compared."
        )
    silent = [c for one in comparison.criteria for c in one.cases if c.change is None]
    if silent:
        reasons = ", ".join(dict.fromkeys(case.reason for case in silent))
        lines.append(f"{counted(len(silent), 'case')} without a comparison: {reasons}.")
    return lines


@dataclass(frozen=True)
class Group:
    """The cases of one criterion that changed in one way, and the gravest of them."""

    change: Change
    criterion: Criterion
    case: Case
    n: int

    def __str__(self) -> str:
        """`bounded_rollout s4-w0: 0.31 -> 12.8 ..., the worst of 11`."""
        line = case_line(self.criterion, self.case)
        return line if self.n == 1 else f"{line}, the worst of {self.n}"


def gravest(comparison: Comparison, changes: Sequence[Change]) -> list[Group]:
    """One entry per criterion and change among `changes`, the gravest change first."""
    groups = []
    for change in changes:
        for criterion in comparison.criteria:
            cases = [case for case in criterion.cases if case.change == change]
            if cases:
                groups.append(Group(change, criterion, max(cases, key=_factor), len(cases)))
    return sorted(groups, key=lambda g: (CHANGES.index(g.change), -_factor(g.case)[0]))


def _factor(case: Case) -> tuple[float, float]:
    """Sort key: how many times the first margin the second is, then the figure itself.

    Of published values, which have no margin: how far apart they are.
    """
    if not case.before or not case.after or case.after.margin is None:
        pairs = case.noted.values()
        apart = (abs(b - a) for a, b in pairs if isinstance(a, float) and isinstance(b, float))
        return math.inf, max(apart, default=0.0)
    return case.after.margin / max(case.before.margin or 0.0, 1e-3), case.after.figure


def case_line(criterion: Criterion, case: Case) -> str:
    """`bounded_rollout s4-w0: 0.31 -> 12.8 (limit 0.768) at step 50 in rho`."""
    place = f"{case.simulation}-w{case.window}" if case.simulation is not None else "all"
    text = f"{criterion.title()} {place}: "
    if case.before and case.after:
        precise = digits(case.after.figure, case.after.limit)
        text += (
            f"{_shown(case.before.figure)} \N{RIGHTWARDS ARROW} {_shown(case.after.figure, precise)}"
        )
        text += f" (limit {number(case.after.limit, precise)})"
        text += "" if case.after.step is None else f" at step {case.after.step}"
        text += f" in {case.after.where}" if case.after.where else ""
    else:
        text += case.reason
    values = noted(case)
    return text + (f" ({', '.join(values)})" if values else "")


def noted(case: Case) -> list[str]:
    """`lambda 0.13 -> 0.29`: values beside the figure that a publication holds."""
    return [
        f"{name} {_value(before)} \N{RIGHTWARDS ARROW} {_value(after)}"
        for name, (before, after) in case.noted.items()
    ]


def _shown(figure: float, precise: int = 3) -> str:
    return number(figure, precise) if math.isfinite(figure) else "not finite"


def _value(value: float | str | None) -> str:
    if value is None:
        return "never"
    return value if isinstance(value, str) else number(value)
