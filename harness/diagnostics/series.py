"""Statistics of one side of a record, over step and perhaps channel or field.

Each takes the variables of one side (`Record.pred`, `Record.truth`) and is what the departure rule
compares between the two.
"""

from __future__ import annotations

import json

import numpy as np
import xarray as xr


#: Shells with less than this part of the spectrum's peak are numerical dust.
DUST = 1e-6


def perpendicular_channels(side: xr.Dataset) -> tuple[str, str]:
    """Labels of the two magnetic channels across the grid axis nearest to the guide field."""
    guide = np.abs(json.loads(side.attrs["guide"]))
    channels = side["channel"].values[side["field"].values == "magnetic_field"]
    across = [str(c) for i, c in enumerate(channels) if i != int(guide.argmax())]
    if len(across) != 2:
        raise ValueError(f"need two magnetic components across the guide field, have {across}")
    return across[0], across[1]


def anisotropy(side: xr.Dataset) -> xr.DataArray:
    """A = ln(var B_y / var B_z) for a guide field along x, (step)."""
    first, second = (
        side["variance"].sel(channel=channel, drop=True) for channel in perpendicular_channels(side)
    )
    return np.log(first / second)


def field_spectrum(side: xr.Dataset) -> xr.DataArray:
    """E(k_perp) of each field, its components summed, (step, field, k_perp)."""
    return side["spectrum"].groupby("field").sum(skipna=False)


def slope(side: xr.Dataset, low: int, high: int) -> xr.DataArray:
    """Least-squares slope of ln E on ln k over the shells low..high, (step, field)."""
    part = np.log(field_spectrum(side).sel(k_perp=slice(low, high)))
    x = np.log(part["k_perp"].astype(float))
    x = x - x.mean()
    return (part * x).sum("k_perp", skipna=False) / np.square(x).sum()


def ln_spectrum(side: xr.Dataset) -> xr.DataArray:
    """ln E of the shells below the overflow that hold more than 1e-6 of the peak at every step."""
    spectrum = field_spectrum(side).isel(k_perp=slice(1, -1))
    return np.log(spectrum.where(spectrum > DUST * spectrum.max("k_perp")))


def shape_distance(pred: xr.Dataset, truth: xr.Dataset) -> xr.DataArray:
    """Largest |ln(E_p / E_u)| over the shells with E_u > 1e-6 of its peak, (step, field)."""
    e_u = field_spectrum(truth).isel(k_perp=slice(1, -1))
    e_p = field_spectrum(pred).isel(k_perp=slice(1, -1))
    distance = np.abs(np.log(e_p / e_u)).where(e_u > DUST * e_u.max("k_perp"), 0.0)
    return distance.max("k_perp", skipna=False)


def ln_pileup(side: xr.Dataset) -> xr.DataArray:
    """ln of energy per mode in [3N/8, N/2) over that in [N/8, N/4), (step, field)."""
    spectrum, modes = field_spectrum(side), side["modes"]
    nyquist = side.sizes["k_perp"] - 2

    def per_mode(low: float, high: float) -> xr.DataArray:
        inside = (side["k_perp"] >= low * nyquist) & (side["k_perp"] < high * nyquist)
        energy = spectrum.where(inside, 0.0).sum("k_perp", skipna=False)
        return energy / modes.where(inside, 0).sum()

    return np.log(per_mode(0.75, 1.0) / per_mode(0.25, 0.5))
