"""Records of frames that follow each other: the truth, a rollout, a twin, a branch."""

from __future__ import annotations

import torch
import xarray as xr

from harness import numerics
from harness.makers.setup import Setup
from harness.probes.moments import Moments
from harness.rollout import Source, read_truth, roll, structure_steps


def truth(setup: Setup) -> xr.Dataset:
    """Every frame of a simulation, with its structure, so that W knows every frame."""
    source = read_truth(setup.frames, setup.window, setup.device, torch.float32)
    steps = setup.window.steps
    measure = setup.measure(torch.float32)
    structure = range(steps + 1) if measure.structure_variables else ()
    return roll([source], ["truth"], steps, measure, setup.on_frame, structure=structure)


def rollout(setup: Setup) -> xr.Dataset:
    """The surrogate against the truth, with structure on some steps and planes for pictures."""
    dtype = numerics.DTYPES[setup.job.precision]
    reference = read_truth(setup.frames, setup.window, setup.device, dtype)
    sources = [reference, setup.start().source()]
    steps = setup.window.steps
    measure = setup.measure(torch.float32)
    structure = structure_steps(steps) if measure.structure_variables else ()
    sides = ["truth", "prediction"]
    return roll(sources, sides, steps, measure, setup.on_frame, True, structure)


def twin(setup: Setup) -> xr.Dataset:
    """The surrogate in float64, and in float32 against it, measured in float64."""
    double, single = (setup.start(precision).source() for precision in ("fp64", "fp32"))
    sources: list[Source] = [double, lambda step: single(step).double()]
    measure = setup.measure(torch.float64)
    return roll(sources, ["fp64", "fp32"], setup.window.steps, measure, setup.on_frame)


def branch(setup: Setup) -> xr.Dataset:
    """The surrogate alone: means and variances."""
    moments = Moments(setup.window.simulation.layout)
    sources = [setup.start().source()]
    return roll(sources, ["prediction"], setup.window.steps, moments, setup.on_frame)
