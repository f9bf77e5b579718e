"""One number for many trajectories and steps, each recipe under its own name.

On one and the same array of errors the recipes differ by orders of magnitude where a few rollouts
blow up, so a number is never printed without the name of its recipe and its range of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def _median_of_time_means(errors: Array) -> Array:
    return np.median(errors.mean(-1), -1)


def _pooled_median(errors: Array) -> Array:
    return np.median(errors.reshape(*errors.shape[:-2], -1), -1)


def _median_of_medians(errors: Array) -> Array:
    return np.median(np.median(errors, -1), -1)


def _geometric_mean(errors: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.exp(np.log(errors).mean((-2, -1)))
    return np.where(np.isinf(errors).any((-2, -1)), np.inf, mean)


_RECIPES: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {
        "median-of-time-means": _median_of_time_means,
        "pooled-median": _pooled_median,
        "median-of-medians": _median_of_medians,
        "geometric-mean": _geometric_mean,
    }
)

#: Names of the recipes.
AGGREGATIONS = tuple(_RECIPES)


def aggregate(errors: Array, recipe: str) -> Array:
    """One number for errors over trajectories and steps, e_ij of trajectory i at step j.

    | recipe | definition |
    |---|---|
    | `median-of-time-means` | median_i mean_j e_ij |
    | `pooled-median` | median_ij e_ij |
    | `median-of-medians` | median_i median_j e_ij |
    | `geometric-mean` | exp( mean_ij ln e_ij ) |

    `median-of-time-means` is what the released Walrus trainer and evaluation report (arXiv
    2511.15684).  An error that is not finite counts as +inf: it makes a mean infinite, and a median
    only where it reaches the middle.

    Args:
        errors: (..., trajectory, step), not negative.
        recipe: one of `AGGREGATIONS`.

    Returns:
        (...), in the unit of the errors.

    Raises:
        ValueError: unknown recipe, or no trajectory or step to aggregate.
    """
    if recipe not in _RECIPES:
        raise ValueError(f"no aggregation {recipe!r}: {', '.join(AGGREGATIONS)}")
    if errors.ndim < 2 or 0 in errors.shape[-2:]:
        raise ValueError(f"nothing to aggregate: errors of shape {errors.shape}")
    return _RECIPES[recipe](np.where(np.isfinite(errors), errors, np.inf))
