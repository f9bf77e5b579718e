"""Noise on the input of a rollout: is an outcome decided by digits that no measurement resolves?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from harness.probes.scales import sigma
from harness.stepping import Draw


@dataclass(frozen=True)
class InputNoise:
    """White noise on every input frame.

    scale: its standard deviation in units of each channel's own (that of the last input frame).
    seed: of a `Draw`, whose numbers of step 0 it uses; a model's own begin at step 1.
    """

    scale: float
    seed: int = 0

    def add(self, history: Tensor) -> Tensor:
        """History (n, C, *space) with noise; the same numbers in every precision, on every device."""
        numbers = torch.randn(history.shape, generator=Draw(self.seed).torch(0), dtype=torch.float64)
        unit = sigma(history[-1]).double()
        return history + (self.scale * unit * numbers.to(history.device)).to(history.dtype)
