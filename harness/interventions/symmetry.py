"""The four rotations about the guide field, and the model averaged over them."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.interventions.setting import Setting
from harness.probes.symmetry import rotation
from harness.stepping import Stepper


def symmetrize(stepper: Stepper, setting: Setting) -> Stepper:
    """The model averaged over the four rotations about B0: f_s(u) = mean of R^-1 f(R u) over R.

    It asks the model four times a step.  f_s commutes with the rotations, whatever f does; it is
    the projection of f onto the maps that do.  All four questions are asked with the same draw,
    which is not rotated along: a stochastic f is symmetrised for each value of its draw.
    The axis is the grid axis nearest to the mean field of the last input frame.
    Raises ValueError for data that is not 3D, or has axes of different length across B0.
    """
    layout, shape = setting.layout, setting.window.simulation.shape
    if layout.spatial != 3:
        raise ValueError("the intervention 'symmetrize' rotates about B0 and needs 3D data")
    field = setting.history[-1, layout.slice("magnetic_field")]
    along = int(field.double().mean(setting.axes).abs().argmax())
    first, second = ((along + 1) % 3, (along + 2) % 3)
    if shape[first] != shape[second]:
        raise ValueError(
            f"the intervention 'symmetrize' cannot rotate a grid of {shape} about axis {along}"
        )

    turns = [rotation(3, (first, second), number) for number in range(4)]
    back = [turns[0], *reversed(turns[1:])]

    def step_to(history: Tensor, step: int) -> Tensor:
        answers = [
            undo(stepper(turn(history, layout), step), layout)
            for turn, undo in zip(turns, back, strict=True)
        ]
        return torch.stack(answers).mean(0)

    return step_to
