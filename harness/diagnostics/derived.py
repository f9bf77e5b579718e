"""Figures that follow from a record's own variables, stored beside them for every reader."""

from __future__ import annotations

import numpy as np
import xarray as xr

from harness.diagnostics.energetics import energy_ratio
from harness.diagnostics.errors import CONVENTIONS, vrmse
from harness.diagnostics.increments import gain
from harness.diagnostics.spectra import BANDS, band_growth, low_high_ratio


def derive(data: xr.Dataset) -> xr.Dataset:
    """The record with its derived variables.

    vrmse_seed, vrmse_well, vrmse_joint (step): the judged side against the reference.
    energy_ratio (side, step): magnetic over kinetic energy.
    gain (side, step, channel): an increment over those of the two steps before.
    band_growth (side, step, channel, band): energy of a band over that of the last input frame.
    low_high_ratio (side, step, channel): energy of the low band over that of the high one.
    """
    if "mse" in data:
        reference = data["variance"].isel(side=0).values
        for convention in CONVENTIONS:
            values = vrmse(data["mse"].values, reference, data.attrs["cells"], convention)
            data[f"vrmse_{convention}"] = (("step",), values)
    if {"magnetic_energy", "kinetic_energy"} <= set(data):
        ratio = energy_ratio(data["magnetic_energy"].values, data["kinetic_energy"].values)
        data["energy_ratio"] = (("side", "step"), ratio)
    per_channel = ("side", "step", "channel")
    spectrum = data["spectrum"].transpose(*per_channel, "k_perp").values
    data["gain"] = (per_channel, np.stack([gain(s) for s in data["increment"].values]))
    data["low_high_ratio"] = (per_channel, low_high_ratio(spectrum))
    growth = np.stack([band_growth(side) for side in spectrum])
    data["band_growth"] = ((*per_channel, "band"), growth)
    return data.assign_coords(band=list(BANDS))
