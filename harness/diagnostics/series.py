"""Statistics of one side of a record, over step and perhaps channel or field.

Each takes the variables of one side (`Record.pred`, `Record.truth`) and is what the departure rule
compares between the two.  The formulas are those of the neighbouring modules; here they meet the
names of a record.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from harness.diagnostics import magnetic, spectra, structure
from harness.diagnostics.increments import smoothed

#: A field with a larger share of cells rho <= 0 has no distribution of ln rho.
MOST_WITHOUT_LOGARITHM = 0.01


def across(side: xr.Dataset) -> dict[str, int]:
    """Name ("y") and channel number of the two magnetic components across the guide field.

    Empty without a magnetic field.
    """
    channels = np.flatnonzero(side["field"].values == "magnetic_field")
    if not len(channels):
        return {}
    labels = side["channel"].values
    axes = magnetic.across_axes(json.loads(side.attrs["guide"]))
    return {str(labels[channels[axis]]).removeprefix("B_"): int(channels[axis]) for axis in axes}


def basin(side: xr.Dataset) -> str:
    """Which magnetic components across the guide field have grown: "none", "y", "z" or "both"."""
    return structure.basin(side["variance"].values, across(side))


def decision_step(side: xr.Dataset) -> float | None:
    """Step from which the magnetic component that ends ahead stays ahead; None if there is none."""
    step = structure.decision_step(side["variance"].values, across(side))
    return None if step is None else float(step)


def exclusivity(pred: xr.Dataset, truth: xr.Dataset) -> np.ndarray:
    """Log excess of the component across the guide field that grew less over the other, (step,)."""
    channels = list(across(pred).values())
    sides = (side["variance"].isel(channel=channels).values for side in (pred, truth))
    return magnetic.exclusivity(*sides)


def ln_variance(side: xr.Dataset) -> xr.DataArray:
    """Ln var of each channel, (step, channel)."""
    return _ln(side["variance"])


def ln_variance_of_whole_velocity(side: xr.Dataset) -> xr.DataArray:
    """Ln var of each channel, with the whole velocity, "v", in place of its components."""
    variance = side["variance"]
    moves = side["field"].values == "velocity"
    rest = variance.isel(channel=~moves).drop_vars("field")
    if not moves.any():
        return _ln(rest)
    whole = variance.isel(channel=moves).sum("channel", skipna=False).expand_dims(channel=["v"])
    return _ln(xr.concat([rest, whole.transpose(*rest.dims)], "channel"))


def ln_activity(side: xr.Dataset) -> xr.DataArray:
    """Ln of the increments' rms, averaged over 5 steps, (step from 2, channel).

    The increment at step 1 is the jump from truth onto the model, and belongs to step1_vrmse.
    """
    return _ln(smoothed(side["increment"].sel(step=slice(2, None))))


def ln_stencil_divergence(side: xr.Dataset) -> xr.DataArray:
    """Ln of rms(centred div B) / mean |B|, (step)."""
    return _ln(side["div_b_stencil"])


def ln_fluctuation_ratio(side: xr.Dataset) -> xr.DataArray:
    """Ln of fluctuating magnetic over kinetic energy, (step)."""
    return _ln(side["fluctuation_ratio"])


def residual_energy(side: xr.Dataset) -> xr.DataArray:
    """sigma_r = <v^2 - b^2> / <v^2 + b^2>, (step)."""
    return side["residual_energy"]


def alignment(side: xr.Dataset) -> xr.DataArray:
    """Artanh sigma_c = ln(E+ / E-) / 2 of the normalised cross helicity sigma_c, (step).

    sigma_c is bounded by 1, and simulations differ in its sign: differences of sigma_c itself, as
    wide as those among simulations, can exceed what any field reaches.  The Fisher transform of a
    correlation has no bound.
    """
    sigma = side["cross_helicity"]
    with np.errstate(divide="ignore", invalid="ignore"):
        return sigma.copy(data=np.arctanh(sigma.values))


def ln_elsasser(side: xr.Dataset) -> xr.DataArray:
    """Ln of the energies of both Elsasser fields, (step, sign)."""
    return _ln(side["elsasser_energy"])


def anisotropy(side: xr.Dataset) -> xr.DataArray:
    """A = ln(var B_y / var B_z) for a guide field along x, (step)."""
    first, second = (side["variance"].isel(channel=i, drop=True) for i in across(side).values())
    return first.copy(data=magnetic.anisotropy(first.values, second.values))


def field_spectrum(side: xr.Dataset) -> xr.DataArray:
    """E(k_perp) of each field, its components summed, (step, field, k_perp)."""
    summed = side["spectrum"].groupby("field").sum(skipna=False)
    return summed.transpose("step", "field", "k_perp")


def slope(low: int, high: int) -> Callable[[xr.Dataset], xr.DataArray]:
    """The statistic: least-squares slope of ln E on ln k_perp over shells low..high, (step, field)."""

    def statistic(side: xr.Dataset) -> xr.DataArray:
        spectrum = field_spectrum(side)
        return _over_fields(spectrum, spectra.slope(spectrum.values, low, high).slope)

    return statistic


def shape_distance(pred: xr.Dataset, truth: xr.Dataset) -> xr.DataArray:
    """Largest |ln(E_p / E_u)| over the shells with E_u > 1e-6 of its peak, (step, field)."""
    spectrum = field_spectrum(truth)
    values = spectra.shape_distance(field_spectrum(pred).values, spectrum.values)
    return _over_fields(spectrum, values)


def ln_pileup(side: xr.Dataset) -> xr.DataArray:
    """Ln of energy per mode in [3N/8, N/2) over that in [N/8, N/4), (step, field)."""
    spectrum = field_spectrum(side)
    values = spectra.pileup(spectrum.values, side["modes"].values)
    return _ln(_over_fields(spectrum, values))


def ln_kurtosis(side: xr.Dataset) -> xr.DataArray:
    """Ln S_4/S_2^2 of the increments over the smallest separation, (step, quantity, direction)."""
    return _ln(_by_step(side["increment_kurtosis"].isel(lag=0, drop=True)))


def relative_exponent(side: xr.Dataset) -> xr.DataArray:
    """zeta_4 / zeta_2, (step, quantity, direction)."""
    return _by_step(side["relative_exponent"])


def ln_density_skewness(side: xr.Dataset) -> xr.DataArray:
    """Skewness of ln rho over the cells with rho > 0, (step); NaN where more than 1 % have none.

    The thinnest 1 % of a log-normal density hold 0.14 of its skewness (0.03 the thinnest 0.1 %): up
    to there the statement about the rest is one about the field.
    """
    skewness = _by_step(side["ln_density_skewness"])
    return skewness.where(without_logarithm(side).values <= MOST_WITHOUT_LOGARITHM)


def without_logarithm(side: xr.Dataset) -> xr.DataArray:
    """Share of cells with rho <= 0 where structure was measured, (step)."""
    return side["negative_density"].sel(step=side["structure_step"].values)


def ln_imprint(strides: Sequence[int]) -> Callable[[xr.Dataset], xr.DataArray]:
    """The statistic: ln max(R, 1) of energy on a token lattice, (step, quantity, stride).

    Less energy on the lattice than beside it is no imprint, and counts as none.
    """

    def statistic(side: xr.Dataset) -> xr.DataArray:
        ratio = _ln(_by_step(side["patch_imprint"].sel(stride=list(strides))))
        return ratio.copy(data=np.maximum(ratio.values, 0.0))

    return statistic


def _by_step(values: xr.DataArray) -> xr.DataArray:
    """Over the steps at which structure was measured, under the name that all statistics use."""
    return values.rename(structure_step="step")


def _over_fields(spectrum: xr.DataArray, values: np.ndarray) -> xr.DataArray:
    return spectrum.isel(k_perp=0, drop=True).copy(data=values)


def _ln(values: xr.DataArray) -> xr.DataArray:
    # A vanished or non-finite value is judged as it is: -inf or NaN, hence a violation.
    with np.errstate(divide="ignore", invalid="ignore"):
        return values.copy(data=np.log(values.values))
