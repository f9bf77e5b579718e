"""Which maps of a periodic grid are symmetries of the equations, and how they act on fields.

A map takes the cell x to M x + shift, M a signed permutation of the axes.  Scalars are carried
along; a velocity, and any vector this module does not know better, turns as v -> M v.  The
magnetic field is axial, B -> det(M) M B, and MHD is also symmetric under B -> -B; so a map counts
as a symmetry with either sign, and gets the one that keeps the guide field B0:

    rotations     M B = B for the powers of a quarter turn about B0 (about every axis where B0 = 0)
    reflections   B -> -M B where the mirror holds no B0 (B0 along its normal), B -> M B where it
                  holds B0 (B0 in its plane)
    translations  by 1, 2 and 4 cells along every axis

A map that keeps no B0, as any rotation for a field that lies along no axis of the grid, takes the
state out of the ensemble that a surrogate has seen, and is none of its symmetries.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from harness.fields import AXES, FieldLayout

FAMILIES = ("rotation", "reflection", "translation")
#: cells
SHIFTS = (1, 2, 4)
#: Fields that do not change sign with the handedness of the axes.
AXIAL = ("magnetic_field", "vorticity")
#: A guide field counts as lying along an axis, or as absent, to this fraction of the field.
ALIGNED = 1e-3


@dataclass(frozen=True)
class Symmetry:
    """One map of the grid and its action on states (..., C, *space).

    order, signs: (M v)_i = signs[i] v[order[i]].  shift: cells along each axis.
    sign: of the magnetic field, B -> sign M B.
    """

    name: str
    family: str
    order: tuple[int, ...]
    signs: tuple[int, ...]
    shift: tuple[int, ...]
    sign: int = 1

    @property
    def handedness(self) -> int:
        """Det M, 1 or -1."""
        matrix = np.zeros((len(self.order),) * 2)
        matrix[np.arange(len(self.order)), self.order] = self.signs
        return round(float(np.linalg.det(matrix)))

    def __call__(self, frames: Tensor, layout: FieldLayout) -> Tensor:
        """The frames as they look after the map, (..., C, *space) to (..., C, *space)."""
        spatial, lead = layout.spatial, frames.ndim - layout.spatial
        moved = frames.permute(*range(lead), *(lead + axis for axis in self.order))
        flips = [i - spatial for i, sign in enumerate(self.signs) if sign < 0]
        moved = moved.flip(flips).roll(self.shift, tuple(range(-spatial, 0)))
        result = moved.clone()
        channel = lead - 1
        for name, rank in zip(layout.names, layout.ranks, strict=True):
            if rank == 0:
                continue
            sign = self.sign if name == "magnetic_field" else 1
            if name in AXIAL and name != "magnetic_field":
                sign = self.handedness
            first = layout.slice(name).start
            for i in range(spatial):
                source = moved.select(channel, first + self.order[i])
                result.select(channel, first + i).copy_(source * (sign * self.signs[i]))
        return result


@dataclass(frozen=True)
class Group:
    """The symmetries of a box, and for each family without any the reason why."""

    symmetries: tuple[Symmetry, ...]
    reasons: dict[str, str]


def group(
    shape: Sequence[int],
    spacing: Sequence[float],
    boundaries: Sequence[str],
    guide: Sequence[float],
) -> Group:
    """The rotations, reflections and translations of a box.

    shape, spacing, boundaries: per axis, as in `Simulation`.  A rotation needs equal axes; along an
    axis that is not periodic nothing is moved, and as walls come with gravity or inflow, rotations
    and reflections are asked of periodic boxes only.
    guide: mean magnetic field, zero where there is none.
    """
    spatial, b0 = len(shape), np.asarray(guide, dtype=float)
    found: list[Symmetry] = []
    reasons: dict[str, str] = {}
    if all(boundary == "periodic" for boundary in boundaries):
        alike = [(n, round(d, 9)) for n, d in zip(shape, spacing, strict=True)]
        found += _rotations(alike, b0)
        found += _reflections(spatial, b0)
        tilted = f"the guide field {_vector(b0)} lies along no axis"
        if spatial == 2:
            reasons["rotation"] = f"no rotation of the plane keeps the guide field {_vector(b0)}"
        elif np.count_nonzero(np.abs(b0) > ALIGNED * np.linalg.norm(b0)) > 1:
            reasons["rotation"] = f"{tilted}: no rotation of the grid keeps it"
        else:
            reasons["rotation"] = "no two axes across the guide field can be exchanged"
        reasons["reflection"] = f"{tilted} and in no plane of the grid"
    else:
        walls = ", ".join(f"{AXES[i]} {b}" for i, b in enumerate(boundaries) if b != "periodic")
        reasons |= dict.fromkeys(("rotation", "reflection"), f"the box is not periodic ({walls})")
    found += _translations(shape, boundaries)
    reasons["translation"] = "no axis is periodic"
    there = {symmetry.family for symmetry in found}
    return Group(tuple(found), {f: reasons[f] for f in FAMILIES if f not in there})


def rotation(spatial: int, plane: tuple[int, int], turns: int) -> Symmetry:
    """`turns` quarter turns in the plane of two axes i and j: e_i -> e_j -> -e_i.

    The inverse of t turns is 4 - t of them.  Cells go to cells, about the middle of the box.
    """
    i, j = plane
    order, signs = list(range(spatial)), [1] * spatial
    for _ in range(turns):
        order[i], order[j] = order[j], order[i]
        signs[i], signs[j] = -signs[j], signs[i]
    axis = "" if spatial == 2 else f" about {AXES[3 - i - j]}"
    return _map(f"rotation by {90 * turns}{axis}", "rotation", order, signs)


def expected_number(layout: FieldLayout) -> int:
    """Number of symmetries of a periodic cube about a guide field along an axis, for estimates."""
    rotations = 3 if layout.spatial == 2 or "magnetic_field" in layout else 9
    return rotations + layout.spatial * (1 + len(SHIFTS))


def _rotations(alike: Sequence[tuple[int, float]], b0: np.ndarray) -> Iterator[Symmetry]:
    spatial = len(alike)
    for i, j in itertools.combinations(range(spatial), 2):
        # Across the plane there is no axis in 2D, and no guide field can lie along it.
        if np.hypot(b0[i], b0[j]) > ALIGNED * np.linalg.norm(b0):
            continue
        for turns in (1, 2, 3):
            if turns == 2 or alike[i] == alike[j]:
                yield rotation(spatial, (i, j), turns)


def _reflections(spatial: int, b0: np.ndarray) -> Iterator[Symmetry]:
    for axis in range(spatial):
        signs = [-1 if i == axis else 1 for i in range(spatial)]
        along, total = abs(b0[axis]), np.linalg.norm(b0)
        across = np.linalg.norm(np.delete(b0, axis))
        if across <= ALIGNED * total:
            sign = -1  # also without a guide field: the axial rule
        elif along <= ALIGNED * total:
            sign = 1
        else:
            continue
        yield _map(f"reflection of {AXES[axis]}", "reflection", range(spatial), signs, sign)


def _translations(shape: Sequence[int], boundaries: Sequence[str]) -> Iterator[Symmetry]:
    spatial = len(shape)
    for axis, cells in itertools.product(range(spatial), SHIFTS):
        if boundaries[axis] == "periodic" and cells < shape[axis]:
            shift = tuple(cells if i == axis else 0 for i in range(spatial))
            name = f"translation by {cells} along {AXES[axis]}"
            ones = (1,) * spatial
            yield Symmetry(name, "translation", tuple(range(spatial)), ones, shift)


def _map(name: str, family: str, order: Sequence[int], signs: Sequence[int], sign: int = 1) -> Symmetry:
    return Symmetry(name, family, tuple(order), tuple(signs), (0,) * len(order), sign)


def _vector(values: np.ndarray) -> str:
    return "(" + ", ".join(f"{value:.3g}" for value in values) + ")"
