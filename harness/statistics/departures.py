"""Departures from truth, and the widths W they are judged against (README: what a verdict means).

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

from harness.diagnostics.series import field_spectrum, ln_variance, ln_variance_of_whole_velocity
from harness.diagnostics.spectra import DUST
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

    @property
    def single(self) -> bool:
        """Whether there is one simulation only, whose own frames say little of how others differ.

        Statistics that hardly change within a simulation but differ between simulations (cross
        helicity, the variance of a single velocity component) are then recorded, not judged.
        """
        return len(self.records) == 1

    @property
    def ln_variance(self) -> Statistic:
        """What `bounded_rollout` judges, and survival means: ln var of every channel.

        With a single simulation the whole velocity stands for its components, which vary too little
        within it.
        """
        return ln_variance_of_whole_velocity if self.single else ln_variance

    def width(self, statistic: Statistic) -> Width:
        """W_s = 1.25 max |s(u_i) - s(u_j)| over all pairs of truth frames.

        The largest difference over pairs is the range, so one pass suffices.  A channel without a
        logarithm in any truth frame has no W (see `departure`).
        """
        parts = [statistic(record.truth) for record in self.records]
        highest = _extreme(parts, "max")
        value = SAFETY * (_varying(highest, highest) - _varying(_extreme(parts, "min"), highest))
        return Width(value, sum(part.sizes["step"] for part in parts), len(parts))

    def shape_width(self) -> Width:
        """W of max_k |ln(E_i(k) / E_j(k))|, per field: 1.25 times the widest shell's range of ln E.

        Shells count as in `series.shape_distance`: where a frame holds more than 1e-6 of its peak.
        """
        shells = [field_spectrum(r.truth).isel(k_perp=slice(1, -1)) for r in self.records]
        counted = _extreme([(s / s.max("k_perp") > DUST) for s in shells], "max").astype(bool)
        ratio = _extreme(shells, "max") / _extreme(shells, "min")
        span = ratio.copy(data=np.log(ratio.values))
        value = SAFETY * span.where(counted, 0.0).max("k_perp", skipna=False)
        return Width(value, sum(s.sizes["step"] for s in shells), len(shells))


def _extreme(parts: Sequence[xr.DataArray], which: str) -> xr.DataArray:
    reduced = [getattr(part, which)("step", skipna=False) for part in parts]
    stacked = xr.concat(reduced, "simulation", coords="minimal", compat="override")
    return getattr(stacked, which)("simulation", skipna=False)


def departure(record: Record, statistic: Statistic) -> xr.DataArray:
    """s(p_t) - s(u_t), frame by frame.

    Without the channels that are uniform in every frame of the truth: the logarithm of their variance
    is -inf, and there is nothing to depart from.
    """
    truth = statistic(record.truth)
    highest = truth.max("step", skipna=False)
    return _varying(statistic(record.pred), highest) - _varying(truth, highest)


def _varying(values: xr.DataArray, highest: xr.DataArray) -> xr.DataArray:
    """The channels whose largest value over all frames is not -inf."""
    if highest.dims != ("channel",):
        return values
    return values.isel(channel=np.flatnonzero(~np.isneginf(highest.values)))
