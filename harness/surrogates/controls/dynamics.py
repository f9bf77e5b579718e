"""Surrogates with a fault in how they answer to their input: it shows in experiments on them only.

`Answering` shows the truth as long as it is given the truth, so that its rollout is perfect; what
it makes of a departure from the truth is the fault.  It lives by its window's frames, so it is not
autonomous, and no symmetry can be asked of it.  `Carried` and `Stirred` know nothing:
they move the state they are given, too far for a good first step, and break a symmetry with it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

import torch
from torch import Tensor

from harness.fields import FieldLayout
from harness.stepping import Draw, Stepper
from harness.surrogates.base import TRAITS, Weightless
from harness.surrogates.controls import alterations as alter
from harness.surrogates.controls.replays import sources
from harness.surrogates.reference import Replay
from harness.truth.well import Frames
from harness.truth.window import Window

#: (truth's next frame, departure of the last input frame, layout, step, steps) -> the answer
Answer = Callable[[Tensor, Tensor, FieldLayout, int, int], Tensor]

#: e-folds per step of the planted growth; turbulence here amplifies errors at about 0.03.
PLANTED = 0.3
#: Fading of all other departures, per step.
FADING = 0.5
#: Cells by which `Carried` moves the state in one step.
CARRY = 2
#: Cells of the block in which `Stirred` turns one way; the next block turns the other way.
BLOCK = 4


class Answering(Replay):
    """f(u) = answer(truth of the next step, u - truth of this step)."""

    traits = frozenset({"responds"})

    def __init__(self, fields: FieldLayout, name: str, answer: Answer) -> None:
        super().__init__(fields)
        self._name, self._answer = name, answer

    def begin(self, window: Window, draw: Draw) -> Stepper:
        """Compares its input with the truth, in the precision of the input."""

        def step_to(history: Tensor, step: int) -> Tensor:
            with Frames(window.simulation, self.fields) as frames:
                now, after = (frames.read(window.frame(s)).to(history) for s in (step - 1, step))
            return self._answer(after, history[-1] - now, self.fields, step, window.steps)

        return step_to

    def fingerprint(self) -> str:
        """Name of the answer and source of all controls."""
        return hashlib.sha256(f"control/{self._name}/{sources()}".encode()).hexdigest()


def branch_on_noise(
    after: Tensor, departure: Tensor, layout: FieldLayout, step: int, steps: int
) -> Tensor:
    """Truth for truth; for anything else, however near, B_z grows to a hundredfold variance."""
    if not bool(departure.any()):
        return after
    channels = layout.slice("magnetic_field")
    grown = alter.amplify_component(after[channels].double(), 2, 100.0 ** (step / steps))
    result = after.clone()
    result[channels] = grown.to(after.dtype)
    return result


def grow_planted(
    after: Tensor, departure: Tensor, layout: FieldLayout, step: int, steps: int
) -> Tensor:
    """A departure fades, but for one: B_y ~ cos(k z) with k = 2, which grows by exp(0.3).

    The mode is solenoidal, lies at k_perp = 2 and holds one component: everything about the growing
    direction is known.
    """
    channel = layout.slice("magnetic_field").start + 1
    result = after + FADING * departure
    mode = planted_mode(after)
    weight = (departure[channel] * mode).sum() / mode.square().sum()
    result[channel] += (math.exp(PLANTED) - FADING) * weight * mode
    return result


def planted_mode(frame: Tensor) -> Tensor:
    """cos(2 z) over a box of side 2 pi, of the shape of one channel of `frame`."""
    z = torch.arange(frame.shape[-1], device=frame.device, dtype=frame.dtype)
    return torch.cos(4 * math.pi * z / frame.shape[-1]).expand(frame.shape[1:])


class Moving(Weightless):
    """A state that is moved about exactly, without arithmetic and without knowledge of the truth."""

    traits = TRAITS

    def begin(self, window: Window, draw: Draw) -> Stepper:
        """The move of one step."""
        return lambda history, step: self.move(history[-1], step)

    def move(self, frame: Tensor, step: int) -> Tensor:
        """Where the state goes."""
        raise NotImplementedError

    def fingerprint(self) -> str:
        """Name of the move and source of all controls."""
        return hashlib.sha256(f"control/{type(self).__name__}/{sources()}".encode()).hexdigest()


class Carried(Moving):
    """The whole state is carried along y by two cells a step: a wind that knows a direction.

    Every spectrum, mean, variance and div B stay as they are.
    """

    def move(self, frame: Tensor, step: int) -> Tensor:
        """Roll along y, the axis before the last."""
        return frame.roll(CARRY, -2)


class Stirred(Moving):
    """The velocity across the guide field turns left and right by 90 degrees, in blocks along x.

    One block of four cells turns left, the next right, and at the next step both back again: an
    operator that knows places, as a lattice of patches does.  |v|^2 and the sum of the spectra of
    v_y and v_z in planes of constant x stay exactly as they are.
    """

    def move(self, frame: Tensor, step: int) -> Tensor:
        """Exchange v_y and v_z with the sign of the block."""
        first = self.fields.slice("velocity").start
        x = torch.arange(frame.shape[1], device=frame.device)
        left = (x // BLOCK + step) % 2 == 0
        turn = torch.where(left, 1, -1).to(frame.dtype).view(-1, 1, 1)
        result = frame.clone()
        result[first + 1] = -turn * frame[first + 2]
        result[first + 2] = turn * frame[first + 1]
        return result
