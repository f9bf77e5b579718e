"""Limits on amplitudes, taken from the truth's field strength and from the input's increments."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from harness.interventions.setting import Change, Setting
from harness.truth.well import Frames
from harness.truth.window import Simulation

#: An increment stays within this factor of the input history's.
FACTOR = 2.0


def clip(setting: Setting) -> Change:
    """|B| is nowhere larger than its maximum over all frames of the truth's simulation.

    The direction of B stays.
    """
    channels = setting.layout.slice("magnetic_field")
    peak = strongest_field(setting.window.simulation)

    def change(frame: Tensor, history: Tensor, step: int) -> Tensor:
        field = frame[channels]
        strength = torch.linalg.vector_norm(field, dim=0)
        result = frame.clone()
        # Where, and not a product with min(1, peak / |B|): nothing within the limit may change.
        result[channels] = torch.where(strength > peak, field * (peak / strength), field)
        return result

    return change


@cache
def strongest_field(simulation: Simulation) -> float:
    """Largest |B| in any cell of any frame of a simulation."""
    channels = simulation.layout.slice("magnetic_field")
    with Frames(simulation) as frames:
        return max(
            float(torch.linalg.vector_norm(frames.read(i)[channels], dim=0).max())
            for i in range(simulation.n_frames)
        )


def clamp(setting: Setting) -> Change:
    """The rms of a channel's increment stays within [1/2, 2] of its rms in the input history.

    Only the increment's amplitude changes, not its pattern; an increment of exactly zero stays.
    Raises ValueError for a window of a single input frame, which has no increment.
    """
    if len(setting.history) < 2:
        raise ValueError("the intervention 'clamp' needs a window of 2 input frames or more")
    usual = _rms(setting.history.diff(dim=0), (0, *(axis + 1 for axis in setting.axes)))[0]

    def change(frame: Tensor, history: Tensor, step: int) -> Tensor:
        increment = frame - history[-1]
        rms = _rms(increment, setting.axes)
        allowed = rms.clamp(usual / FACTOR, usual * FACTOR)
        # Where, and not the product alone: a step within the limits is kept to the last bit.
        changed = history[-1] + increment * (allowed / torch.where(rms == 0, 1, rms))
        return torch.where(rms == allowed, frame, changed)

    return change


def _rms(values: Tensor, axes: tuple[int, ...]) -> Tensor:
    return values.square().mean(axes, keepdim=True).sqrt()
