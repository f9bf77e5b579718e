"""What an expensive model can say of a run before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch

from harness.truth.window import Window


@runtime_checkable
class Forecasting(Protocol):
    """A surrogate that can tell, in seconds and without a rollout, what a rollout would take.

    Optional: a model that steps in milliseconds need not.
    """

    def seconds_per_step(self, window: Window, device: torch.device, precision: str) -> float:
        """Time of one step, or a lower bound of it; ValueError for a window that cannot be rolled."""
        ...


def seconds(
    surrogate: Forecasting, windows: Sequence[Window], device: torch.device, precision: str
) -> float:
    """Time of one rollout of every window."""
    per_step: dict[tuple[object, ...], float] = {}
    total = 0.0
    for window in windows:
        simulation = window.simulation
        kind = (simulation.shape, simulation.boundaries, simulation.layout, simulation.dataset)
        if kind not in per_step:
            per_step[kind] = surrogate.seconds_per_step(window, device, precision)
        total += per_step[kind] * window.steps
    return total


def spoken(seconds: float) -> str:
    """A duration in words: "40 s", "12 min", "5 h", "3 days"."""
    for unit, length in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
