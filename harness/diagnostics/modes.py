"""Energies of Fourier modes of real fields, and their sums over shells and lines of modes.

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

from harness.diagnostics.spectra import shell_rows


def power(modes: Tensor) -> Tensor:
    """|F|^2 of every mode, real: (S, *half lattice)."""
    result = torch.empty(modes.shape, dtype=modes.real.dtype, device=modes.device)
    for side, out in zip(torch.view_as_real(modes), result, strict=True):  # stays in the cache
        squared = side.square()
        torch.add(squared[..., 0], squared[..., 1], out=out)
    return result


class ShellSums:
    """Sums over shells of k_perp: of rows of modes first, then of the rows of many fields at once.

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

    def gathered(self, modes: Tensor) -> list[Tensor]:
        """Modes (S, *half lattice) row by row, real and imaginary parts in turn: S x (rows, 2 n)."""
        real = modes.real.dtype
        flat = modes.flatten(1)
        if real == torch.float32:
            flat = flat.view(torch.float64)  # one word per mode: gathered in half the time
        sides = [side.index_select(0, self._index).view(real) for side in flat]
        return [side.view(-1, 2 * self._length) for side in sides]

    def shells(self, rows: Tensor) -> Tensor:
        """From sums over rows, (..., rows), to sums over shells / n^2, (..., shell) float64."""
        return (rows.double() / self._cells**2) @ self._shells.T


def line_sums(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted sums along the last axis of (S, *lattice), (S, lines) float64."""
    return (values.flatten(0, -2) @ weight).view(len(values), -1).double()
