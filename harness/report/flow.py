"""What the rollouts' records show: growth by channel, spectra, and pictures of one plane."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from harness.record import SIDE
from harness.report.curves import compact_all
from harness.report.rollouts import Rollout, of_model

#: Steps at which spectra are drawn, beside the last finite one.
SPECTRUM_STEPS = (0, 1, 10, 25, 50)

#: Rollouts whose growth and spectra are on the page, shared by the models.
MAX_FLOWS = 40

#: Bytes of pictures on the page, shared by the models; steps are left out to stay within.
PICTURE_BYTES = 1_200_000


def growth(rollout: Rollout) -> dict[str, Any] | None:
    """log10 of var p_c(t) / var u_c(t), one row per channel; None where it is not finite."""
    if not rollout.has("variance", "step", "channel"):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = rollout.pred["variance"] / rollout.truth["variance"]
        rows = xr.apply_ufunc(np.log10, ratio).transpose("channel", "step")
    return {
        "channels": _names(rows["channel"]),
        "steps": _steps(rows["step"]),
        "rows": [_rounded(row) for row in rows.values],
    }


def spectra(rollout: Rollout) -> dict[str, Any] | None:
    """E(k_perp) of truth and prediction, by channel, at a few steps; shells 1 to N/2.

    Shell 0 and the last one, which collects everything beyond N/2, are left out.
    """
    if not rollout.has("spectrum", "step", "channel", "k_perp"):
        return None
    spectrum = rollout.data["spectrum"].transpose(SIDE, "channel", "step", "k_perp")
    present = _steps(spectrum["step"])
    last = rollout.last_finite if rollout.has("variance", "step", "channel") else len(present) - 1
    wanted = {*SPECTRUM_STEPS, present[last]}
    steps = [step for step in present if step in wanted and step <= present[last]]
    shells = slice(1, spectrum.sizes["k_perp"] - 1)
    chosen = spectrum.sel(step=steps).isel(k_perp=shells)
    truth, pred = ([[compact_all(k, 3) for k in c] for c in side] for side in chosen.values)
    return {
        "channels": _names(spectrum["channel"]),
        "steps": steps,
        "k": [int(k) for k in spectrum["k_perp"].values[shells]]
        if "k_perp" in spectrum.coords
        else list(range(1, spectrum.sizes["k_perp"] - 1)),
        "truth": truth,
        "prediction": pred,
    }


def flows(rollouts: Sequence[Rollout], models: Sequence[str]) -> list[dict[str, Any]]:
    """Growth and spectra of the rollouts that have them: at most MAX_FLOWS, those that grow most."""
    kept = []
    for model in models:
        own = sorted(of_model(rollouts, model), key=_growth_reached, reverse=True)
        kept += own[: max(1, MAX_FLOWS // len(models))]
    found = []
    for rollout in rollouts:
        entry = {"growth": growth(rollout), "spectra": spectra(rollout)}
        if rollout in kept and any(entry.values()):
            found.append({"model": rollout.model, "label": rollout.label, **entry})
    return found


def pictures(rollouts: Sequence[Rollout], models: Sequence[str]) -> list[dict[str, Any]]:
    """Planes of truth and prediction of one rollout per model: the one that grows most."""
    chosen = []
    for model in models:
        candidates = [r for r in of_model(rollouts, model) if r.has("slice", SIDE, "slice_step")]
        if candidates:
            chosen.append(max(candidates, key=_growth_reached))
    return [_picture(rollout, PICTURE_BYTES // len(chosen)) for rollout in chosen]


def _growth_reached(rollout: Rollout) -> float:
    if not rollout.has("variance", "step", "channel"):
        return 0.0
    variance = rollout.pred["variance"].isel(step=[0, rollout.last_finite]).values
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.nanmax(variance[1] / variance[0], initial=0.0))


def _picture(rollout: Rollout, budget: int) -> dict[str, Any]:
    planes = rollout.data["slice"]
    axes = [str(dim) for dim in planes.dims if dim not in (SIDE, "slice_step", "channel")]
    planes = planes.transpose(SIDE, "channel", "slice_step", *axes)
    shape = [planes.sizes[axis] for axis in axes]
    if len(shape) == 1:
        shape = [1, *shape]
    per_step = planes.sizes["channel"] * int(np.prod(shape)) * 2 * 2 * 4 // 3
    kept = max(2, min(budget // per_step, planes.sizes["slice_step"]))
    # First and last stay; in between the earliest go first, because they look alike.
    order = [0, *range(planes.sizes["slice_step"] - kept + 1, planes.sizes["slice_step"])]
    planes = planes.isel(slice_step=order)
    return {
        "model": rollout.model,
        "label": rollout.label,
        "channels": _names(planes["channel"]),
        "steps": _steps(planes["slice_step"]),
        "shape": shape,
        "truth": [[_quantised(plane) for plane in channel] for channel in planes.values[0]],
        "prediction": [[_quantised(plane) for plane in channel] for channel in planes.values[1]],
    }


def _quantised(plane: NDArray[Any]) -> dict[str, Any] | None:
    """A plane in 65536 levels between its extremes, little-endian, base64; None if not finite."""
    values = plane.astype(np.float64)
    if not np.isfinite(values).all():
        return None
    low, high = float(values.min()), float(values.max())
    scale = (high - low) / 65535 or 1.0
    levels = np.round((values - low) / scale).astype("<u2")
    return {
        "low": float(f"{low:.7g}"),
        "high": float(f"{high:.7g}"),
        "levels": base64.b64encode(levels.tobytes()).decode("ascii"),
    }


def _rounded(row: NDArray[Any]) -> list[float | None]:
    return [round(float(value), 2) if np.isfinite(value) else None for value in row]


def _names(coordinate: xr.DataArray) -> list[str]:
    return [str(name) for name in coordinate.values]


def _steps(coordinate: xr.DataArray) -> list[int]:
    return [int(step) for step in coordinate.values]
