"""One number from many: the named ways to aggregate an error over steps and trajectories.

On one recorded array they differ by a factor of 15, which is why no aggregated number is printed
without the name of its aggregation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.published.arrays import Array

#: name -> reduction of a finite, positive array (trajectory, step) to one number
AGGREGATIONS: dict[str, Callable[[Array], float]] = {
    "median-of-time-means": lambda values: float(np.median(values.mean(axis=1))),
    "pooled-median": lambda values: float(np.median(values)),
    "median-of-medians": lambda values: float(np.median(np.median(values, axis=1))),
    "geometric-mean": lambda values: float(np.exp(np.log(values).mean())),
}
