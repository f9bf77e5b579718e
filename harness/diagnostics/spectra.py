"""Perpendicular energy spectra: shells, their binning as rows of modes, and derived figures.

Wavenumbers are in units of 2 pi / (N h), N the smallest number of cells along an axis and h the
grid spacing (cubic cells): on a cubic grid they are the integer mode numbers.

Derived figures take spectra E(k_perp) with the shell as the last axis: shells 0 to N/2 and, last,
the overflow shell of everything beyond, which no figure uses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Bands of k_perp, [low, high) in units of the Nyquist wavenumber N/2: the original study's.
BANDS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"low": (0.0, 0.25), "mid": (0.25, 0.75), "high": (0.75, 1.0)}
)
#: Thickness of a slab of the Fourier lattice, in planes: a quarter of a megabyte at 64^3.
SLAB = 16
#: Shells with less than this part of a spectrum's peak are numerical dust.
DUST = 1e-6


def wavenumbers(shape: Sequence[int]) -> list[Array]:
    """Wavenumber along each axis of the half Fourier lattice of a real field, that of rfftn.

    k_i = n_i N / N_i with n_i the signed mode number and N = min(N_i); the last axis keeps n >= 0
    only.  Each array is shaped to broadcast.
    """
    smallest, axes = min(shape), len(shape)
    result: list[Array] = []
    for axis, cells in enumerate(shape):
        last = axis == axes - 1
        modes = np.fft.rfftfreq(cells, 1 / cells) if last else np.fft.fftfreq(cells, 1 / cells)
        stretch = [1] * axes
        stretch[axis] = -1
        result.append((np.float64(smallest / cells) * modes).reshape(stretch))
    return result


def perpendicular_wavenumber(shape: Sequence[int], guide: Sequence[float] | Array | None) -> Array:
    """k_perp of every mode of the half lattice: k_perp^2 = |k|^2 - (k.b)^2, b the direction of `guide`.

    Without a guide field it is |k|.  A Nyquist component stands for both its signs, which give
    different k_perp when b is tilted: k_perp^2 is then the mean over the signs, so that a mode
    and its conjugate always share a shell.
    """
    k = wavenumbers(shape)
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
    reduction and one small matrix product.  Each row also lies in one slab of the lattice, so that
    the gather stays in the cache.  Rows are filled up with mode 0, the mean, which the caller sets
    to zero.

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
    """Sort the modes of a real field on `shape` into `ShellRows`."""
    smallest = min(shape)
    n_shells = smallest // 2 + 2
    # Long enough that there are few rows, short enough that few are part empty.
    length = max(16, smallest**2 // 128)
    shell = shell_index(perpendicular_wavenumber(shape, guide), smallest)
    twice = np.broadcast_to(conjugate_weight(shape[-1]) == 2, shell.shape)
    slab = np.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1)) // SLAB
    group = ((slab * n_shells + shell) * 2 + twice).ravel()
    group[0] = -1  # the mean belongs to no shell
    order = np.argsort(group, kind="stable")[1:]
    numbers, starts = np.unique(group[order], return_index=True)
    members = np.split(order, starts[1:])
    padded = [np.pad(m, (0, -len(m) % length)) for m in members]
    row_group = np.repeat(numbers, [len(m) // length for m in padded])
    shells = np.zeros((n_shells, len(row_group)))
    shells[row_group // 2 % n_shells, np.arange(len(row_group))] = 1 + row_group % 2
    modes = np.bincount(shell.ravel()[1:], 1 + twice.ravel()[1:], n_shells).astype(np.int64)
    return ShellRows(np.concatenate(padded).astype(np.int32), length, shells, modes)


def conjugate_weight(cells: int) -> Array:
    """How many modes of the full lattice each mode of a half axis of `cells` stands for: 1 or 2."""
    weight = np.full(cells // 2 + 1, 2.0)
    weight[0] = 1.0
    if cells % 2 == 0:
        weight[-1] = 1.0
    return weight


class Slope(NamedTuple):
    """Exponent of a power law, with the standard error of its fit."""

    slope: Array
    error: Array


def slope(spectrum: Array, low: int, high: int) -> Slope:
    """Least-squares slope of ln E on ln k_perp over the shells low..high, both included.

    Args:
        spectrum: (..., k_perp).
        low: first shell, at least 1.
        high: last shell, at most N/2.

    Returns:
        (...) each, no unit; non-finite where a shell of the range is not finite or empty.

    Raises:
        ValueError: fewer than 3 shells, or a range beyond the spectrum.
    """
    if not (low >= 1 and low + 2 <= high <= spectrum.shape[-1] - 2):
        last = spectrum.shape[-1] - 2
        raise ValueError(f"cannot fit shells {low} to {high}: need 3 or more between 1 and {last}")
    x = np.log(np.arange(low, high + 1))
    x -= x.mean()
    with np.errstate(all="ignore"):
        y = np.log(spectrum[..., low : high + 1])
        fitted = (y @ x) / (x @ x)
        residual = y - y.mean(-1, keepdims=True) - fitted[..., None] * x
        error = np.sqrt((residual**2).sum(-1) / (len(x) - 2) / (x @ x))
    return Slope(fitted, error)


def shape_distance(prediction: Array, truth: Array) -> Array:
    """Largest |ln(E_p / E_u)| over the shells 1..N/2 where E_u > 1e-6 of its peak.

    Args:
        prediction: (..., k_perp).
        truth: likewise.

    Returns:
        (...), no unit; NaN where either spectrum is not finite.
    """
    e_p, e_u = prediction[..., 1:-1], truth[..., 1:-1]
    with np.errstate(all="ignore"):
        distance = np.abs(np.log(e_p / e_u))
    dust = e_u <= DUST * e_u.max(-1, keepdims=True)
    return np.where(dust, 0.0, distance).max(-1)


def pileup(spectrum: Array, modes: NDArray[np.int64]) -> Array:
    """Energy per mode in [3N/8, N/2) over that in [N/8, N/4): above the truth's, a pile-up.

    Args:
        spectrum: (..., k_perp).
        modes: number of modes per shell, (k_perp).

    Returns:
        (...), no unit.
    """
    tail, middle = (
        spectrum[..., shells].sum(-1) / modes[shells].sum()
        for shells in (band_shells(len(modes), 0.75, 1.0), band_shells(len(modes), 0.25, 0.5))
    )
    with np.errstate(all="ignore"):
        return tail / middle


def band_energy(spectrum: Array) -> Array:
    """Energy in each of `BANDS`, (..., k_perp) -> (..., band)."""
    bands = [band_shells(spectrum.shape[-1], *edges) for edges in BANDS.values()]
    return np.stack([spectrum[..., shells].sum(-1) for shells in bands], axis=-1)


def band_growth(spectrum: Array) -> Array:
    """Energy in each of `BANDS` over that at step 0: (step, ..., k_perp) -> (step, ..., band)."""
    energy = band_energy(spectrum)
    with np.errstate(all="ignore"):
        return energy / energy[0]


def low_high_ratio(spectrum: Array) -> Array:
    """Energy in the low band over that in the high band, (..., k_perp) -> (...); no unit.

    The study this follows saw it fall from 150 to 3, for B_y averaged over trajectories and modes
    of |k_par| < N/16 only; here every k_par and one trajectory are meant.
    """
    low, _, high = np.moveaxis(band_energy(spectrum), -1, 0)
    with np.errstate(all="ignore"):
        return low / high


def band_shells(n_shells: int, low: float, high: float) -> slice:
    """The shells of [low, high), in units of the Nyquist wavenumber, among `n_shells`."""
    nyquist = n_shells - 2
    return slice(math.ceil(low * nyquist), math.ceil(high * nyquist))
