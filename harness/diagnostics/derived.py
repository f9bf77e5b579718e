"""Figures that follow from a record's own variables, stored beside them for every reader."""

from __future__ import annotations

import xarray as xr

from harness.diagnostics.errors import CONVENTIONS, vrmse


def derive(data: xr.Dataset) -> xr.Dataset:
    """The record with its derived variables.

    vrmse_seed, vrmse_well, vrmse_joint (step): the judged side against the reference.
    energy_ratio (side, step): magnetic over kinetic energy.
    """
    if "mse" in data:
        reference = data["variance"].isel(side=0).values
        for convention in CONVENTIONS:
            values = vrmse(data["mse"].values, reference, data.attrs["cells"], convention)
            data[f"vrmse_{convention}"] = (("step",), values)
    if {"magnetic_energy", "kinetic_energy"} <= set(data):
        data["energy_ratio"] = data["magnetic_energy"] / data["kinetic_energy"]
    return data
