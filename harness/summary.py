"""A run in a few lines: one row per model and property."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.judging import digits
from harness.results import Outcome, Run, TestResult

#: gravest first: the row of a property shows its gravest outcome
ORDER: tuple[Outcome, ...] = (
    "error",
    "missing",
    "regression",
    "violated",
    "repaired",
    "unrecorded",
    "expected",
    "recorded",
    "passed",
    "not-applicable",
)

STYLES: dict[Outcome, str] = {
    "error": "bold red",
    "missing": "bold red",
    "regression": "bold red",
    "violated": "bold red",
    "repaired": "bold green",
    "unrecorded": "magenta",
    "expected": "yellow",
    "recorded": "cyan",
    "passed": "green",
    "not-applicable": "dim",
}


@dataclass(frozen=True)
class Row:
    """One line of the physics table."""

    property: str
    outcome: Outcome
    verdict: str
    figure: str
    limit: str
    where: str
    baseline: str


def name(result: TestResult) -> str:
    """div_b_ratio[spectral]"""
    return f"{result.property}[{result.criterion}]" if result.criterion else result.property


def rows(run: Run, model: str) -> list[Row]:
    """Per property of one model: the gravest outcome, and the figure with the worst margin."""
    grouped: dict[str, list[TestResult]] = defaultdict(list)
    for result in run.tests:
        if result.model == model:
            grouped[name(result)].append(result)
    return [_row(prop, results) for prop, results in grouped.items()]


def _margin(result: TestResult) -> tuple[float, float]:
    """The figure tells apart what lies above a limit of zero, where every margin is infinite."""
    assert result.verdict is not None and result.verdict.margin is not None
    return result.verdict.margin, result.verdict.figure


def _row(prop: str, results: Sequence[TestResult]) -> Row:
    counts = Counter(result.outcome for result in results)
    gravest = next(outcome for outcome in ORDER if counts[outcome])
    verdict = ", ".join(f"{counts[o]} {o}" for o in ORDER if counts[o])
    worst = max(
        (r for r in results if r.verdict is not None and r.verdict.margin is not None),
        key=_margin,
        default=None,
    )
    if worst is None or worst.verdict is None:
        return _noted(prop, gravest, verdict, results)
    found, entry = worst.verdict, worst.baseline
    place = f"{worst.simulation}-w{worst.window}" if worst.simulation else "all"
    if found.step is not None:
        place += f" step {found.step}"
    if found.where:
        place += f" {found.where}"
    # A ratio may be undefined while the rollout goes on.
    lost = "inf" if found.diverged_at is None else "diverged"
    recorded = "" if entry is None or entry.figure is None else number(entry.figure)
    precise = digits(found.figure, found.limit)
    limit = "" if found.limit is None else number(found.limit, precise)
    return Row(prop, gravest, verdict, number(found.figure, precise, lost), limit, place, recorded)


def _noted(prop: str, gravest: Outcome, verdict: str, results: Sequence[TestResult]) -> Row:
    """A criterion without a verdict: what its tests noted of the population, the first that did."""
    figure, place = next(filter(None, (_population(r.values) for r in results)), ("", ""))
    return Row(prop, gravest, verdict, figure, "", place, "")


def _population(values: Mapping[str, float | str | None]) -> tuple[str, str] | None:
    """A median and its range, or how many windows or simulations; None where none was noted."""
    numbers = {name: value for name, value in values.items() if isinstance(value, float)}
    match numbers:
        case {"median": median}:
            low, high, n = (
                number(numbers[key]) if key in numbers else "?" for key in ("lowest", "highest", "n")
            )
            return number(median), f"median, {low} to {high}, n = {n}"
        case {"surviving": share, "windows": windows, "horizon": steps}:
            return "", f"{share * windows:.0f} of {windows:.0f} windows last {steps:.0f} steps"
        case {"differ": differ, "n": n}:
            return "", f"{differ:.0f} of {n:.0f} simulations differ"
    return None


def number(value: float, digits: int = 3, lost: str = "inf") -> str:
    """Three digits, or `lost` for what is not finite."""
    return f"{value:.{digits}g}" if math.isfinite(value) else lost
