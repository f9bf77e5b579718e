"""What a run with an expensive model takes, said before it starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import torch

from harness import numerics
from harness.stepping import Draw
from harness.surrogates.base import Surrogate
from harness.truth.window import Window

#: a first step that took this many seconds is not repeated: what it spent on setting up is little
LONG = 1.0


@runtime_checkable
class Forecasting(Protocol):
    """A surrogate that can tell, in seconds and without a rollout, what a rollout would take.

    Optional: of another model one step is timed.
    """

    def seconds_per_step(self, window: Window, device: torch.device, precision: str) -> float:
        """Time of one step, or a lower bound of it; ValueError for a window that cannot be rolled."""
        ...


def seconds_per_step(
    surrogate: Surrogate, window: Window, device: torch.device, precision: str
) -> float:
    """What the model says itself, else the time of one step on a state of ones."""
    if isinstance(surrogate, Forecasting):
        return surrogate.seconds_per_step(window, device, precision)
    simulation = window.simulation
    dtype = numerics.DTYPES[precision]
    moved = surrogate.to(device, dtype)
    shape = (moved.n_history, simulation.layout.n_channels, *simulation.shape)
    history = torch.ones(shape, device=device, dtype=dtype)
    with torch.no_grad(), numerics.strict(), numerics.autocast(precision, device):
        stepper = moved.begin(window, Draw())
        first = _timed(lambda: stepper(history, 1), device)
        return first if first > LONG else min(first, _timed(lambda: stepper(history, 1), device))


def _timed(step: Callable[[], object], device: torch.device) -> float:
    start = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def seconds(
    surrogate: Surrogate, windows: Sequence[Window], device: torch.device, precision: str
) -> float:
    """Time of one rollout of every window."""
    per_step: dict[tuple[object, ...], float] = {}
    total = 0.0
    for window in windows:
        simulation = window.simulation
        kind = (simulation.shape, simulation.boundaries, simulation.layout, simulation.dataset)
        if kind not in per_step:
            per_step[kind] = seconds_per_step(surrogate, window, device, precision)
        total += per_step[kind] * window.steps
    return total


def spoken(seconds: float) -> str:
    """A duration in words: "40 s", "12 min", "5 h", "3 days"."""
    for unit, length in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
