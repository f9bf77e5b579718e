"""One step of a model: its form, and the random numbers it may use."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

#: (n_history, C, *space) in physical units, step number (1 = first prediction) -> (C, *space)
Stepper = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class Draw:
    """One seed of a stochastic model: every random number of a rollout comes from here.

    Generators depend on (seed, step) only, so float32 and float64 see the same numbers and a
    rollout can be resumed at any step.  `seed=None` asks the model for no randomness at all.
    """

    seed: int | None = 0

    def torch(self, step: int) -> torch.Generator:
        """A CPU generator for one step; move the numbers to the device, not the generator."""
        return torch.Generator().manual_seed(self._entropy(step))

    def numpy(self, step: int) -> np.random.Generator:
        """A numpy generator for one step."""
        return np.random.default_rng(self._entropy(step))

    def _entropy(self, step: int) -> int:
        if self.seed is None:
            raise ValueError("this draw holds no randomness (seed None): the model must do without")
        digest = hashlib.sha256(f"{self.seed}/{step}".encode()).digest()
        return int.from_bytes(digest[:8], "little") >> 1
