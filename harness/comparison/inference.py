"""Whether a difference on common trajectories generalises to others: inference, kept apart.

One difference per simulation, its windows averaged; the harness's rule for small n then holds as
everywhere (`harness.statistics`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from harness.results import Verdict
from harness.statistics.detectability import (
    ALPHA,
    can_decide,
    holm,
    minimum_detectable_effect,
    sign_test,
    smallest_p,
)
from harness.statistics.intervals import LEAST, interval

#: What differences are measured in: limits of the criterion, or the figure's own unit where a
#: limit is zero.
Unit = Literal["limits", "figure"]


class Inference(BaseModel):
    """What n differences say of simulations that were not run.

    differences: simulation -> figure after minus before, in `unit`, its windows averaged.
    low, high, method, coverage: range below 8 simulations, else bootstrap of the median.
    p: two-sided sign test; smallest_p: the least that n simulations can reach.
    decided: whether Holm over the criteria of the comparison rejects "no difference"; None where
    n cannot.  detectable: minimum detectable effect, in `unit`.  reason: why there is no inference.
    """

    model_config = ConfigDict(ser_json_inf_nan="strings", extra="forbid", frozen=True)

    n: int
    unit: Unit
    differences: dict[str, float] = {}
    median: float | None = None
    low: float | None = None
    high: float | None = None
    coverage: float | None = None
    method: str = ""
    p: float | None = None
    smallest_p: float | None = None
    decided: bool | None = None
    detectable: float | None = None
    reason: str = ""


def infer(pairs: Sequence[tuple[str, Verdict, Verdict]]) -> Inference:
    """From (simulation, before, after) of one criterion's windows; `decided` is left open."""
    unit: Unit = "figure" if any(not v.limit for pair in pairs for v in pair[1:]) else "limits"
    return _of([(name, _difference(before, after, unit)) for name, before, after in pairs], unit)


def infer_values(pairs: Sequence[tuple[str, float, float]]) -> Inference:
    """From (simulation, before, after) of a value that stands for a criterion without figures."""
    return _of([(name, after - before) for name, before, after in pairs], "figure")


def _of(pairs: Sequence[tuple[str, float]], unit: Unit) -> Inference:
    """From (simulation, difference) of each window."""
    windows: dict[str, list[float]] = {}
    for simulation, difference in pairs:
        windows.setdefault(simulation, []).append(difference)
    differences = {name: float(np.sum(values)) / len(values) for name, values in windows.items()}
    n = len(differences)
    if not n:
        return Inference(n=0, unit=unit, reason="no simulation has a figure on both sides")
    sizeless = [name for name, value in differences.items() if math.isnan(value)]
    if sizeless:
        reason = f"finite on neither side in {', '.join(sizeless)}: their difference has no size"
        return Inference(n=n, unit=unit, reason=reason)
    values = np.array(list(differences.values()))
    median = float(np.median(values))
    if math.isnan(median):
        reason = "infinite both ways, so that their median has no size"
        return Inference(n=n, unit=unit, reason=reason)
    spread = interval([np.array([value]) for value in values])
    return Inference(
        n=n,
        unit=unit,
        differences=differences,
        median=median,
        low=spread.low,
        high=spread.high,
        coverage=spread.coverage,
        method=spread.method,
        p=sign_test(values.tolist()) if n >= LEAST else None,
        smallest_p=smallest_p(n),
        detectable=minimum_detectable_effect(values.tolist()),
    )


def _difference(before: Verdict, after: Verdict, unit: Unit) -> float:
    if unit == "figure":
        pair = before.figure, after.figure
    else:
        pair = before.margin or 0.0, after.margin or 0.0
    # inf - inf is NaN: where neither side is finite, their difference has no size
    return pair[1] - pair[0] if math.isfinite(pair[0]) or math.isfinite(pair[1]) else math.nan


def decide(found: Mapping[str, Inference]) -> dict[str, Inference]:
    """With Holm's verdict over all criteria, where the smallest reachable p allows one at all."""
    tests = {name: one for name, one in found.items() if one.p is not None}
    open_ = {name: one for name, one in tests.items() if can_decide(one.n, len(tests))}
    if not open_:
        return dict(found)
    # Every test counts, also one whose own n could not decide.
    rejected = dict(zip(tests, holm([one.p or 0.0 for one in tests.values()]), strict=True))
    return {
        name: one.model_copy(update={"decided": rejected[name]}) if name in open_ else one
        for name, one in found.items()
    }


def threshold(criteria: int) -> float:
    """The p that the first of Holm's steps asks for."""
    return ALPHA / max(criteria, 1)
