"""Two toy surrogates, each of which blows up for one of two competing reasons.

Both follow the truth but for one mechanism, and grow in B_y alone; from outside they look alike.
Interventions tell them apart: `divfree`, `lowpass` and `notch` cure the lattice and do nothing to
the feedback, which `clamp` stops.  (`clip` holds the amplitude of either, whatever feeds it, and
`symmetrize` says nothing here: a toy knows the truth in one orientation only.)  A real model that
answers like one of them has that mechanism among the suspects.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from harness.fields import FieldLayout
from harness.interventions.filters import STRIDE
from harness.stepping import Draw, Stepper
from harness.surrogates.reference import Replay
from harness.truth.window import Window

#: Gain per step of the imprint, and of an increment in the unit it is predicted in.
GAIN = 1.3
#: The same for every channel but B_y: such increments fall by 10^3 in 50 steps.
LOSS = 0.8
#: Amplitude that the imprint starts from, in units of |B|.
SEED = 1e-3


class Toy(Replay):
    """Follows the truth of its window, and answers to its input."""

    traits = frozenset({"responds"})

    def fingerprint(self) -> str:
        """Class and source."""
        source = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
        return hashlib.sha256(f"{type(self).__qualname__}/{source}".encode()).hexdigest()


class Lattice(Toy):
    """Aliasing on the token lattice: every token of B_y carries the same imprint, which feeds itself.

    p(t+1) = u(t+1) + (g a(t) + s) w, w = cos(2 pi y / (4 h)) in B_y, and a(t) the amplitude of w in
    the last frame.  The imprint varies along y only, so it is a pure gradient.  a grows by the
    factor g = 1.3 a step: lambda = ln g = 0.26.
    """

    n_history = 1

    def begin(self, window: Window, draw: Draw) -> Stepper:
        """The truth's frame, and the imprint on it."""
        truth = super().begin(window, draw)
        channel = self.fields.slice("magnetic_field").start + 1

        def step_to(history: Tensor, step: int) -> Tensor:
            frame = truth(history, step).clone()
            cells = torch.arange(frame.shape[2], device=frame.device, dtype=frame.dtype)
            wave = torch.cos(2 * math.pi / STRIDE * cells)
            wave = wave.view([-1 if axis == 1 else 1 for axis in range(frame.ndim - 1)])
            amplitude = 2 * (history[-1, channel] * wave).mean()
            frame[channel] += (GAIN * amplitude + SEED) * wave
            return frame

        return step_to


class Feedback(Toy):
    """Feedback of the increments' unit: the direction is right at every step, the length is not.

    p(t+1) = p(t) + g_c r_c e_c / rms(e_c), e = u(t+1) - p(t), and r_c the rms of the history's own
    increments: a predicted increment is measured in what was predicted before (Walrus's
    normalisation, arXiv 2511.15684).  Over two increments g = 1.3 in B_y lets them grow by the factor
    1.2 a step, lambda = 0.18, and g = 0.8 lets those of every other channel die away.
    """

    n_history = 3

    def begin(self, window: Window, draw: Draw) -> Stepper:
        """A step towards the truth's frame, of a length taken from the history."""
        truth = super().begin(window, draw)
        channel = self.fields.slice("magnetic_field").start + 1

        def step_to(history: Tensor, step: int) -> Tensor:
            error = truth(history, step) - history[-1]
            space = tuple(range(1, error.ndim))
            unit = _rms(history.diff(dim=0), (0, *(axis + 1 for axis in space)))[0]
            size = _rms(error, space)
            gain = torch.full_like(size, LOSS)
            gain[channel] = GAIN
            return history[-1] + gain * unit * error / torch.where(size == 0, 1, size)

        return step_to


def _rms(values: Tensor, axes: tuple[int, ...]) -> Tensor:
    return values.square().mean(axes, keepdim=True).sqrt()


#: name -> toy, given the layout of the data
TOYS: dict[str, Callable[[FieldLayout], Toy]] = {"lattice": Lattice, "feedback": Feedback}
