"""Which channel of a state is which physical field.

A *state* is one frame as a tensor of shape (C, *space), channels first.  A `FieldLayout`
names its fields in channel order and gives each a tensor rank, as The Well's files do
(`t0_fields`, `t1_fields`): a scalar takes one channel, a vector one per spatial axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

AXES = "xyz"
SHORT = {"density": "rho", "magnetic_field": "B", "velocity": "v", "pressure": "p"}


@dataclass(frozen=True)
class FieldLayout:
    """Names and ranks of the fields of a state, in channel order.

    names: field names as the data file declares them, e.g. ("density", "magnetic_field").
    ranks: tensor rank of each field, 0 (scalar) or 1 (vector).
    spatial: number of spatial axes, 2 or 3; a vector field has that many channels.
    """

    names: tuple[str, ...]
    ranks: tuple[int, ...]
    spatial: int = 3

    def __post_init__(self) -> None:
        if len(self.names) != len(self.ranks):
            raise ValueError(f"{len(self.names)} field names but {len(self.ranks)} ranks")
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"a field name occurs twice: {self.names}")
        if any(rank not in (0, 1) for rank in self.ranks):
            raise ValueError(f"ranks must be 0 (scalar) or 1 (vector), got {self.ranks}")

    def __contains__(self, name: str) -> bool:
        return name in self.names

    @cached_property
    def _slices(self) -> dict[str, slice]:
        slices, start = {}, 0
        for name, rank in zip(self.names, self.ranks, strict=True):
            stop = start + self.spatial**rank
            slices[name] = slice(start, stop)
            start = stop
        return slices

    def slice(self, name: str) -> slice:
        """The channels of one field; KeyError names the fields there are."""
        try:
            return self._slices[name]
        except KeyError:
            raise KeyError(f"no field {name!r} in this layout: {', '.join(self.names)}") from None

    @cached_property
    def n_channels(self) -> int:
        """Number of channels C of a state."""
        return sum(self.spatial**rank for rank in self.ranks)

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """Short label of each channel, e.g. ("rho", "B_x", ..., "v_z")."""
        labels: list[str] = []
        for name, rank in zip(self.names, self.ranks, strict=True):
            short = SHORT.get(name, name)
            labels += [short] if rank == 0 else [f"{short}_{AXES[i]}" for i in range(self.spatial)]
        return tuple(labels)

    @cached_property
    def field_of_channel(self) -> tuple[str, ...]:
        """Name of the field that each channel belongs to."""
        return tuple(
            name
            for name, rank in zip(self.names, self.ranks, strict=True)
            for _ in range(self.spatial**rank)
        )


#: Density, magnetic field and velocity: the layout of The Well's MHD_64 and of the embedded truth.
MHD = FieldLayout(("density", "magnetic_field", "velocity"), (0, 1, 1))
