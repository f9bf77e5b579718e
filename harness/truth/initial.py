"""The states that the embedded simulations start from: seeded noise, or shipped turbulence."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from harness.truth.mhd import Settings
from harness.truth.spectral import forward, inverse, resample, wavenumbers

#: Made by training/spin_up.py.
STATES = Path(__file__).parent / "states" / "simulated_test.safetensors"


def noise(seed: int, n: int, settings: Settings) -> Tensor:
    """State (7, n, n, n), float64: unit density, random solenoidal v and B - B0 at abs(k_i) <= 3.

    rms abs(v) is 0.7 and rms abs(B - B0) is 0.3, near those of the turbulence that grows from it.
    """
    cells, cutoff = 16, 3
    generator = torch.Generator().manual_seed(seed)
    k = wavenumbers(cells, cutoff)
    k2 = k.square().sum(0)
    allowed = (k.abs() <= cutoff).all(0) & (k2 > 0)

    def solenoidal(rms: float) -> Tensor:
        white = torch.randn(3, cells, cells, cells, generator=generator, dtype=torch.float64)
        c = forward(white, cutoff) * allowed
        c = c - k * (k * c).sum(0) / k2.clamp_min(1)
        values = inverse(c, cells)
        return resample(values * (rms / values.square().sum(0).mean().sqrt()), n)

    v, b = solenoidal(0.7), solenoidal(0.3)
    b += b.new_tensor(settings.mean_field).view(3, 1, 1, 1)
    return torch.cat([torch.ones_like(v[:1]), b, v])


@cache
def shipped_states() -> dict[str, Tensor]:
    """The first frames of the test split, "s<seed>" -> (7, 24, 24, 24), float32."""
    return load_file(STATES)
