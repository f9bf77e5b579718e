"""What becomes of a rollout: growth, onset, basin and rate, from its variances.

`variance` is (step, channel): the spatial variance of each channel of one trajectory, step 0 the
last input frame.  A rollout ends at its first step with a non-finite channel; the events that speak
of the end mean the last step before it.  The growth ratio of a channel is var(t) / var(0).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: A growth ratio beyond this is growth.
GROWN = 10.0
#: Steps at the end over which rates are fitted.
FIT_STEPS = 10
#: A rate is fitted to this many variances or more, that of step 0 among them.
LEAST_STEPS = 3


class Rate(NamedTuple):
    """Exponential rate of an amplitude, e-folds per step, with its standard error."""

    rate: float
    error: float
    channel: int


def finite_steps(variance: Array) -> Array:
    """The steps before the first with a non-finite channel, (steps, channel)."""
    broken = ~np.isfinite(variance).all(axis=1)
    return variance[: int(broken.argmax())] if broken.any() else variance


def growth_ratio(variance: Array) -> Array:
    """var(t) / var(0) of each channel, (step, channel); NaN for a channel that stays uniform."""
    with np.errstate(all="ignore"):
        return variance / variance[0]


def onset(variance: Array) -> list[int | None]:
    """First step at which each channel has grown tenfold; None where it never does.

    A step beyond the largest float counts as grown, a NaN does not.
    """
    grown = growth_ratio(variance) > GROWN
    return [int(channel.argmax()) if channel.any() else None for channel in grown.T]


def basin(variance: Array, across: Mapping[str, int]) -> str:
    """Which components across the guide field have grown tenfold at the last finite step.

    Args:
        variance: (step, channel).
        across: name and channel of the two components, {"y": 2, "z": 3} for `fields.MHD` and a
            guide field along x.

    Returns:
        "none", the name of one component, or "both".
    """
    steps = finite_steps(variance)
    if not len(steps):
        return "none"
    final = growth_ratio(steps)[-1]
    grown = [name for name, channel in across.items() if final[channel] > GROWN]
    return "none" if not grown else grown[0] if len(grown) == 1 else "both"


def decision_step(variance: Array, across: Mapping[str, int]) -> int | None:
    """First step >= 1 from which the component that has grown more at the end stays ahead.

    Ahead: the larger growth ratio.  `across` is as for `basin`.  None without a predicted finite
    step, or at an exact tie.
    """
    steps = finite_steps(variance)
    if len(steps) < 2:
        return None
    ratio = growth_ratio(steps)
    lead = np.sign(np.subtract(*(ratio[:, channel] for channel in across.values())))
    if not lead[-1]:
        return None
    behind = np.flatnonzero(lead != lead[-1])
    return max(1, int(behind[-1]) + 1 if len(behind) else 1)


def growth_rate(variance: Array) -> Rate:
    """lambda: half the least-squares slope of ln var over the last 10 finite steps.

    Of the channel with the largest final growth ratio; half, because amplitudes and not energies
    are meant.  NaN with fewer than LEAST_STEPS finite ones, or where no channel varies at step 0.

    Args:
        variance: (step, channel).

    Returns:
        Rate per step, the standard error of the fit, and the channel's number.
    """
    steps = finite_steps(variance)
    varies = np.flatnonzero(steps[0] > 0) if len(steps) else np.array([], dtype=int)
    if len(steps) < LEAST_STEPS or not len(varies):
        return Rate(np.nan, np.nan, 0)
    channel = int(varies[growth_ratio(steps[:, varies])[-1].argmax()])
    with np.errstate(all="ignore"):
        y = np.log(steps[-FIT_STEPS:, channel])
        x = np.arange(len(y)) - (len(y) - 1) / 2
        slope = (x @ y) / (x @ x)
        residual = y - y.mean() - slope * x
        error = np.sqrt((residual @ residual) / (len(y) - 2) / (x @ x))
    return Rate(float(slope) / 2, float(error) / 2, channel)
