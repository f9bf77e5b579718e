"""The autoregressive loop: two sources of frames, stepped side by side and measured as they go.

A *source* gives the frame of a step: the truth reads it from a file, a surrogate computes it from
its own last frames.  A rollout measures a surrogate against the truth, a twin measures a float32
rollout against a float64 rollout of the same model, a truth record measures the truth alone, and a
branch the surrogate alone.  The
loop is the same, and holds no more frames than twice the model's history.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from harness import interventions, numerics
from harness.diagnostics.measure import Measure
from harness.probes.moments import Moments
from harness.record import SIDE
from harness.surrogates.base import Draw, Stepper, Surrogate
from harness.truth.well import Frames
from harness.truth.window import Window

#: step (0 = last input frame) -> frame (C, *space); called with 0, 1, 2, ... in order
Source = Callable[[int], Tensor]

#: steps whose mid-plane slices are kept for pictures
SLICE_STEPS = (0, 1, 5, 10, 25, 50)
#: steps at which structure is measured, beside the last: it costs as much as a step does otherwise
STRUCTURE_STEPS = (1, 10)


def structure_steps(steps: int) -> tuple[int, ...]:
    """The predicted steps, of a rollout of `steps`, at which structure is measured."""
    return (*(step for step in STRUCTURE_STEPS if step < steps), steps)


def read_truth(frames: Frames, window: Window, device: torch.device, dtype: torch.dtype) -> Source:
    """The truth's own frames, one at a time."""
    return lambda step: frames.read(window.frame(step)).to(device, dtype)


def input_frames(surrogate: Surrogate, history: Tensor, precision: str) -> Tensor:
    """The frames a model conditions on: the last of the window's, in the state's precision.

    So every model starts from one state, whatever its history.  ValueError if there are too few.
    """
    if len(history) < surrogate.n_history:
        raise ValueError(
            f"the model conditions on {surrogate.n_history} frames, the window has {len(history)}"
        )
    return history[-surrogate.n_history :].to(numerics.DTYPES[precision])


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


class Rolled:
    """A surrogate fed with its own output.

    history: the window's input frames (n, C, *space), at least as many as the model conditions on.
    names: the interventions it runs under, in the order of their application.
    """

    def __init__(
        self,
        surrogate: Surrogate,
        window: Window,
        history: Tensor,
        draw: Draw,
        precision: str,
        names: Sequence[str] = (),
    ) -> None:
        self._recent = Recent(input_frames(surrogate, history, precision))
        self._step = one_step(surrogate, window, history, draw, precision, names)

    def __call__(self, step: int) -> Tensor:
        """The frame of the next step; step 0 gives the last input frame."""
        if step == 0:
            return self._recent.frames[-1]
        frame = self._step(self._recent.frames, step)
        self._recent.append(frame)
        return frame


def one_step(
    surrogate: Surrogate,
    window: Window,
    history: Tensor,
    draw: Draw,
    precision: str,
    names: Sequence[str] = (),
) -> Stepper:
    """A surrogate's map from its history (n, C, *space) to the next frame, under interventions.

    history: the window's input frames, which the interventions may take their scales from.
    The map keeps nothing between calls, and raises ValueError for a frame of another shape.
    """
    history = history.to(numerics.DTYPES[precision])
    bare = surrogate.to(history.device, history.dtype).begin(window, draw)
    setting = interventions.Setting(window, history, draw)
    return interventions.apply(names, _checked(bare, precision), setting)


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
    sources: Sequence[Source],
    sides: Sequence[str],
    steps: int,
    measure: Measure | Moments,
    on_step: Callable[[int, Tensor], None] = lambda step, frame: None,
    keep_slices: bool = False,
    structure: Sequence[int] = (),
) -> xr.Dataset:
    """Step all sources together and measure every step; stops after the first non-finite frame.

    sides: name of each source along the dimension `side`, the reference first.
    on_step: called with every step and the judged side's frame; frames are dropped afterwards.
    structure: the steps, in order, at which `Measure.structure_variables` are measured too; they
    have a dimension of their own, `structure_step`.
    Returns a Dataset over (side, step, ...) with steps 0..steps.  Attributes `diverged_at` (-1 if
    finite throughout) and `diverged_in` say where the judged side, the last, ceased to be finite.
    """
    arrays: dict[str, np.ndarray] = {}
    slices: dict[int, np.ndarray] = {}
    diverged_at, diverged_in = -1, ""
    previous: Tensor | None = None
    for step in range(steps + 1):
        stack = torch.stack([source(step) for source in sources])
        measured = measure(stack, previous, step in structure)
        finite = measured.pop("finite")
        for name, values in measured.items():
            rows = structure if name in measure.structure_variables else range(steps + 1)
            if name not in arrays:
                arrays[name] = np.full((len(rows), *np.shape(values)), np.nan)
            arrays[name][rows.index(step)] = values
        if keep_slices and step in SLICE_STEPS:
            slices[step] = _mid_plane(stack)
        on_step(step, stack[-1])
        if not finite.all():
            diverged_at = step
            diverged_in = measure.layout.channels[int((~finite).any(axis=0).argmax())]
            break
        previous = stack
    return _dataset(arrays, measure, sides, steps, structure, slices).assign_attrs(
        diverged_at=diverged_at, diverged_in=diverged_in
    )


def _mid_plane(stack: Tensor) -> np.ndarray:
    """The plane through the middle of the first spatial axis, (side, channel, y[, z])."""
    middle = stack.shape[2] // 2
    return stack[:, :, middle].to("cpu", torch.float32).numpy()


def _dataset(
    arrays: dict[str, np.ndarray],
    measure: Measure | Moments,
    sides: Sequence[str],
    steps: int,
    structure: Sequence[int],
    slices: dict[int, np.ndarray],
) -> xr.Dataset:
    variables: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    for name, values in arrays.items():
        scheduled = name in measure.structure_variables
        dims = (measure.structure_variables if scheduled else measure.variables)[name]
        along = "structure_step" if scheduled else "step"
        # The loop stacks steps first; a reader expects the side first.
        if dims and dims[0] == SIDE:
            variables[name] = ((SIDE, along, *dims[1:]), np.moveaxis(values, 0, 1))
        else:
            variables[name] = ((along, *dims), values)
    if slices:
        planes = np.stack(list(slices.values()), axis=1)
        axes = ("y", "z")[: planes.ndim - 3]
        variables["slice"] = ((SIDE, "slice_step", "channel", *axes), planes)
    coords = {
        SIDE: ((SIDE,), list(sides)),
        "step": (("step",), np.arange(steps + 1)),
        "structure_step": (("structure_step",), list(structure)),
        "slice_step": (("slice_step",), list(slices)),
        "channel": (("channel",), list(measure.layout.channels)),
        "field": (("channel",), list(measure.layout.field_of_channel)),
        **measure.coords,
    }
    held = {dim for dims, _ in variables.values() for dim in dims}
    return xr.Dataset(variables, {n: c for n, c in coords.items() if held.issuperset(c[0])})
