"""The four rotations about the guide field, and the model averaged over them."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.fields import FieldLayout
from harness.interventions.setting import Setting
from harness.surrogates.base import Stepper


def rotate(state: Tensor, layout: FieldLayout, plane: tuple[int, int], turns: int) -> Tensor:
    """A state rotated by `turns` quarter turns, (R u)(x) = R u(R^-1 x).

    state: (..., C, *space).  plane: the two spatial axes a, b of the rotation, which takes a to b.
    Cells go to cells: the rotation is about the middle of the box, and keeps blocks of cells
    together.  Velocity and magnetic field turn alike, an axial vector being a vector under
    rotations.  Exact: no arithmetic but signs.
    """
    first, second = plane
    space = state.ndim - layout.spatial
    turned = torch.rot90(state, turns, (space + first, space + second)).clone()
    for name, rank in zip(layout.names, layout.ranks, strict=True):
        if rank == 1:
            start = layout.slice(name).start
            a, b = (turned.select(space - 1, start + axis).clone() for axis in plane)
            for _ in range(turns % 4):
                a, b = -b, a
            turned.select(space - 1, start + first).copy_(a)
            turned.select(space - 1, start + second).copy_(b)
    return turned


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

    def step_to(history: Tensor, step: int) -> Tensor:
        answers = [
            rotate(
                stepper(rotate(history, layout, (first, second), turns), step),
                layout,
                (first, second),
                -turns,
            )
            for turns in range(4)
        ]
        return torch.stack(answers).mean(0)

    return step_to
