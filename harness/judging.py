"""From a curve and its limit to a verdict, and from a verdict and a baseline to an outcome.

A criterion is one inequality, figure <= limit, judged at every step.  Non-finite figures violate
it: they are never averaged away and never skipped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from harness.results import Expectation, Fact, Outcome, Verdict

#: A figure is worse than recorded when it exceeds the record by 5 % of it, or by 1 % of the limit
#: where the record is small: the spread of one record over machines is far below both.
RELATIVE_TOLERANCE = 0.05
LIMIT_TOLERANCE = 0.01
#: A criterion that is kept may come nearer to its limit by a tenth of it: within the limits a rollout
#: is turbulent, and a weight changed in its third digit moves such figures by several per cent.
KEPT_TOLERANCE = 0.1


class Violation(AssertionError):
    """The physics is broken: the one exception that an expected failure may raise."""


class Regression(AssertionError):
    """Broken worse, or kept less well, than the baseline records.  Not a Violation on purpose."""


def judge(
    figure: xr.DataArray | float,
    at_most: xr.DataArray | float,
    unit: str = "",
    basis: str = "",
    diverged_at: int | None = None,
    held: bool = False,
) -> Verdict:
    """The verdict on `|figure| <= at_most`, at every step and place.

    Args:
        figure: the judged statistic; with a dimension `step` it is judged from step 1 on, and any
            other dimension (channel, field) is a place.  A departure may have either sign.
        at_most: its limit, of a shape that broadcasts against it.
        unit: symbol of the statistic, printed before the figure.
        basis: where the limit comes from, printed with the verdict.
        diverged_at: first non-finite step of the prediction: from there on the figure is infinite.
        held: whether a kept figure is held to its own record as closely as a broken one.

    Returns:
        The verdict: figure, limit and margin where the margin |figure| / limit is largest.  A
        margin above 1 violates the criterion; a limit of zero is kept by a figure of zero only, and
        of several figures above it the largest is the worst.
    """
    value, limit = xr.broadcast(
        xr.DataArray(np.abs(figure)).astype(float), xr.DataArray(at_most).astype(float)
    )
    if "step" in value.dims:
        value, limit = value.transpose("step", ...), limit.transpose("step", ...)
        after = value["step"].values >= 1
        value, limit = value.isel(step=after), limit.isel(step=after)
        steps = tuple(int(s) for s in value["step"].values)
    else:
        value, limit = value.expand_dims("step"), limit.expand_dims("step")
        steps = ()
    places = value.dims[1:]
    values = value.values.reshape(value.shape[0], -1)
    limits = limit.values.reshape(values.shape)
    values = np.where(np.isfinite(values), values, np.inf)
    if diverged_at is not None and steps:
        gone = np.asarray(steps) >= diverged_at
        values[gone] = np.inf
        # The rollout ended there, and with it whatever the limit was taken from.
        limits = np.where(gone[:, None], _standing(limits, gone), limits)
    if not np.isfinite(limits).all():
        raise ValueError(f"the limit of {unit or 'a criterion'} is not finite: {basis}")
    margins = _margins(values, limits)
    per_step = _worst(margins, values)
    rows = np.arange(len(values))
    # The first of equals, so a divergence is reported at its first step.
    row = int(_worst(margins[rows, per_step], values[rows, per_step]))
    column = int(per_step[row])
    return Verdict(
        figure=float(values[row, column]),
        limit=float(limits[row, column]),
        margin=float(margins[row, column]),
        unit=unit,
        step=steps[row] if steps else None,
        where=_place(value, places, column),
        diverged_at=diverged_at,
        steps=steps,
        curve=tuple(map(float, values[rows, per_step])) if steps else (),
        limit_curve=tuple(map(float, limits[rows, per_step])) if steps else (),
        basis=basis,
        held=held,
    )


def _standing(limits: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """The limits of the last step before the end; of the first step where the end comes with it.

    The truth is measured at the step that ends the rollout too.  What is taken from the prediction
    itself is zero there.
    """
    if not gone.all():
        return limits[~gone][-1]
    return np.where(np.isfinite(limits[0]), limits[0], 0.0)


def _margins(values: np.ndarray, limits: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        margins = values / limits
    return np.where(limits == 0, np.where(values == 0, 0.0, np.inf), margins)


def _worst(margins: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Index, along the last axis, of the largest margin, among equal ones of the largest value."""
    return np.where(margins == margins.max(axis=-1, keepdims=True), values, -np.inf).argmax(axis=-1)


def _place(value: xr.DataArray, places: tuple[Any, ...], column: int) -> str | None:
    if not places:
        return None
    index = np.unravel_index(column, [value.sizes[p] for p in places])
    return ", ".join(
        str(value[p].values[i]) if p in value.coords else f"{p} {i}"
        for p, i in zip(places, index, strict=True)
    )


def kept(verdict: Verdict) -> bool:
    """Whether the criterion holds."""
    return verdict.margin is not None and verdict.margin <= 1


def tolerance(verdict: Verdict) -> float | None:
    """How much worse than this a later figure may be before it is a regression."""
    if not math.isfinite(verdict.figure):
        return None
    share = KEPT_TOLERANCE if kept(verdict) and not verdict.held else LIMIT_TOLERANCE
    return max(RELATIVE_TOLERANCE * verdict.figure, share * (verdict.limit or 0.0))


def ended(verdict: Verdict) -> int | None:
    """First step at which a figure that is not finite ceased to be: the rollout's end, or its own.

    A ratio, or the root of a negative mean density, may be undefined while the rollout goes on.
    """
    return min((s for s in (verdict.diverged_at, verdict.step) if s is not None), default=None)


