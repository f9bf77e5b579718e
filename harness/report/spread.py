"""What is typical of a set of curves, and how far they scatter.

The simulation is the unit: below 8 of them the range of all windows is a fact about these windows
and no more; from 8 on there is an interval of the median.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from harness.report.text import counted

#: Fewer simulations allow no interval.
LEAST = 8

#: An interval covers the median at least this often.
LEVEL = 0.95

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spread:
    """Median of several curves and a band about it, at every step; non-finite values are infinite.

    label: what the band is, with n and its exact coverage.
    """

    median: Array
    low: Array
    high: Array
    label: str


def spread(curves: Sequence[Sequence[float]], simulations: Sequence[str]) -> Spread:
    """Median and band, step by step, of one curve per window.

    Args:
        curves: one per window, all over the same steps.
        simulations: of each window the simulation that it is cut from.

    Returns:
        Below 8 simulations median and range of the windows; the range of n independent simulations
        covers the median of their distribution with probability 1 - 2^(1-n).  From 8 on the windows
        of a simulation are averaged first, and the band is the narrowest interval between order
        statistics r and n + 1 - r that covers the median in at least 95 % of samples: its coverage
        is 1 - 2 P(Binomial(n, 1/2) < r), whatever the distribution.
    """
    values = np.asarray(curves, dtype=float)
    values = np.where(np.isfinite(values), values, np.inf)
    names = list(dict.fromkeys(simulations))
    n, windows = len(names), len(values)
    if n < LEAST:
        coverage = 1 - 2.0 ** (1 - n)
        label = f"range of {counted(windows, 'window')}, n = {n}, covers the median {coverage:.0%}"
        return Spread(_median(values), values.min(axis=0), values.max(axis=0), label)
    member = np.asarray([names.index(name) for name in simulations])
    units = np.stack([values[member == index].mean(axis=0) for index in range(n)])
    rank = max(r for r in range(1, n // 2 + 1) if _coverage(n, r) >= LEVEL)
    ordered = np.sort(units, axis=0)
    label = f"{_coverage(n, rank):.1%} interval of the median of {n} simulations"
    return Spread(_median(units), ordered[rank - 1], ordered[n - rank], label)


def _coverage(n: int, rank: int) -> float:
    return 1 - 2 * float(binom.cdf(rank - 1, n, 0.5))


def _median(values: Array) -> Array:
    """Median over the first axis; infinite where half of the values are."""
    ordered = np.sort(values, axis=0)
    n = len(ordered)
    return (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
