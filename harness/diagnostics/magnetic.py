"""Divergence of the magnetic field, and the balance of its two perpendicular components."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.diagnostics.spectra import wavenumbers

Array = NDArray[np.float64]


class DivergenceOperators:
    """Two discrete divergences of a periodic vector field, evaluated on its Fourier modes.

    The centred difference (f(x + h) - f(x - h)) / 2h multiplies mode n of an axis of N cells by
    i sin(2 pi n / N) / h, so Parseval's theorem gives its mean square without a stencil in real
    space.  Toth 2000 (J. Comput. Phys. 161, 605) compares discrete divergences of B.

    Args:
        shape: cells along each axis; as many axes as the field has components.
        device: of the modes.
        dtype: real type of the modes.
    """

    def __init__(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> None:
        k = wavenumbers(shape)
        inside = np.ones(shape[:-1])
        for axis, cells in enumerate(shape[:-1]):
            if cells % 2 == 0:
                inside[(slice(None),) * axis + (cells // 2,)] = 0.0
        lines = inside * sum(component[..., 0] ** 2 for component in k[:-1])
        self._has_nyquist = shape[-1] % 2 == 0
        self._wavenumbers = _multipliers(k, device, dtype)
        self._sines = _multipliers([np.sin(2 * np.pi / min(shape) * c) for c in k], device, dtype)
        self._last_squared = self._wavenumbers[-1].square()
        self._inside = torch.from_numpy(inside).to(device)
        self._lines_squared = torch.from_numpy(lines).to(device)

    def spectral_ratio(self, modes: Tensor) -> Tensor:
        """D = sqrt( sum |k.B_k|^2 / sum |k|^2 |B_k|^2 ), over k != 0 off the Nyquist planes.

        0 for a solenoidal field, 1 for a gradient, in between the root of the gradient part's
        share of the k^2-weighted energy.  No unit.  NaN for a uniform field.

        Args:
            modes: (components, *half lattice), complex.
        """
        parts = _real_parts(modes)
        power = parts[0].square()
        for part in parts[1:]:
            power.addcmul_(part, part)
        total = (self._lines_squared * self._line_sums(power, nyquist=False)).sum()
        power *= self._last_squared
        total += (self._inside * self._line_sums(power, nyquist=False)).sum()
        gradient = _contract(parts, self._wavenumbers).square_()
        return ((self._inside * self._line_sums(gradient, nyquist=False)).sum() / total).sqrt()

    def centred_rms(self, modes: Tensor) -> Tensor:
        """Root mean square over cells of the centred-difference divergence, h = 1, all modes.

        Args:
            modes: (components, *half lattice), complex, of rfftn with norm="forward".
        """
        divergence = _contract(_real_parts(modes), self._sines).square_()
        return self._line_sums(divergence, nyquist=True).sum().sqrt()

    def _line_sums(self, energy: Tensor, *, nyquist: bool) -> Tensor:
        """Sum along the last, halved axis, counting the modes that stand for their conjugates."""
        end = -2 if self._has_nyquist else None
        total = 2 * energy[..., 2:end].sum(-1).double() + energy[..., :2].sum(-1)
        if nyquist and self._has_nyquist:
            total += energy[..., -2:].sum(-1)
        return total


def _real_parts(modes: Tensor) -> Tensor:
    """Complex (..., n) as real (..., 2 n): torch is slow at complex times broadcast real."""
    return torch.view_as_real(modes).flatten(-2)


def _multipliers(k: Sequence[Array], device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    """Factors that broadcast over `_real_parts`."""
    factors = [*k[:-1], np.repeat(k[-1], 2, axis=-1)]
    return [torch.from_numpy(factor).to(device, dtype) for factor in factors]


def _contract(parts: Tensor, factors: Sequence[Tensor]) -> Tensor:
    total = parts[0] * factors[0]
    for part, factor in zip(parts[1:], factors[1:], strict=True):
        total.addcmul_(part, factor)
    return total
