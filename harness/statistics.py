"""Departures from truth, and the widths W they are judged against (PHYSICS: one rule of judgement).

A *statistic* maps one side of a record (variables over step, channel, ...) to an array over step
and perhaps channel or field.  Its departure is the difference between the two sides at the same
step; its width is what truth itself does: 1.25 times the largest difference between any two truth
frames of simulations with the same parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from harness.record import Record

Statistic = Callable[[xr.Dataset], xr.DataArray]

#: A width exceeds the largest difference seen among truth frames by this factor.
SAFETY = 1.25


@dataclass(frozen=True, eq=False)
class Width:
    """W of one statistic, per channel or field, and what it was taken from."""

    value: xr.DataArray
    frames: int
    simulations: int

    @property
    def basis(self) -> str:
        """One line for the verdict."""
        return (
            f"W = {SAFETY} x largest difference among {self.frames} truth frames of "
            f"{self.simulations} simulation{'s' if self.simulations > 1 else ''}"
        )


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The truth records of all simulations that share one set of parameters."""

    records: tuple[Record, ...]

    def width(self, statistic: Statistic) -> Width:
        """W_s = 1.25 max |s(u_i) - s(u_j)| over all pairs of truth frames.

        The largest difference over pairs is the range, so one pass suffices.
        """
        parts = [statistic(record.truth) for record in self.records]
        value = SAFETY * (_extreme(parts, "max") - _extreme(parts, "min"))
        return Width(value, sum(part.sizes["step"] for part in parts), len(parts))

    def separation(self, statistic: Statistic) -> Width:
        """The width of a distance max_k |x_k(u_i) - x_k(u_j)|: the widest entry along `k_perp`."""
        width = self.width(statistic)
        return Width(width.value.max("k_perp"), width.frames, width.simulations)


def _extreme(parts: Sequence[xr.DataArray], which: str) -> xr.DataArray:
    reduced = [getattr(part, which)("step", skipna=False) for part in parts]
    stacked = xr.concat(reduced, "simulation", coords="minimal", compat="override")
    return getattr(stacked, which)("simulation", skipna=False)


def departure(record: Record, statistic: Statistic) -> xr.DataArray:
    """s(p_t) - s(u_t), frame by frame."""
    return statistic(record.pred) - statistic(record.truth)


def ln_variance(side: xr.Dataset) -> xr.DataArray:
    """Ln var of each channel, (step, channel)."""
    return np.log(side["variance"])


def ln_stencil_divergence(side: xr.Dataset) -> xr.DataArray:
    """Ln of rms(centred div B) / mean |B|, (step)."""
    return np.log(side["div_b_stencil"])


def median_range(values: Sequence[float]) -> dict[str, float | str | None]:
    """Median and range of one figure per simulation, with the range's exact coverage.

    The range of n independent values covers the median of their distribution with probability
    1 - 2^(1-n).  Non-finite values stay in: a median beyond half of them is infinite.
    """
    ordered = np.sort(np.where(np.isnan(values), np.inf, np.asarray(values, dtype=float)))
    n = len(ordered)
    middle = ordered[(n - 1) // 2 : n // 2 + 1]
    return {
        "n": float(n),
        "median": float(middle.mean()),
        "lowest": float(ordered[0]),
        "highest": float(ordered[-1]),
        "coverage": 1 - 2.0 ** (1 - n),
    }
