"""Fourier coefficients of periodic fields, and exact changes of grid.

Coefficients are normalised so that f(x) = sum_k c_k exp(i k.x) on a box of side 2 pi: they do
not depend on the grid, and c_0 is the mean.  Only k_z = 0..cutoff is kept (the rest follows
from c_{-k} = c_k*), with k_x and k_y in FFT order.  A grid of n cells per side holds the
wavenumbers abs(k_i) < n/2 exactly; its Nyquist wavenumber n/2 stands for +n/2 and -n/2 at once,
has no derivative, and is left out.
"""

from __future__ import annotations

import torch
from torch import Tensor

SPACE = (-3, -2, -1)


def wavenumbers(n: int, cutoff: int, device: torch.device | str = "cpu") -> Tensor:
    """Integer wave vectors (3, n, n, cutoff + 1) of the coefficients of an n^3 grid, float64."""
    full = torch.fft.fftfreq(n, 1 / n, device=device, dtype=torch.float64).round()
    half = full[: cutoff + 1].abs()
    return torch.stack(torch.meshgrid(full, full, half, indexing="ij"))


def forward(field: Tensor, cutoff: int) -> Tensor:
    """Coefficients (..., n, n, cutoff + 1) of a real field (..., n, n, n), k_x, k_y unmasked."""
    half = torch.fft.rfft(field, dim=-1, norm="forward")[..., : cutoff + 1]
    return torch.fft.fft2(half, dim=(-3, -2), norm="forward")


def inverse(coefficients: Tensor, n: int) -> Tensor:
    """The real field (..., n, n, n) of coefficients (..., n, n, cutoff + 1)."""
    planes = torch.fft.ifft2(coefficients, dim=(-3, -2), norm="forward")
    return torch.fft.irfft(planes, n=n, dim=-1, norm="forward")


def resample(field: Tensor, n: int) -> Tensor:
    """The same field (..., m, m, m) on n^3 cells, by its Fourier series.

    Wavenumbers abs(k_i) < min(m, n)/2 are kept, all others dropped: exact, both ways, for a
    field that has no others, and the sharpest low-pass for one that has.
    """
    m = field.shape[-1]
    if m == n:
        return field
    cutoff = (min(m, n) - 1) // 2
    source = forward(field, cutoff)
    target = source.new_zeros((*field.shape[:-3], n, n, cutoff + 1))
    low, high = slice(0, cutoff + 1), slice(-cutoff, None)
    for x in (low, high):
        for y in (low, high):
            target[..., x, y, :] = source[..., x, y, :]
    return inverse(target, n)
