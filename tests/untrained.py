"""Learned surrogates that have learned nothing, and states to give them."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.surrogates.minis import MINIS, Mini, build
from harness.surrogates.minis.increments import FixedUnits
from training.train_minis import scales


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def state(n_history: int, cells: int = 16, dtype: torch.dtype = torch.float32) -> Tensor:
    """Positive density, mean field along x, everything else noise."""
    history = 0.3 * noise(n_history, 7, cells, cells, cells, dtype=dtype)
    history[:, 0] = 1 + history[:, 0].abs()
    history[:, 1] += 1
    return history


def untrained(name: str, seed: int = 0) -> Mini:
    """A mini whose normalisation is not trivial."""
    mini = build(MINIS[name], seed)
    if isinstance(mini.module, FixedUnits):
        mini.module.load_state_dict(scales([state(8, cells=8)]), strict=False)
    return mini
