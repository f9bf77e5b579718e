"""The autoregressive loop: two sources of frames, stepped side by side and measured as they go.

A *source* gives the frame of a step: the truth reads it from a file, a surrogate computes it from
its own last frames.  A rollout measures a surrogate against the truth, a twin measures a float32
rollout against a float64 rollout of the same model, a truth record measures the truth alone, and a
branch the surrogate alone.  The loop is the same, and holds a few times the model's history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import xarray as xr
from torch import Tensor

from harness import interventions, numerics
from harness.diagnostics.measure import Measure
from harness.probes.moments import Moments
from harness.stepping import Draw, Stepper
from harness.surrogates.base import Surrogate
from harness.tape import Tape
from harness.truth.well import Frames
from harness.truth.window import Window

#: step (0 = last input frame) -> frame (C, *space); called with 0, 1, 2, ... in order
Source = Callable[[int], Tensor]

#: what a caller sees of a rollout: the step, and the frame (C, *space) of the judged side
OnFrame = Callable[[int, Tensor], None]

#: steps whose mid-planes are kept for pictures
PLANE_STEPS = (0, 1, 5, 10, 25, 50)
#: steps at which structure is measured, beside the last: it costs as much as a step does otherwise
STRUCTURE_STEPS = (1, 10)


def structure_steps(steps: int) -> tuple[int, ...]:
    """The predicted steps, of a rollout of `steps`, at which structure is measured."""
    return (*(step for step in STRUCTURE_STEPS if step < steps), steps)


def read_truth(frames: Frames, window: Window, device: torch.device, dtype: torch.dtype) -> Source:
    """The truth's own frames, one at a time."""
    return lambda step: frames.read(window.frame(step)).to(device, dtype)


class Recent:
    """The last n frames as one tensor, without copying them at every step.

    A new frame is written behind the others in a buffer of 2n.  When that is full, the n - 1 frames
    still needed go to a new one; no frame is ever overwritten, so what was handed out stays.
    """

    def __init__(self, frames: Tensor) -> None:
        self._n = self._end = len(frames)
        self._buffer = frames.new_empty((2 * self._n, *frames.shape[1:]))
        self._buffer[: self._n] = frames

    @property
    def frames(self) -> Tensor:
        """(n, C, *space), contiguous, the newest last."""
        return self._buffer[self._end - self._n : self._end]

    def append(self, frame: Tensor) -> None:
        """The newest frame (C, *space); the oldest is forgotten."""
        if self._end == len(self._buffer):
            kept = self.frames[1:]
            self._buffer = torch.empty_like(self._buffer)
            self._end = len(kept)
            self._buffer[: self._end] = kept
        self._buffer[self._end] = frame.detach()
        self._end += 1


@dataclass(frozen=True, eq=False)
class Start:
    """Where a rollout starts: a surrogate, and all that its steps depend on.

    history: the window's input frames (n, C, *space) in physical units, at least as many as the
    model conditions on; interventions take their scales from all of them.
    interventions: the names of those it runs under, in the order of their application.
    """

    surrogate: Surrogate
    window: Window
    history: Tensor
    draw: Draw
    precision: str
    interventions: Sequence[str] = ()

    def frames(self) -> Tensor:
        """The frames the model conditions on: the last of the window's, in the state's precision.

        So every model starts from one state, whatever its history.  ValueError if there are too few.
        """
        wanted, given = self.surrogate.n_history, len(self.history)
        if given < wanted:
            raise ValueError(f"the model conditions on {wanted} frames, the window has {given}")
        return self.history[-wanted:].to(numerics.DTYPES[self.precision])

    def stepper(self) -> Stepper:
        """The model's map from its history (n_history, C, *space) to the next frame.

        It keeps nothing between calls, and raises ValueError for a frame of another shape.
        """
        history = self.history.to(numerics.DTYPES[self.precision])
        bare = self.surrogate.to(history.device, history.dtype).begin(self.window, self.draw)
        setting = interventions.Setting(self.window, history, self.draw)
        return interventions.apply(self.interventions, _checked(bare, self.precision), setting)

    def source(self) -> Source:
        """The model fed with its own output; step 0 gives the last input frame."""
        recent, advance = Recent(self.frames()), self.stepper()

        def frame(step: int) -> Tensor:
            if step > 0:
                recent.append(advance(recent.frames, step))
            return recent.frames[-1]

        return frame


def _checked(stepper: Stepper, precision: str) -> Stepper:
    """The stepper in its precision; its frames have the history's shape and type, or ValueError."""

    def step_to(history: Tensor, step: int) -> Tensor:
        with numerics.autocast(precision, history.device):
            frame = stepper(history, step)
        if frame.shape != history.shape[1:]:
            raise ValueError(
                f"the model returned shape {tuple(frame.shape)}, expected {tuple(history.shape[1:])}"
            )
        return frame.to(history.dtype)

    return step_to


@torch.no_grad()
def roll(
    sources: Mapping[str, Source],
    steps: int,
    measure: Measure | Moments,
    *,
    on_frame: OnFrame = lambda step, frame: None,
    structure: Sequence[int] = (),
    planes: Sequence[int] = (),
) -> xr.Dataset:
    """Step all sources together and measure every step; stops after the first non-finite frame.

    sources: by their name along the dimension `side`, the reference first, the judged one last.
    on_frame: called with every step and the judged side's frame; frames are dropped afterwards.
    structure: the steps, in order, at which `Measure.structure_variables` are measured too, if it has
    any.  planes: the steps whose mid-planes are kept for pictures.
    Returns a Dataset as `Tape` makes it.  Attributes `diverged_at` (-1 if finite throughout) and
    `diverged_in` say where the judged side ceased to be finite.
    """
    tape = Tape(tuple(sources), steps, measure, structure if measure.structure_variables else ())
    diverged_at, diverged_in = -1, ""
    previous: Tensor | None = None
    for step in range(steps + 1):
        stack = torch.stack([source(step) for source in sources.values()])
        measured = measure(stack, previous, step in structure)
        finite = measured.pop("finite")
        tape.write(step, measured)
        if step in planes:
            tape.keep_plane(step, stack)
        on_frame(step, stack[-1])
        if not finite.all():
            diverged_at = step
            diverged_in = measure.layout.channels[int((~finite).any(axis=0).argmax())]
            break
        previous = stack
    return tape.dataset().assign_attrs(diverged_at=diverged_at, diverged_in=diverged_in)
