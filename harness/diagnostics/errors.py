"""Variance-scaled errors, each convention under its own name: an untagged VRMSE exists nowhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: seed: the original study; well: The Well's metric; joint: the Walrus paper's text.
CONVENTIONS = ("seed", "well", "joint")

SEED_EPS = 1e-12
WELL_EPS = 1e-7


def vrmse(mse: Array, variance: Array, cells: int, convention: str) -> Array:
    """Root mean square error in units of the reference's spatial standard deviation.

    | convention | definition, c over channels |
    |---|---|
    | `seed` | mean_c sqrt( mse_c / (var_c + 1e-12) ) |
    | `well` | mean_c sqrt( mse_c / (var_c n/(n-1) + 1e-7) ), n cells |
    | `joint` | sqrt( sum_c mse_c / sum_c var_c ) |

    `well` is `the_well.benchmark.metrics.VRMSE` (The Well, arXiv 2412.00568) averaged over
    channels: it squares `torch.std`, which divides by n - 1, and its epsilon is 1e-7 whatever its
    caller passes (1.2.0).  `joint` is Sec. E.1.1 of Walrus, arXiv 2511.15684.

    Args:
        mse: mean square error over cells, (..., channel).
        variance: of the reference over cells, ddof 0, (..., channel).
        cells: number of cells n.
        convention: one of `CONVENTIONS`.

    Returns:
        (...), no unit; non-finite where an input is, or where `joint` divides by zero.

    Raises:
        ValueError: unknown convention.
    """
    with np.errstate(all="ignore"):
        if convention == "seed":
            return np.sqrt(mse / (variance + SEED_EPS)).mean(-1)
        if convention == "well":
            return np.sqrt(mse / (variance * (cells / (cells - 1)) + WELL_EPS)).mean(-1)
        if convention == "joint":
            return np.sqrt(mse.sum(-1) / variance.sum(-1))
    raise ValueError(f"no VRMSE convention {convention!r}: {', '.join(CONVENTIONS)}")
