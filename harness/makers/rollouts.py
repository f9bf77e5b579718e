"""Records of frames that follow each other: the truth, a rollout, a twin, a branch."""

from __future__ import annotations

import torch
import xarray as xr

from harness import numerics
from harness.makers.setup import Setup
from harness.probes.moments import Moments
from harness.rollout import PLANE_STEPS, read_truth, roll, structure_steps


def truth(setup: Setup) -> xr.Dataset:
    """Every frame of a simulation, with its structure, so that W knows every frame."""
    steps = setup.window.steps
    source = read_truth(setup.frames, setup.window, setup.device, torch.float32)
    return roll(
        {"truth": source},
        steps,
        setup.measure(torch.float32),
        on_frame=setup.on_frame,
        structure=range(steps + 1),
    )


def rollout(setup: Setup) -> xr.Dataset:
    """The surrogate against the truth, with structure on some steps and planes for pictures."""
    steps, dtype = setup.window.steps, numerics.DTYPES[setup.job.precision]
    reference = read_truth(setup.frames, setup.window, setup.device, dtype)
    return roll(
        {"truth": reference, "prediction": setup.start().source()},
        steps,
        setup.measure(torch.float32),
        on_frame=setup.on_frame,
        structure=structure_steps(steps),
        planes=PLANE_STEPS,
    )


def twin(setup: Setup) -> xr.Dataset:
    """The surrogate in float64, and in float32 against it, measured in float64."""
    double, single = (setup.start(precision).source() for precision in ("fp64", "fp32"))
    sources = {"fp64": double, "fp32": lambda step: single(step).double()}
    measure = setup.measure(torch.float64)
    return roll(sources, setup.window.steps, measure, on_frame=setup.on_frame)


def branch(setup: Setup) -> xr.Dataset:
    """The surrogate alone: means and variances."""
    sources = {"prediction": setup.start().source()}
    moments = Moments(setup.window.simulation.layout)
    return roll(sources, setup.window.steps, moments, on_frame=setup.on_frame)
