"""Frame pairs that look like turbulence: what the benchmarks of diagnostics are run on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from harness.fields import MHD


def frame_pairs(grid: int, guide: tuple[float, float, float]) -> tuple[Tensor, Tensor]:
    """A stack of truth and prediction, (2, 7, grid, grid, grid), and the one before it.

    Energy spectra fall like k^-5/3 (amplitudes like k^-11/6 per mode), B is solenoidal around its
    mean `guide`, and the prediction has some cells of negative density, which are dearer to measure
    than none.
    """
    shape = (grid, grid, grid)
    modes = np.fft.fftfreq(grid, 1 / grid)
    k = np.stack(np.meshgrid(modes, modes, np.fft.rfftfreq(grid, 1 / grid), indexing="ij"))
    squared = (k**2).sum(0)
    squared[0, 0, 0] = np.inf
    generator = np.random.default_rng(0)

    def field(components: int, rms: float) -> np.ndarray:
        noise = np.fft.rfftn(generator.normal(size=(components, *shape)), axes=(1, 2, 3))
        noise *= squared ** (-11 / 12)
        if components == 3:
            noise -= k * (k * noise).sum(0) / squared
        values = np.fft.irfftn(noise, s=shape, axes=(1, 2, 3))
        return values * (rms / values.std())

    def frame(rms_density: float) -> np.ndarray:
        b0 = np.reshape(guide, (3, 1, 1, 1))
        return np.concatenate([1 + field(1, rms_density), b0 + field(3, 0.3), field(3, 0.4)])

    assert MHD.n_channels == 7
    stack = np.stack([frame(0.2), frame(0.4)])
    previous = stack + 0.05 * np.stack([frame(0.2), frame(0.2)])
    return torch.from_numpy(stack).float(), torch.from_numpy(previous).float()
