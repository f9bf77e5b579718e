"""Structure functions: moments of the increments of a field between two points.

    S_p(l) = < |u(x + l) - u(x)|^p >,    p = 1 to 4,

|.| the length of a vector, for separations l along each grid axis.  In a magnetised flow along and
across the mean field that the two points see, B_l = B(x) + B(x + l): a pair counts with the weight
cos^8 as parallel and with sin^8 as perpendicular, the angle being that of l and B_l.  The weights
fall to one half 23.5 degrees from the field, or from the plane across it, and no pair is near an
edge where rounding would decide.  Local fields: Cho & Vishniac 2000 (ApJ 539, 273); intermittency:
Frisch, Turbulence (1995), chapter 8.

A field whose increments are distributed alike at all scales has S_4 ~ S_2^2, hence the exponents'
ratio 2 and a kurtosis that does not depend on l; intermittency lowers the ratio, and raises the
kurtosis at small l.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.fields import FieldLayout

Array = NDArray[np.float64]

ORDERS = (1, 2, 3, 4)
#: Points from which increments are taken, along an axis: between these, evenly spaced, if the number
#: of cells has a divisor that allows it, else all.
FEWEST, MOST = 16, 24
#: A relative exponent is fitted to at least this many separations.
LEAST_LAGS = 3


def lags(shape: Sequence[int]) -> tuple[int, ...]:
    """Separations in cells: powers of two up to a quarter of the shortest side."""
    return tuple(2**n for n in range(max(1, (min(shape) // 4).bit_length())))


def _stride(cells: int) -> int:
    """Distance of the points taken, in cells."""
    for stride in range(1, cells // FEWEST + 1):
        if cells % stride == 0 and cells // stride <= MOST:
            return stride
    return 1


class StructureFunctions:
    """S_p(l) of every field of a stack of frames on a periodic box.

    Args:
        layout: which channel is which field.  With "magnetic_field" the directions are
            "parallel" and "perpendicular" to it; without there is one, "any".
        shape: cells along each axis.

    Attributes:
        variables: name -> dims, as `Measure` has them.
        coords: name -> (dims, values).
    """

    def __init__(self, layout: FieldLayout, shape: Sequence[int]) -> None:
        self._layout = layout
        self._lags = lags(shape)
        self._cells = tuple(shape)
        self._strides = tuple(map(_stride, shape))
        self._directions = ("parallel", "perpendicular") if "magnetic_field" in layout else ("any",)
        self.variables: Mapping[str, tuple[str, ...]] = MappingProxyType(
            {"structure_function": ("side", "quantity", "lag", "direction", "order")}
        )
        coords = {
            "quantity": layout.names,
            "lag": self._lags,
            "direction": self._directions,
            "order": ORDERS,
        }
        self.coords = MappingProxyType(
            {name: ((name,), np.array(values)) for name, values in coords.items()}
        )

    def __call__(self, stack: Tensor, finite: Tensor) -> Tensor:
        """(S, field, lag, direction, order) float64; NaN where no pair has that direction.

        Args:
            stack: (S, C, *space).
            finite: which channels are, (S, C): a field with a non-finite cell, or beside a
                magnetic field with one, has non-finite structure functions, also where none of
                the points taken is that cell.
        """
        base = self._points(stack)
        found = torch.stack(self._all_moments(stack, base), 2)
        channels = [self._layout.slice(name) for name in self._layout.names]
        usable = torch.stack([finite[:, c].all(1) for c in channels], 1)
        if "magnetic_field" in self._layout:
            usable &= finite[:, self._layout.slice("magnetic_field")].all(1, keepdim=True)
        return torch.where(usable[..., None, None, None], found, torch.nan)

    def _points(self, stack: Tensor, axis: int = 0, phase: int = 0) -> Tensor:
        """Values at the points taken, `phase` cells further along an axis, (S, C, *points)."""
        for number, stride in enumerate(self._strides):
            taken = slice(phase if number == axis else 0, None, stride)
            stack = stack[(slice(None),) * (2 + number) + (taken,)]
        return stack.contiguous()

    def _all_moments(self, stack: Tensor, base: Tensor) -> list[Tensor]:
        """For each lag, weighted moments of pairs along all axes, (S, field, direction, order)."""
        sides, _, planes = base.shape[:3]
        points = base[0, 0, 0].numel()
        # Two buffers for all pairs: fresh memory costs more than what is done with it.
        difference = torch.empty_like(base)
        powers = base.new_empty(sides, planes, len(self._layout.names), len(ORDERS), points)
        found = []
        for lag in self._lags:
            sums, weights = torch.zeros((), device=base.device), torch.zeros((), device=base.device)
            for axis, stride in enumerate(self._strides):
                whole, phase = divmod(lag, stride)
                other = self._points(stack, axis, phase) if phase else base
                _subtract_moved(other, whole, 2 + axis, base, difference)
                weight = self._weights(base, difference, axis)
                unit = self._powers(difference.flatten(3), powers)
                # A plane of points at a time in the working precision, planes in float64.
                moments = (weight @ powers.flatten(2, 3).mT).double().sum(1)
                moments = moments.view(*moments.shape[:2], -1, len(ORDERS)).transpose(1, 2)
                sums = sums + moments * unit
                weights = weights + weight.sum(-1).double().sum(1)
            found.append(sums / weights[:, None, :, None])
        return found

    def _weights(self, base: Tensor, difference: Tensor, axis: int) -> Tensor:
        """Weight of each pair in each direction, (S, planes, direction, points)."""
        if "magnetic_field" not in self._layout:
            return torch.ones_like(base[:, :1].flatten(3)).transpose(1, 2)
        b = self._layout.slice("magnetic_field")
        # B(x) + B(x + l)
        local = torch.add(difference[:, b], base[:, b], alpha=2).square_().flatten(3).unbind(1)
        total = local[0].clone()
        for component in local[1:]:
            total += component
        # Without a local field every pair lies across it.
        along = local[axis] / total.clamp_(min=torch.finfo(total.dtype).tiny)
        return torch.stack([along, 1 - along], 2).square_().square_()

    def _powers(self, difference: Tensor, powers: Tensor) -> Tensor:
        """Puts powers 1 to 4 of the length of each field's increment, in units of the largest.

        Args:
            difference: (S, C, planes, points).
            powers: written to, (S, planes, field, order, points).

        Returns:
            The units, (S, field, 1, order) float64.
        """
        for number, name in enumerate(self._layout.names):
            parts = difference[:, self._layout.slice(name)].unbind(1)
            squares = torch.square(parts[0], out=powers[:, :, number, 1])
            for part in parts[1:]:
                squares.addcmul_(part, part)
        squares = powers[:, :, :, 1]
        largest = squares.amax((1, 3))
        # Or fourth powers would leave the range of float32.
        squares /= torch.where(largest > 0, largest, 1.0)[:, None, :, None]
        lengths = torch.sqrt(squares, out=powers[:, :, :, 0])
        torch.mul(squares, lengths, out=powers[:, :, :, 2])
        torch.square(squares, out=powers[:, :, :, 3])
        order = torch.tensor(ORDERS, device=largest.device)
        return largest.double().sqrt()[..., None, None] ** order


def _subtract_moved(other: Tensor, places: int, axis: int, base: Tensor, out: Tensor) -> None:
    """out(i) = other(i + places) - base(i) along a periodic axis."""
    inside = other.shape[axis] - places
    for start, length, origin in ((0, inside, places), (inside, places, 0)):
        if length:
            parts = (other.narrow(axis, origin, length), base.narrow(axis, start, length))
            torch.sub(*parts, out=out.narrow(axis, start, length))


def kurtosis(structure_function: Array) -> Array:
    """S_4 / S_2^2: 3 for a Gaussian scalar, 5/3 for an isotropic Gaussian vector in 3D; no unit.

    Args:
        structure_function: (..., order).

    Returns:
        (...).
    """
    with np.errstate(all="ignore"):
        return structure_function[..., 3] / structure_function[..., 1] ** 2


def relative_exponent(structure_function: Array) -> Array:
    """zeta_4 / zeta_2: least-squares slope of ln S_4 on ln S_2 over all separations; no unit.

    Extended self-similarity (Benzi et al. 1993, Phys. Rev. E 48, R29): moments follow power laws in
    one another where they do not in l, near the grid scale or in a short inertial range.

    Args:
        structure_function: (..., lag, direction, order).

    Returns:
        (..., direction): 2 without intermittency, less with it.  NaN with fewer than 3 separations.
    """
    second, fourth = structure_function[..., 1], structure_function[..., 3]
    if second.shape[-2] < LEAST_LAGS:
        return np.full((*second.shape[:-2], second.shape[-1]), np.nan)
    with np.errstate(all="ignore"):
        x, y = np.log(second), np.log(fourth)
        x = x - x.mean(-2, keepdims=True)
        return (x * y).sum(-2) / (x * x).sum(-2)
