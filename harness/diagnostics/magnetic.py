"""Divergence of the magnetic field, and the balance of its two perpendicular components."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.diagnostics.modes import line_sums
from harness.diagnostics.spectra import conjugate_weight, wavenumbers

Array = NDArray[np.float64]


class Divergence:
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
        self._cells = math.prod(shape)
        k = wavenumbers(shape)
        sines = [np.sin(2 * np.pi / min(shape) * component) for component in k]
        inside = np.ones(shape[:-1])
        for axis, cells in enumerate(shape[:-1]):
            if cells % 2 == 0:
                inside[(slice(None),) * axis + (cells // 2,)] = 0.0
        lines = inside * sum(component[..., 0] ** 2 for component in k[:-1])
        every = conjugate_weight(shape[-1])
        off_nyquist = np.where(every == 1.0, 0.0, every)
        off_nyquist[0] = 1.0

        def tensor(array: Array, precision: torch.dtype = dtype) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device, precision)

        def parts(array: Array) -> Tensor:
            """Along the last axis each factor serves a real and an imaginary part."""
            return tensor(np.repeat(array, 2, axis=-1))

        self._wavenumbers = [*map(tensor, k[:-1]), parts(k[-1])]
        self._sines = [*map(tensor, sines[:-1]), parts(sines[-1])]
        self._every, self._off_nyquist = parts(every), parts(off_nyquist)
        self._off_nyquist_squared = parts(off_nyquist * k[-1].ravel() ** 2)
        self._inside = tensor(inside.ravel(), torch.float64)
        self._lines_squared = tensor(lines.ravel(), torch.float64)

    def __call__(self, modes: Sequence[Tensor]) -> Tensor:
        """Spectral ratio D and root mean square of the centred divergence, each (S,) float64.

        D = sqrt( sum |k.B_k|^2 / sum |k|^2 |B_k|^2 ) over k != 0 off the Nyquist planes: 0 for a
        solenoidal field, 1 for a gradient, in between the root of the gradient part's share of
        the k^2-weighted energy; undefined for a uniform field.  The rms is over all cells, h = 1.

        Args:
            modes: of each component, (S, *half lattice), complex, as rfftn returns them.
        """
        # Complex (..., n) as real (..., 2 n): torch is slow at complex times broadcast real.
        field = [torch.view_as_real(component).flatten(-2) for component in modes]
        # One temporary at a time, to stay in the cache.
        gradient = line_sums(_contracted_square(field, self._wavenumbers), self._off_nyquist)
        centred = line_sums(_contracted_square(field, self._sines), self._every).sum(1) / self._cells**2
        power = field[0].square()
        for component in field[1:]:
            power.addcmul_(component, component)
        total = line_sums(power, self._off_nyquist) @ self._lines_squared
        total += line_sums(power, self._off_nyquist_squared) @ self._inside
        return torch.stack([gradient @ self._inside / total, centred]).sqrt()


def _contracted_square(field: Sequence[Tensor], factors: Sequence[Tensor]) -> Tensor:
    """Square of the sum of components times factors."""
    total = field[0] * factors[0]
    for component, factor in zip(field[1:], factors[1:], strict=True):
        total.addcmul_(component, factor)
    return total.square_()


def across_axes(guide: Sequence[float]) -> tuple[int, ...]:
    """The grid axes other than the one nearest to the guide field, in order.

    For a guide field along x in 3D: (1, 2), the y and z axes.  The last two where it is zero and no
    axis differs from another.  Of a guide field that lies along no axis the components across it are
    not those of the grid, and what is told of them is of the grid's.
    """
    if not np.any(guide):
        return tuple(range(len(guide)))[-2:]
    nearest = int(np.argmax(np.abs(guide)))
    return tuple(axis for axis in range(len(guide)) if axis != nearest)


def anisotropy(first: Array, second: Array) -> Array:
    """A = ln(var B_y / var B_z) of the two components across the guide field, (step); no unit."""
    with np.errstate(all="ignore"):
        return np.log(first / second)


def exclusivity(prediction: Array, truth: Array) -> Array:
    """Log excess of the smaller component over that of the larger, no unit.

    The log excess of a component is ln(var_p / var_u), prediction over truth in the same frame.  0
    or less where one component alone grows, 1 where both grow alike; ill-conditioned, and without
    meaning, while neither departs from the truth.

    Args:
        prediction: variances of the two components across the guide field, (step, 2).
        truth: likewise.

    Returns:
        (step).
    """
    with np.errstate(all="ignore"):
        excess = np.log(prediction / truth)
        return excess.min(axis=1) / excess.max(axis=1)
