"""Sums over the Fourier modes of real fields: of every shell, and of the whole lattice.

Modes are those of rfftn, unnormalised, on the half lattice of a periodic box: (S, *half lattice)
complex, S sides.  Sums run over rows or lines of modes in the working precision and over these in
float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.diagnostics.spectra import conjugate_weight, shell_rows


def power(modes: Tensor) -> Tensor:
    """|F|^2 of every mode, real, of the shape of `modes`."""
    squared = torch.view_as_real(modes).square()
    return squared[..., 0] + squared[..., 1]


def co_power(first: Tensor, second: Tensor) -> Tensor:
    """Re(F G*) of every mode, real."""
    product = torch.view_as_real(first) * torch.view_as_real(second)
    return product[..., 0] + product[..., 1]


class ShellSums:
    """Sums over shells of k_perp, in two steps so that the second serves many fields at once.

    Args:
        shape: cells along each axis.
        guide: direction of k_par, None for shells of |k| (`spectra.perpendicular_wavenumber`).
        device: of the modes.

    Attributes:
        modes: number of modes of the full lattice in each shell, the last being the overflow.
    """

    def __init__(
        self,
        shape: Sequence[int],
        guide: Sequence[float] | NDArray[np.float64] | None,
        device: torch.device,
    ) -> None:
        rows = shell_rows(shape, guide)
        self.modes = rows.modes
        self._length = rows.length
        self._index = torch.from_numpy(rows.index).to(device)
        self._shells = torch.from_numpy(rows.shells).to(device)
        self._cells = math.prod(shape)

    def rows(self, values: Tensor) -> Tensor:
        """Sums of real values of modes, (S, *half lattice), over each row of one shell."""
        sides = [side.index_select(0, self._index) for side in values.flatten(1)]
        return torch.stack([side.view(-1, self._length).sum(-1) for side in sides])

    def shells(self, rows: Tensor) -> Tensor:
        """From row sums (..., rows) to energies: sums over the full lattice / n^2, (..., shell)."""
        return (rows.double() / self._cells**2) @ self._shells.T


class LatticeSum:
    """Sums over the full lattice.

    Args:
        shape: cells along each axis.
        device: of the modes.
        dtype: real type of the modes.
    """

    def __init__(self, shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> None:
        weight = np.repeat(conjugate_weight(shape[-1]), 2)
        self._weight = torch.from_numpy(weight).to(device, dtype)
        self._cells = math.prod(shape)

    def covariance(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        """<f.g> - <f>.<g> of two vector fields, (S,) float64, by Parseval's theorem.

        Of modes without the mean nothing cancels but the fluctuations themselves.

        Args:
            first: modes of each component, without the mean.
            second: likewise.
        """
        # Complex (..., n) as real (..., 2 n), as the weight repeats.
        pairs = [
            (torch.view_as_real(f).flatten(-2), torch.view_as_real(g).flatten(-2))
            for f, g in zip(first, second, strict=True)
        ]
        total = pairs[0][0] * pairs[0][1]
        for f, g in pairs[1:]:
            total.addcmul_(f, g)
        return line_sums(total, self._weight).sum(1) / self._cells**2


def line_sums(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted sums along the last axis of (S, *lattice), (S, lines) float64."""
    return (values.flatten(0, -2) @ weight).view(len(values), -1).double()
