"""How much a trajectory changes from one frame to the next.

delta_c(t) = rms over cells of u_c(t) - u_c(t - 1), as `Measure` records it under `increment`: NaN
at step 0.  A surrogate that freezes keeps its variance and loses its increments.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Steps over which increments are averaged.
WINDOW = 5


def smoothed(increment: xr.DataArray) -> xr.DataArray:
    """Mean over each step and up to 4 steps before it, `step` becoming the first dimension.

    The prediction's over the truth's is the liveness l_c(t): 1 where both change alike, 0 where the
    prediction has frozen.  A NaN stays in 5 of the means.
    """
    by_step = increment.transpose("step", ...)
    values = by_step.values
    first = np.maximum(0, np.arange(len(values)) - WINDOW + 1)
    return by_step.copy(data=np.stack([values[i : t + 1].mean(0) for t, i in enumerate(first)]))


def gain(increment: Array) -> Array:
    """delta_c(t + 1) / sqrt( (delta_c(t)^2 + delta_c(t - 1)^2) / 2 ), no unit.

    The factor by which a step multiplies the change of the two before it: a model that rescales its
    increments by the recent past grows or freezes geometrically where this stays off 1.

    Args:
        increment: (step, channel).

    Returns:
        (step, channel), the value of t at step t; NaN where a neighbour is missing.
    """
    result = np.full(increment.shape, np.nan)
    with np.errstate(all="ignore"):
        recent = np.sqrt((increment[1:-1] ** 2 + increment[:-2] ** 2) / 2)
        result[1:-1] = increment[2:] / recent
    return result
