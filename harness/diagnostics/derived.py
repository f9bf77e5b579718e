"""Figures that follow from a record's own variables, stored beside them for every reader."""

from __future__ import annotations

import numpy as np
import xarray as xr

from harness.diagnostics import energetics, structure_functions
from harness.diagnostics.coherence import coherence, predicted_shell
from harness.diagnostics.errors import CONVENTIONS, vrmse
from harness.diagnostics.increments import gain
from harness.diagnostics.spectra import BANDS, band_growth, low_high_ratio

#: name -> (dims, values)
Variables = dict[str, tuple[tuple[str, ...], np.ndarray]]


def derive(data: xr.Dataset) -> xr.Dataset:
    """The record with its derived variables.

    vrmse_seed, vrmse_well, vrmse_joint (step): the judged side against the reference.
    energy_ratio (side, step): magnetic over kinetic energy.
    fluctuation_ratio, residual_energy, cross_helicity (side, step) and elsasser_energy (side, step,
        sign): the energy budget of `energetics`.
    gain (side, step, channel): an increment over those of the two steps before.
    band_growth (side, step, channel, band): energy of a band over that of the last input frame.
    low_high_ratio (side, step, channel): energy of the low band over that of the high one.

    On the steps at which structure was measured:
    coherence (structure_step, channel, k_perp), predicted_shell (structure_step, channel): down to
        where the judged side predicts the reference.
    increment_kurtosis (side, structure_step, quantity, lag, direction), relative_exponent (side,
        structure_step, quantity, direction): of `structure_functions`.
    """
    per_step, per_channel = ("side", "step"), ("side", "step", "channel")
    new: Variables = {"gain": (per_channel, np.stack([gain(s) for s in data["increment"].values]))}
    if "spectrum" in data:
        spectrum = data["spectrum"].transpose(*per_channel, "k_perp").values
        growth = np.stack([band_growth(side) for side in spectrum])
        new["low_high_ratio"] = (per_channel, low_high_ratio(spectrum))
        new["band_growth"] = ((*per_channel, "band"), growth)
        new["band"] = (("band",), np.array(list(BANDS)))
    if "mse" in data:
        reference = data["variance"].isel(side=0).values
        for convention in CONVENTIONS:
            values = vrmse(data["mse"].values, reference, data.attrs["cells"], convention)
            new[f"vrmse_{convention}"] = (("step",), values)
    if {"magnetic_energy", "kinetic_energy"} <= set(data):
        ratio = energetics.energy_ratio(data["magnetic_energy"].values, data["kinetic_energy"].values)
        new["energy_ratio"] = (per_step, ratio)
        new |= _energy_budget(data)
    if "structure_function" in data:
        new |= _intermittency(data)
    if "co_spectrum" in data:
        new |= _coherence(data, data["spectrum"].transpose(*per_channel, "k_perp").values)
    # All at once: a variable by itself costs more than its figures.
    return data.assign(new)


def _energy_budget(data: xr.Dataset) -> Variables:
    """Figures of velocity and of b = dB / sqrt(rho0)."""
    field, per_step = data["field"].values, ("side", "step")
    variance = data["variance"].transpose(*per_step, "channel").values
    v, b = (variance[..., field == name].sum(-1) for name in ("velocity", "magnetic_field"))
    mean = data["mean"].transpose(*per_step, "channel").values
    rho = mean[..., int((field == "density").argmax())]
    kinetic = data["kinetic_energy"].transpose(*per_step).values
    with np.errstate(all="ignore"):
        budget = (v, b / rho, data["v_dot_b"].transpose(*per_step).values / np.sqrt(rho))
    elsasser = np.moveaxis(energetics.elsasser_energies(*budget), 0, -1)
    return {
        "fluctuation_ratio": (per_step, energetics.fluctuation_ratio(b, kinetic)),
        "residual_energy": (per_step, energetics.residual_energy(*budget[:2])),
        "cross_helicity": (per_step, energetics.cross_helicity(*budget)),
        "elsasser_energy": ((*per_step, "sign"), elsasser),
        "sign": (("sign",), np.array(["+", "-"])),
    }


def _intermittency(data: xr.Dataset) -> Variables:
    """Kurtosis of increments, and how it changes with separation."""
    dims = ("side", "structure_step", "quantity")
    moments = data["structure_function"].transpose(*dims, "lag", "direction", "order").values
    exponent = structure_functions.relative_exponent(moments)
    return {
        "increment_kurtosis": ((*dims, "lag", "direction"), structure_functions.kurtosis(moments)),
        "relative_exponent": ((*dims, "direction"), exponent),
    }


def _coherence(data: xr.Dataset, spectrum: np.ndarray) -> Variables:
    """Coherence of the two sides, from their (side, step, channel, k_perp) spectra."""
    dims = ("structure_step", "channel", "k_perp")
    steps = np.searchsorted(data["step"].values, data["structure_step"].values)
    truth, prediction = spectrum[:, steps]
    gamma = coherence(data["co_spectrum"].transpose(*dims).values, prediction, truth)
    return {"coherence": (dims, gamma), "predicted_shell": (dims[:2], predicted_shell(gamma))}
