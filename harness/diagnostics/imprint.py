"""Energy at the wavenumbers of a token lattice: the imprint of a model that works in patches.

A model that cuts a frame of N cells a side into tokens of s cells repeats its errors from token to
token: they have the period s, hence wavenumbers that are multiples of N/s along every axis.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.diagnostics.spectra import DUST, conjugate_weight, wavenumbers

Array = NDArray[np.float64]
Modes = NDArray[np.int64]

#: Strides of published models: 2 to 16 cells (Walrus: 4 of 64).
SMALLEST, LARGEST = 2, 16
#: With fewer tokens a side the lattice's wavenumbers are those of the largest eddies.
LEAST_TOKENS = 4


def strides(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides that are measured: 2 to 16 cells, dividing every side into 4 tokens or more."""
    return tuple(
        stride
        for stride in range(SMALLEST, LARGEST + 1)
        if all(cells % stride == 0 and cells // stride >= LEAST_TOKENS for cells in shape)
    )


class Imprint:
    """Energy at lattice wavenumbers over that of their neighbours.

        R_s = (E_on + e) / (E_beside + e),

    E_on the mean of E(k), weighted with |k|^4, over the modes k != 0 that are multiples of N/s along
    every axis, E_beside the same over the modes beside them, one step or none away along each axis.
    The weight makes the modes of a k^-5/3 spectrum count about alike, which leaves each |k|^(-5/3-2);
    without it the few largest scales would decide.  e is 1e-6 of the mean over all modes: energy
    below it is numerical dust, and a lattice of dust has R = 1.  White noise has R = 1 but for chance.

    Args:
        shape: cells along each axis of a periodic box, which some stride divides.
        device: where to compute.

    Attributes:
        strides: those measured, `strides(shape)`.
    """

    def __init__(self, shape: Sequence[int], device: torch.device) -> None:
        self.strides = strides(shape)
        self._cells = math.prod(shape)
        # Folded to this side a field keeps the modes of every stride, and no others.
        self._block = (math.lcm(*self.strides),) * len(shape)
        around = [step for step in itertools.product((-1, 0, 1), repeat=len(shape)) if any(step)]
        self._on, self._beside = [], []
        for stride in self.strides:
            on = _lattice(shape, stride)
            near = np.concatenate([on + np.array(step) for step in around])
            folded = on * np.array(self._block) // np.array(shape)
            self._on.append(_mean(self._block, folded, _weight(shape, on), device))
            self._beside.append(_mean(shape, near, _weight(shape, near), device))
        every = np.asarray(sum(k**2 for k in wavenumbers(shape))) ** 2 * conjugate_weight(shape[-1])
        self._every = torch.from_numpy(every / every.sum()).to(device, torch.float32)

    def __call__(self, field: Tensor, power: Tensor) -> Tensor:
        """R of every stride, (S, strides) float64; undefined for a uniform field.

        Args:
            field: its components, (S, n, *space).
            power: |F|^2 of every mode, (S, *half lattice), summed over components.
        """
        # Few modes lie on a lattice, so they are taken from a transform in float64.
        components = [self._folded(component) for component in field.unbind(1)]
        folded = torch.fft.rfftn(torch.stack(components), dim=tuple(range(2, field.dim())))
        on = folded.abs().square().sum(0).flatten(1)
        dust = DUST * (power * self._every).sum(-1).double().flatten(1).sum(1)
        ratios = [
            (_gathered(on, *of_on) + dust) / (_gathered(power.flatten(1), *of_beside) + dust)
            for of_on, of_beside in zip(self._on, self._beside, strict=True)
        ]
        return torch.stack(ratios, -1)

    def _folded(self, component: Tensor) -> Tensor:
        """Sum over all blocks, (S, *space) -> (S, *block) float64."""
        for axis, side in enumerate(self._block, 1):
            first, *others = torch.split(component, side, axis)
            component = first.to(torch.float64, copy=True)
            for block in others:
                component += block
        return component


def _gathered(energy: Tensor, places: Tensor, weight: Tensor) -> Tensor:
    """Weighted sum of (S, modes) over some places, (S,) float64."""
    sides = [side.index_select(0, places) for side in energy]
    return torch.stack(sides).double() @ weight


def _lattice(shape: Sequence[int], stride: int) -> Modes:
    """Indices (n, D) of the modes of the stride on the full lattice, k = 0 left out."""
    axes = [np.arange(0, cells, cells // stride) for cells in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(shape))[1:]


def _weight(shape: Sequence[int], modes: Modes) -> Array:
    """|k|^4 of modes given by their indices."""
    signed = [np.fft.fftfreq(cells, 1 / min(shape)) for cells in shape]
    axes = [k[modes[:, axis] % len(k)] for axis, k in enumerate(signed)]
    return np.asarray(sum(k**2 for k in axes)) ** 2


def _mean(
    shape: Sequence[int], modes: Modes, weight: Array, device: torch.device
) -> tuple[Tensor, Tensor]:
    """A weighted mean over modes as a sum over places of the half lattice, each place once.

    A mode of the other half is the conjugate of one of this half, with the same energy.
    """
    half = (*shape[:-1], shape[-1] // 2 + 1)
    modes = modes % np.array(shape)
    other = modes[:, -1] >= half[-1]
    modes[other] = -modes[other] % np.array(shape)
    places, number = np.unique(np.ravel_multi_index(tuple(modes.T), half), return_inverse=True)
    share = np.bincount(number.ravel(), weight) / weight.sum()
    return torch.from_numpy(places.astype(np.int32)).to(device), torch.from_numpy(share).to(device)