def step_of(verdict: Verdict) -> int | None:
    """The step that goes with the figure: where it is worst, or where it ceased to be finite."""
    return verdict.step if math.isfinite(verdict.figure) else ended(verdict)


def expectation(verdict: Verdict, source: str) -> Expectation:
    """The baseline entry that records this verdict."""
    return Expectation(
        verdict="passed" if kept(verdict) else "violated",
        figure=verdict.figure,
        limit=verdict.limit,
        tolerance=tolerance(verdict),
        step=step_of(verdict),
        source=source,
    )


def worse(verdict: Verdict, entry: Expectation) -> bool:
    """Whether today's figure is beyond the recorded one by more than the recorded tolerance.

    Figures are compared in units of their limits, because the worst place may have moved to a
    channel with another limit.  Between two divergences the earlier one, by more than a tenth, is
    worse.
    """
    if entry.figure is None:
        return False
    if not math.isfinite(entry.figure):
        end = None if math.isfinite(verdict.figure) else ended(verdict)
        return end is not None and entry.step is not None and end < math.floor(0.9 * entry.step)
    if not math.isfinite(verdict.figure):
        return True
    bound = entry.figure + (entry.tolerance or 0.0)
    if entry.limit and verdict.margin is not None and math.isfinite(verdict.margin):
        return verdict.margin > bound / entry.limit
    return verdict.figure > bound


def outcome(verdict: Verdict, entry: Expectation | None) -> Outcome:
    """The outcome table: today's verdict against the recorded one."""
    if entry is None:
        return "passed" if kept(verdict) else "violated"
    if entry.verdict == "unrecorded":
        return "passed" if kept(verdict) else "unrecorded"
    if kept(verdict) and entry.verdict == "violated":
        return "repaired"
    if not kept(verdict) and entry.verdict == "passed":
        return "violated"
    if worse(verdict, entry):
        return "regression"
    return "passed" if kept(verdict) else "expected"


def contradictions(
    entry: Expectation | None, values: Mapping[str, float | str | None], gating: bool
) -> list[str]:
    """What was published of a test's noted values, and is not so today; one phrase each.

    gating: another model is judged against the published one, so only what is worse counts.
    A noted None, an event that never happened, is infinitely late.
    """
    found = []
    for name, fact in (entry.facts if entry is not None else {}).items():
        today = values.get(name, "not measured")
        today = math.inf if today is None else today
        if not _unlike(today, fact, gating):
            continue
        spread = f" +- {fact.tolerance:.2g}" if fact.tolerance else ""
        found.append(f"{name} = {_shown(today)}, published {_shown(fact.value)}{spread}")
    return found


def _unlike(today: float | str, fact: Fact, gating: bool) -> bool:
    if isinstance(fact.value, str) or isinstance(today, str):
        return today != fact.value and fact.tolerance is not None and not (gating and not fact.worse)
    if fact.tolerance is None or today == fact.value:
        return False
    # A NaN is within no tolerance.
    near = abs(today - fact.value) <= fact.tolerance
    better = {"higher": today < fact.value, "lower": today > fact.value}
    return not near and not (gating and fact.worse is not None and better[fact.worse])


def _shown(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.3g}" if math.isfinite(value) else "never"


def digits(figure: float, limit: float | None) -> int:
    """Significant digits, three or more, in which a figure and its limit do not look equal."""
    if limit is None or figure == limit:
        return 3
    return next((n for n in range(3, 17) if f"{figure:.{n}g}" != f"{limit:.{n}g}"), 17)


def describe(name: str, verdict: Verdict, entry: Expectation | None = None) -> str:
    """One line, figure first: `div_b_ratio[spectral] D = 0.82 > 0.03 at step 50 (baseline 0.81)`."""
    if not math.isfinite(verdict.figure):
        end = ended(verdict)
        text = f"{name} {verdict.unit} "
        text += "is not finite" if verdict.diverged_at is None else "diverged"
        if end is not None:
            text += f" at step {end}"
        text += f" (limit {verdict.limit:.3g})"
    else:
        sign, n = "<=" if kept(verdict) else ">", digits(verdict.figure, verdict.limit)
        text = f"{name} {verdict.unit} = {verdict.figure:.{n}g} {sign} {verdict.limit:.{n}g}"
        if verdict.step is not None:
            text += f" at step {verdict.step}"
        if verdict.where:
            text += f" in {verdict.where}"
    if entry is not None and entry.figure is not None:
        text += f" (baseline {_recorded(entry, verdict)})"
    return text


def _recorded(entry: Expectation, verdict: Verdict) -> str:
    """The recorded figure; with its limit where that was another one, since margins are compared."""
    assert entry.figure is not None
    if not math.isfinite(entry.figure):
        return f"not finite at step {entry.step}" if entry.step is not None else "not finite"
    text = f"{entry.figure:.3g}"
    if entry.limit and verdict.limit and f"{entry.limit:.2g}" != f"{verdict.limit:.2g}":
        text += f" against {entry.limit:.3g}"
    return text


def describe_entry(entry: Expectation) -> str:
    """A baseline entry in a few words: `0.81 > 0.03 at step 50`."""
    if entry.verdict == "unrecorded" and not entry.facts:
        return f"not recorded ({entry.source})"
    if entry.figure is None:
        facts = ", ".join(f"{name} {_shown(fact.value)}" for name, fact in entry.facts.items())
        return f"{entry.verdict}{' with ' if facts else ''}{facts} ({entry.source})"
    if not math.isfinite(entry.figure):
        return f"not finite from step {entry.step} on"
    text = f"{entry.figure:.3g} {'>' if entry.verdict == 'violated' else '<='} {entry.limit:.3g}"
    return text if entry.step is None else f"{text} at step {entry.step}"
