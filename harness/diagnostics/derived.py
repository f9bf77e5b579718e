"""Figures that follow from a record's own variables, stored beside them for every reader."""

from __future__ import annotations

import numpy as np
import xarray as xr

from harness.diagnostics import energetics
from harness.diagnostics.errors import CONVENTIONS, vrmse
from harness.diagnostics.increments import gain
from harness.diagnostics.spectra import BANDS, band_growth, low_high_ratio


def derive(data: xr.Dataset) -> xr.Dataset:
    """The record with its derived variables.

    vrmse_seed, vrmse_well, vrmse_joint (step): the judged side against the reference.
    energy_ratio (side, step): magnetic over kinetic energy.
    fluctuation_ratio, residual_energy, cross_helicity (side, step) and elsasser_energy (side, step,
        sign): the energy budget of `energetics`.
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
        ratio = energetics.energy_ratio(data["magnetic_energy"].values, data["kinetic_energy"].values)
        data["energy_ratio"] = (("side", "step"), ratio)
        data = _energy_budget(data)
    per_channel = ("side", "step", "channel")
    spectrum = data["spectrum"].transpose(*per_channel, "k_perp").values
    data["gain"] = (per_channel, np.stack([gain(s) for s in data["increment"].values]))
    data["low_high_ratio"] = (per_channel, low_high_ratio(spectrum))
    growth = np.stack([band_growth(side) for side in spectrum])
    data["band_growth"] = ((*per_channel, "band"), growth)
    return data.assign_coords(band=list(BANDS))


def _energy_budget(data: xr.Dataset) -> xr.Dataset:
    """Figures of velocity and of b = dB / sqrt(rho0)."""
    variance, per_step = data["variance"], ("side", "step")
    of_v, of_b = (
        variance.isel(channel=data["field"].values == name).sum("channel", skipna=False)
        for name in ("velocity", "magnetic_field")
    )
    density = data["mean"].isel(channel=data["field"].values == "density").isel(channel=0)
    v, b, kinetic, rho, v_dot_b = (
        part.transpose(*per_step).values
        for part in (of_v, of_b, data["kinetic_energy"], density, data["v_dot_b"])
    )
    with np.errstate(all="ignore"):
        budget = (v, b / rho, v_dot_b / np.sqrt(rho))
    data["fluctuation_ratio"] = (per_step, energetics.fluctuation_ratio(b, kinetic))
    data["residual_energy"] = (per_step, energetics.residual_energy(*budget[:2]))
    data["cross_helicity"] = (per_step, energetics.cross_helicity(*budget))
    elsasser = np.moveaxis(energetics.elsasser_energies(*budget), 0, -1)
    data["elsasser_energy"] = ((*per_step, "sign"), elsasser)
    return data.assign_coords(sign=["+", "-"])
