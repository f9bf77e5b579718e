"""Surrogates that replay the truth with one planted fault."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from harness.fields import FieldLayout
from harness.stepping import Draw, Stepper
from harness.surrogates.reference import Replay
from harness.truth.well import Frames
from harness.truth.window import Window

#: step -> the truth's frame of that step, (C, *space)
Read = Callable[[int], Tensor]
#: (read, layout, step, steps of the window) -> the faulty frame of the step
Fault = Callable[[Read, FieldLayout, int, int], Tensor]


def sources() -> str:
    """SHA-256 of this package's source: an altered fault never meets an old record."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


class Faulty(Replay):
    """Truth with a fault, worked out in float64 and then delivered in the precision asked for."""

    working: torch.dtype | None = torch.float64

    def __init__(self, fields: FieldLayout, name: str, fault: Fault) -> None:
        super().__init__(fields)
        self._name, self._fault = name, fault

    def begin(self, window: Window, draw: Draw) -> Stepper:
        """Reads the truth's frame of the step, or others near it, and plants the fault."""

        def step_to(history: Tensor, step: int) -> Tensor:
            with Frames(self.simulation(window), self.fields) as frames:

                def read(wanted: int) -> Tensor:
                    # Files hold float32; reading them is no arithmetic of the model's, which is
                    # what a precision audit looks at.
                    with _disable_current_modes():
                        frame = frames.read(window.frame(wanted))
                        return frame.to(self._device, self.working or self._dtype)

                return self._fault(read, self.fields, step, window.steps).to(self._dtype)

        return step_to

    def fingerprint(self) -> str:
        """Name of the fault and source of all faults."""
        return hashlib.sha256(f"control/{self._name}/{sources()}".encode()).hexdigest()


class FaultyArithmetic(Faulty):
    """A fault of arithmetic: it is worked out in the precision that the surrogate is given."""

    traits = frozenset({"dtype"})
    working = None
