"""Probes on real windows: what `harness.probes` need from the truth, and the records they give."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from harness.diagnostics.measure import Measure
from harness.probes import equivariance as defects
from harness.probes import growth, symmetry
from harness.probes.scales import Advance, sigma
from harness.truth.well import Frames
from harness.truth.window import Window


def guide_field(window: Window, frames: Frames) -> tuple[float, ...]:
    """Mean magnetic field of the truth's frame at step 0; exactly zero where there is none.

    A mean below 1e-3 of the field's rms is none: that of a field without net flux is what rounding
    left, and its direction means nothing.
    """
    layout = window.simulation.layout
    if "magnetic_field" not in layout:
        return (0.0,) * layout.spatial
    first = frames.read(window.frame(0))[layout.slice("magnetic_field")].double().flatten(1)
    guide, strength = first.mean(1), first.square().sum(0).mean().sqrt()
    if guide.norm() <= symmetry.ALIGNED * strength:
        return (0.0,) * layout.spatial
    return tuple(guide.tolist())


def symmetries(window: Window, frames: Frames) -> symmetry.Group:
    """The symmetries of a window's box about its guide field."""
    simulation, guide = window.simulation, guide_field(window, frames)
    return symmetry.group(simulation.shape, simulation.spacing, simulation.boundaries, guide)


def turn(family: str, window: Window, frames: Frames) -> symmetry.Symmetry:
    """The first symmetry of a family; ValueError, with the reason, if there is none."""
    found = symmetries(window, frames)
    for one in found.symmetries:
        if one.family == family:
            return one
    raise ValueError(f"no {family}: {found.reasons[family]}")


def equivariance(
    window: Window, frames: Frames, history: Tensor, advance: Advance, redrawn: Advance | None
) -> xr.Dataset:
    """Symmetry defects of the first step, see `probes.equivariance.defects`.

    Attribute `reasons`: JSON, family -> why the box has no such symmetry.
    """
    found = symmetries(window, frames)
    target = frames.read(window.frame(1)).to(history)
    layout = window.simulation.layout
    data = defects.defects(advance, history, target, found.symmetries, layout, redrawn)
    return data.assign_attrs(reasons=json.dumps(found.reasons))


def growth_rate(
    window: Window, frames: Frames, history: Tensor, advance: Advance, differentiable: bool
) -> xr.Dataset:
    """Leading growth along the rollout, and what the growing direction is made of.

    rate (step): e-folds per step.  share (step, channel): part of each channel in the direction.
    spectrum (k_perp): part of each shell in the direction's energy, channels in units of sigma.
    div_b_spectral: D of its magnetic field.  content (channel): its mean squares in units of
    sigma^2; amplitude: how much of it is in the rollout's error at `last_step`, so that linear
    growth at the rate r adds amplitude^2 content exp(2 r t) sigma^2 to the variances t steps later.
    Attribute `method`: how derivatives were taken.
    """
    simulation = window.simulation
    steps = min(growth.ITERATIONS, window.steps)
    unit = sigma(history[-1])
    found = growth.leading_growth(advance, history, steps, differentiable)
    target = frames.read(window.frame(found.steps)).to(history)
    rate, error = growth.mean_rate(found.rates)
    data = xr.Dataset(
        {
            "rate": ("step", found.rates),
            "share": (("step", "channel"), found.shares),
            "mean_rate": ((), rate),
            "rate_error": ((), error),
            "amplitude": ((), growth.amplitude(found, target, unit)),
            "last_step": ((), found.steps),
        },
        coords={
            "step": np.arange(1, steps + 1),
            "channel": list(simulation.layout.channels),
            "field": ("channel", list(simulation.layout.field_of_channel)),
        },
        attrs={"method": found.method},
    )
    return data.merge(_anatomy(window, frames, found.direction[-1], unit))


def _anatomy(window: Window, frames: Frames, direction: Tensor, unit: Tensor) -> xr.Dataset:
    """What one frame of the growing direction is made of."""
    simulation, layout = window.simulation, window.simulation.layout
    guide = guide_field(window, frames)
    # Measured as any frame is; scaled to sigma before or after, a spectrum is the same.
    periodic = "periodic" in simulation.offers
    device, shape = direction.device, simulation.shape
    measure = Measure(layout, shape, guide, device=device, dtype=torch.float64, periodic=periodic)
    measured = measure(direction.double()[None], None)
    scale = unit.double().square().flatten().cpu().numpy()
    content = (direction / unit).double().square().flatten(1).mean(1).cpu().numpy()
    variables: dict[str, tuple[tuple[str, ...], Any]] = {"content": (("channel",), content)}
    if periodic:
        energy = (measured["spectrum"][0] / scale[:, None]).sum(0)
        total = energy.sum()
        variables["spectrum"] = (("k_perp",), energy / total if total > 0 else energy)
        variables["k_perp"] = measure.coords["k_perp"]
        if "magnetic_field" in layout:
            variables["div_b_spectral"] = ((), measured["div_b_spectral"][0])
    return xr.Dataset(variables)
