"""Perpendicular energy spectra: shells, their binning as rows of modes, and derived figures.

Wavenumbers are in units of 2 pi / (N h), N the smallest number of cells along an axis and h the
grid spacing (cubic cells): on a cubic grid they are the integer mode numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Band edges as fractions of the Nyquist wavenumber N/2, [low, high).
BANDS: dict[str, tuple[float, float]] = {
    "low": (0.0, 0.25),
    "mid": (0.25, 0.5),
    "high": (0.5, 0.75),
    "top": (0.75, 1.0),
}


def wavenumbers(shape: Sequence[int], *, half: bool = True) -> list[Array]:
    """Wavenumber along each axis of the (half) Fourier lattice of a real field.

    k_i = n_i N / N_i with n_i the signed mode number and N = min(N_i); the last axis keeps
    n >= 0 only where `half` is set (the layout of rfftn).  Each array is shaped to broadcast.
    """
    smallest, axes = min(shape), len(shape)
    result: list[Array] = []
    for axis, cells in enumerate(shape):
        last = half and axis == axes - 1
        modes = np.fft.rfftfreq(cells, 1 / cells) if last else np.fft.fftfreq(cells, 1 / cells)
        stretch = [1] * axes
        stretch[axis] = -1
        result.append((np.float64(smallest / cells) * modes).reshape(stretch))
    return result


def perpendicular_wavenumber(
    shape: Sequence[int], guide: Sequence[float] | Array | None, *, half: bool = True
) -> Array:
    """k_perp of every mode: k_perp^2 = |k|^2 - (k.b)^2, b the direction of `guide`.

    Without a guide field it is |k|.  A Nyquist component stands for both its signs, which give
    different k_perp when b is tilted: k_perp^2 is then the mean over the signs, so that a mode
    and its conjugate always share a shell.
    """
    k = wavenumbers(shape, half=half)
    squared = np.asarray(sum(component**2 for component in k))
    if guide is None:
        return np.sqrt(squared)
    b = np.asarray(guide, dtype=np.float64)
    along = [direction * component for direction, component in zip(b, k, strict=True)]
    nyquist = [(np.abs(c) == min(shape) / 2) for c in k]
    signed = sum(np.where(mask, 0.0, a) for a, mask in zip(along, nyquist, strict=True))
    unsigned = sum(np.where(mask, a, 0.0) ** 2 for a, mask in zip(along, nyquist, strict=True))
    parallel_squared = (signed**2 + unsigned) / (b @ b)
    return np.sqrt(np.maximum(squared - parallel_squared, 0.0))


def shell_index(k_perp: Array, smallest: int) -> NDArray[np.int64]:
    """Shell number floor(k_perp + 1/2); all beyond N/2 share the overflow shell N//2 + 1.

    Half-integer edges: on a cubic grid with the guide field along an axis k_perp^2 is an integer,
    never near an edge, so that a tiny tilt of the guide field moves no mode to another shell.
    """
    return np.minimum(np.floor(k_perp + 0.5), smallest // 2 + 1).astype(np.int64)


@dataclass(frozen=True)
class ShellRows:
    """The modes of a half Fourier lattice, reordered into rows that each lie in one shell.

    Summing |F|^2 over rows, then rows over shells, needs no scatter: one gather, one contiguous
    reduction and one small matrix product.  Rows are filled up with mode 0, the mean, which the
    caller sets to zero.

    index: (rows * length,) int32, flat positions in the half lattice.
    length: modes per row.
    shells: (n_shells, rows) float64; 2 where the modes stand for their conjugates too, else 1.
    modes: (n_shells,) number of modes of the full lattice in each shell, k = 0 excluded.
    """

    index: NDArray[np.int32]
    length: int
    shells: Array
    modes: NDArray[np.int64]


def shell_rows(shape: Sequence[int], guide: Sequence[float] | Array | None) -> ShellRows:
    """Sort the modes of a real field on `shape` by (shell, conjugate weight) into `ShellRows`."""
    smallest = min(shape)
    # Long enough that there are few rows, short enough that few are part empty.
    length = max(16, smallest**2 // 64)
    shell = shell_index(perpendicular_wavenumber(shape, guide), smallest)
    weight = np.broadcast_to(conjugate_weight(shape[-1]), shell.shape).ravel()
    shell = shell.ravel()
    n_shells = smallest // 2 + 2
    rows: list[NDArray[np.int64]] = []
    row_shell: list[int] = []
    row_weight: list[float] = []
    group = 2 * shell + (weight == 2)
    group[0] = -1  # the mean belongs to no shell
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(2 * n_shells + 1))
    for number in range(2 * n_shells):
        members = order[starts[number] : starts[number + 1]]
        filled = math.ceil(len(members) / length)
        rows.append(np.pad(members, (0, filled * length - len(members))))
        row_shell += [number // 2] * filled
        row_weight += [1.0 + number % 2] * filled
    shells = np.zeros((n_shells, len(row_shell)))
    shells[row_shell, np.arange(len(row_shell))] = row_weight
    modes = np.bincount(shell[1:], weights=weight[1:], minlength=n_shells).astype(np.int64)
    return ShellRows(np.concatenate(rows).astype(np.int32), length, shells, modes)


def conjugate_weight(cells: int) -> Array:
    """How many modes of the full lattice each mode of a half axis of `cells` stands for: 1 or 2."""
    weight = np.full(cells // 2 + 1, 2.0)
    weight[0] = 1.0
    if cells % 2 == 0:
        weight[-1] = 1.0
    return weight
