"""How long rollouts stay bounded: survival curves and their comparison.

A rollout survives until the first step that violates `bounded_rollout`; one that never does is
censored at the last predicted step.  Non-parametric, by scipy.stats.ecdf and logrank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from harness.statistics.intervals import LEAST


@dataclass(frozen=True)
class Survival:
    """Kaplan-Meier estimate: the share of rollouts that outlive each of `steps`.

    steps: the steps at which rollouts end or are censored, ascending.  n: rollouts.
    """

    steps: tuple[int, ...]
    share: tuple[float, ...]
    n: int

    @property
    def median(self) -> int | None:
        """First step that at most half of the rollouts outlive; None if more than half last."""
        return next((s for s, share in zip(self.steps, self.share, strict=True) if share <= 0.5), None)


def first_violation(
    steps: Sequence[int], curve: Sequence[float], limits: Sequence[float]
) -> int | None:
    """First step whose figure exceeds its limit or is not finite; None if none does."""
    kept = np.less_equal(curve, limits)  # False for NaN, too
    return None if kept.all() else int(steps[int(np.argmin(kept))])


def survival(ends: Sequence[int | None], horizon: int) -> Survival:
    """The survival curve of rollouts that end at `ends`, None for those that last to `horizon`.

    Raises ValueError without a rollout.
    """
    if not ends:
        raise ValueError("a survival curve needs at least one rollout")
    curve = stats.ecdf(_censored(ends, horizon)).sf
    steps = tuple(int(step) for step in curve.quantiles)
    return Survival(steps, tuple(map(float, curve.probabilities)), len(ends))


def logrank(a: Sequence[int | None], b: Sequence[int | None], horizon: int) -> float | None:
    """Two-sided p of the log-rank test that two models survive equally long.

    One end per simulation: windows of one simulation are no independent evidence.  The test takes
    the two groups as independent, hence ignores that they share their simulations, which costs
    power only.  None where n allows no verdict: below 8 simulations in either group, or where
    nothing ends.
    """
    if min(len(a), len(b)) < LEAST or all(end is None for end in (*a, *b)):
        return None
    return float(stats.logrank(_censored(a, horizon), _censored(b, horizon)).pvalue)


def _censored(ends: Sequence[int | None], horizon: int) -> stats.CensoredData:
    times = [horizon if end is None else end for end in ends]
    return stats.CensoredData.right_censored(times, [end is None for end in ends])
