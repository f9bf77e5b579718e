"""Fields with a turbulent spectrum, and what is true of them, computed plainly."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

CELLS = 16
SPACE = (CELLS, CELLS, CELLS)


def lattice(space: tuple[int, ...]) -> np.ndarray:
    """Wave vectors in cycles per cell over the full lattice."""
    return np.stack(np.meshgrid(*(np.fft.fftfreq(n) for n in space), indexing="ij"))


def turbulent(space: tuple[int, ...] = SPACE, seed: int = 0) -> Tensor:
    """A solenoidal random field (3, *space) about the mean field (1, 0, 0), below Nyquist."""
    rng = np.random.default_rng(seed)
    modes = np.fft.fftn(rng.normal(size=(3, *space)), axes=(1, 2, 3))
    k = lattice(space)
    length = np.sqrt((k**2).sum(0))
    length[0, 0, 0] = 1.0
    modes -= k * (k * modes).sum(0) / length**2
    modes *= np.where((np.abs(k) < 0.45).all(0), length**-2.5, 0.0)
    modes[:, 0, 0, 0] = 0.0
    field = np.fft.ifftn(modes, axes=(1, 2, 3)).real
    field *= 0.5 / field.std()
    field[0] += 1.0
    return torch.from_numpy(field)


def power(field: Tensor) -> np.ndarray:
    """abs(f_k)^2 over the full lattice, without the mean."""
    modes = np.fft.fftn(field.numpy(), axes=(-3, -2, -1), norm="forward")
    modes[..., 0, 0, 0] = 0.0
    return np.abs(modes) ** 2


def shells(values: np.ndarray) -> np.ndarray:
    """Sums of (x, y, z) over shells of (k_y, k_z), of a cubic lattice."""
    n = values.shape[0]
    k = lattice(values.shape) * n
    number = np.floor(np.sqrt(k[1] ** 2 + k[2] ** 2) + 0.5).astype(int)
    return np.bincount(number.ravel(), values.ravel())


def divergence_ratio(field: Tensor) -> float:
    """D = sqrt( sum (k.B)^2 / sum k^2 B^2 )."""
    modes = np.fft.fftn(field.numpy(), axes=(-3, -2, -1))
    k = lattice(tuple(field.shape[1:]))
    total = ((k**2).sum(0) * np.abs(modes) ** 2).sum()
    return float(np.sqrt((np.abs((k * modes).sum(0)) ** 2).sum() / total))


def stencil(field: Tensor) -> Tensor:
    """Centred-difference divergence."""
    return sum((f.roll(-1, axis) - f.roll(1, axis)) / 2 for axis, f in enumerate(field))  # type: ignore[return-value]


def about_zero(field: Tensor) -> Tensor:
    """The fluctuation of (C, *space) about its mean."""
    return field - field.mean((1, 2, 3), keepdim=True)
