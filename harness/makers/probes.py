"""Records of experiments on the surrogate: `harness.probes`, and the audit of its precision."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from harness.audit import PrecisionAudit
from harness.makers import box
from harness.makers.setup import Setup
from harness.probes import equivariance as defects
from harness.probes import growth
from harness.probes.scales import sigma
from harness.stepping import Draw
from harness.surrogates.base import STOCHASTIC


def audit(setup: Setup) -> xr.Dataset:
    """Operators below double precision in the first float64 step.

    low_precision_calls, calls: how many, of how many.  Attribute `leaks`: JSON, operator -> calls.
    """
    source = setup.start().source()
    with PrecisionAudit() as seen:
        source(1)
    counted = {"low_precision_calls": ((), sum(seen.leaks.values())), "calls": ((), seen.calls)}
    return xr.Dataset(counted, attrs={"leaks": json.dumps(dict(seen.leaks))})


def equivariance(setup: Setup) -> xr.Dataset:
    """Symmetry defects of the first step, see `probes.equivariance.defects`.

    Attribute `reasons`: JSON, family -> why the box has no such symmetry.
    """
    start, window, draw = setup.start(), setup.window, setup.job.draw
    redrawn = None
    if STOCHASTIC in start.surrogate.traits and draw.seed is not None:
        redrawn = replace(start, draw=Draw(draw.seed + 1)).stepper()
    history, advance = start.frames(), start.stepper()
    found = box.symmetries(window, setup.frames)
    target = setup.frames.read(window.frame(1)).to(history)
    layout = window.simulation.layout
    data = defects.defects(advance, history, target, found.symmetries, layout, redrawn)
    return data.assign_attrs(reasons=json.dumps(found.reasons))


def growth_rate(setup: Setup) -> xr.Dataset:
    """Leading growth along the rollout, and what the growing direction is made of.

    rate (step): e-folds per step.  share (step, channel): part of each channel in the direction.
    spectrum (k_perp): part of each shell in the direction's energy, channels in units of sigma.
    div_b_spectral: D of its magnetic field.  content (channel): its mean squares in units of
    sigma^2; amplitude: how much of it is in the rollout's error at `last_step`, so that linear
    growth at the rate r adds amplitude^2 content exp(2 r t) sigma^2 to the variances t steps later.
    Attribute `method`: how derivatives were taken.
    """
    start, window = setup.start(), setup.window
    history, advance = start.frames(), start.stepper()
    layout = window.simulation.layout
    steps = min(growth.ITERATIONS, window.steps)
    unit = sigma(history[-1])
    differentiable = "differentiable" in start.surrogate.traits
    found = growth.leading_growth(advance, history, steps, differentiable)
    target = setup.frames.read(window.frame(found.steps)).to(history)
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
            "channel": list(layout.channels),
            "field": ("channel", list(layout.field_of_channel)),
        },
        attrs={"method": found.method},
    )
    return data.merge(_anatomy(setup, found.direction[-1], unit))


def _anatomy(setup: Setup, direction: Tensor, unit: Tensor) -> xr.Dataset:
    """What one frame of the growing direction, (C, *space), is made of."""
    # Measured as any frame is; scaled to sigma before or after, a spectrum is the same.
    measure = setup.measure(torch.float64)
    measured = measure(direction.double()[None], None)
    scale = unit.double().square().flatten().cpu().numpy()
    content = (direction / unit).double().square().flatten(1).mean(1).cpu().numpy()
    variables: dict[str, tuple[tuple[str, ...], Any]] = {"content": (("channel",), content)}
    if "spectrum" in measure.variables:
        energy = (measured["spectrum"][0] / scale[:, None]).sum(0)
        total = energy.sum()
        variables["spectrum"] = (("k_perp",), energy / total if total > 0 else energy)
        variables["k_perp"] = measure.coords["k_perp"]
    if "div_b_spectral" in measure.variables:
        variables["div_b_spectral"] = ((), measured["div_b_spectral"][0])
    return xr.Dataset(variables)
