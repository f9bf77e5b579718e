"""What one file of The Well declares: fields, grid, time, boundaries and parameters.

The format is documented at https://polymathic-ai.org/the_well/data_format/ and read by
`the_well.data.WellDataset` (the_well 1.2).  Only metadata is read here, never a frame.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from harness.fields import FieldLayout
from harness.paths import slug
from harness.truth.errors import TruthError
from harness.truth.hdf5 import attribute, member, opened, strings

BOUNDARIES = ("periodic", "wall", "open")
#: parameters that the files of The Well's MHD data are named by
MACH = ("Ma", "Ms")
_PARAMETER = re.compile(r"(?:^|_)([A-Za-z]+)_(-?\d+(?:\.\d+)?)(?=_|$)")


@dataclass(frozen=True)
class Contents:
    """Everything that one file says about its trajectories.

    identity: what the file declares to hold, None where it declares nothing.
    spacing, dt, parameters: one entry per trajectory.
    notes: what the file holds that a state cannot, each with its reason.
    """

    dataset_name: str
    identity: str | None
    n_trajectories: int
    n_frames: int
    layout: FieldLayout
    shape: tuple[int, ...]
    boundaries: tuple[str, ...]
    spacing: tuple[tuple[float, ...], ...]
    dt: tuple[float, ...]
    parameters: tuple[tuple[tuple[str, float], ...], ...]
    notes: tuple[str, ...]


def read_contents(path: Path) -> Contents:
    """Read one file's metadata and check it against the format.

    Raises TruthError: unreadable, truncated or no HDF5; grid not cartesian or not uniform;
    missing groups, attributes or fields; fields whose shape is not the declared one.
    """
    with opened(path) as file:
        grid = str(attribute(file, "grid_type"))
        if grid != "cartesian":
            raise TruthError(
                "grid cannot be used",
                file=path,
                dataset="@grid_type",
                expected="cartesian",
                found=grid,
            )
        n_trajectories = int(attribute(file, "n_trajectories"))
        dimensions = member(file, "dimensions", h5py.Group)
        axes = strings(dimensions, "spatial_dims")
        declared = int(attribute(file, "n_spatial_dims"))
        if len(axes) != declared or len(axes) not in (2, 3) or n_trajectories < 1:
            raise TruthError(
                "wrong dimensions",
                file=path,
                dataset="/dimensions@spatial_dims",
                expected="2 or 3 axes, as many as n_spatial_dims, and at least one trajectory",
                found=f"axes {axes}, n_spatial_dims {declared}, n_trajectories {n_trajectories}",
            )
        layout, lead, notes = _fields(file, n_trajectories, len(axes))
        n_frames, shape = lead[0], lead[1:]
        samples = range(n_trajectories)
        return Contents(
            dataset_name=str(attribute(file, "dataset_name")),
            identity=_identity(file),
            n_trajectories=n_trajectories,
            n_frames=n_frames,
            layout=layout,
            shape=shape,
            boundaries=_boundaries(file, axes),
            spacing=tuple(
                tuple(
                    _spacing(dimensions, axis, n, sample) for axis, n in zip(axes, shape, strict=True)
                )
                for sample in samples
            ),
            dt=tuple(_interval(dimensions, n_frames, sample) for sample in samples),
            parameters=tuple(_parameters(file, path, sample) for sample in samples),
            notes=notes,
        )


def _identity(file: h5py.File) -> str | None:
    """`data_id`, the digest of the recipe a file was made by, and the `seed` it was made with."""
    if "data_id" not in file.attrs:
        return None
    parts = [attribute(file, name) for name in ("data_id", "seed") if name in file.attrs]
    return slug("-".join(map(str, parts)))


def _fields(
    file: h5py.File, n_trajectories: int, spatial: int
) -> tuple[FieldLayout, tuple[int, ...], tuple[str, ...]]:
    """The layout, (frames, *space), and what is left out of a state and why."""
    path = Path(file.filename)
    names: list[str] = []
    ranks: list[int] = []
    notes: list[str] = []
    lead: tuple[int, ...] | None = None
    for rank in (0, 1):
        group = member(file, f"t{rank}_fields", h5py.Group)
        for name in strings(group, "field_names"):
            if slug(name) != name:
                raise TruthError(
                    "unsafe field name",
                    file=path,
                    dataset=group.name,
                    expected="letters, digits, '.', '-' and '_'",
                    found=name,
                )
            data = member(group, name, h5py.Dataset)
            if not attribute(data, "time_varying"):
                notes.append(f"field {name} is constant in time and no part of a state")
                continue
            if not np.all(attribute(data, "dim_varying")):
                notes.append(f"field {name} does not vary along every axis and is not read")
                continue
            varying = bool(attribute(data, "sample_varying"))
            outer = (n_trajectories,) if varying else ()
            inner = (spatial,) * rank
            found = tuple(data.shape)
            middle = found[len(outer) : len(found) - rank]
            if lead is None and len(middle) == spatial + 1:
                lead = middle
            if lead is None or found != outer + lead + inner or data.dtype.kind != "f":
                rest = "(frames, *space)" if lead is None else lead
                raise TruthError(
                    "wrong field",
                    file=path,
                    dataset=data.name,
                    expected=f"floats of shape {outer} + {rest} + {inner}",
                    found=f"{data.dtype} of shape {found}",
                )
            names.append(name)
            ranks.append(rank)
    if lead is None or 0 in lead:
        raise TruthError("no field that varies in time", file=path, expected="t0 or t1 fields")
    if "t2_fields" in file:
        tensors = strings(member(file, "t2_fields", h5py.Group), "field_names")
        notes += [f"field {name} is a tensor and no part of a state" for name in tensors]
    return FieldLayout(tuple(names), tuple(ranks), spatial), lead, tuple(notes)


def _coordinate(dimensions: h5py.Group, name: str, n: int, sample: int) -> np.ndarray:
    data = member(dimensions, name, h5py.Dataset)
    values = np.asarray(data[sample] if data.ndim == 2 else data[...], dtype=np.float64)
    if values.shape != (n,) or not np.isfinite(values).all():
        raise TruthError(
            "wrong coordinates",
            file=Path(data.file.filename),
            dataset=data.name,
            expected=f"{n} finite values",
            found=f"shape {values.shape}",
        )
    return values


def _spacing(dimensions: h5py.Group, axis: str, n: int, sample: int) -> float:
    """Distance of the grid points of a uniform axis; 1 where the file gives no coordinates."""
    if axis not in dimensions or n == 1:
        return 1.0
    values = _coordinate(dimensions, axis, n, sample)
    h = (values[-1] - values[0]) / (n - 1)
    # Coordinates are stored in float32: their differences carry its rounding.
    rounding = 8 * np.finfo(np.float32).eps * np.abs(values).max()
    if h <= 0 or np.abs(np.diff(values) - h).max() > 1e-3 * h + rounding:
        raise TruthError(
            "grid is not uniform",
            file=Path(dimensions.file.filename),
            dataset=f"{dimensions.name}/{axis}",
            expected="equal, increasing steps",
            found=f"steps from {np.diff(values).min():.6g} to {np.diff(values).max():.6g}",
        )
    return float(f"{h:.7g}")


def _interval(dimensions: h5py.Group, n_frames: int, sample: int) -> float:
    """Mean time between frames; 1 for a single frame."""
    times = _coordinate(dimensions, "time", n_frames, sample)
    return float(f"{(times[-1] - times[0]) / (n_frames - 1):.7g}") if n_frames > 1 else 1.0


def _boundaries(file: h5py.File, axes: tuple[str, ...]) -> tuple[str, ...]:
    """One boundary type per axis.

    As in The Well an axis is open unless something else is declared; where several types meet,
    periodic wins, and wall holds only if nothing else does.
    """
    group = member(file, "boundary_conditions", h5py.Group)
    kinds: dict[str, set[str]] = {axis: set() for axis in axes}
    for name in group:
        condition = member(group, name, h5py.Group)
        kind = str(attribute(condition, "bc_type")).lower()
        if kind not in BOUNDARIES:
            raise TruthError(
                "unknown boundary",
                file=Path(file.filename),
                dataset=f"{condition.name}@bc_type",
                expected=" or ".join(BOUNDARIES),
                found=kind,
            )
        for axis in strings(condition, "associated_dims"):
            kinds.setdefault(axis, set()).add(kind)
    return tuple(
        "periodic" if "periodic" in kinds[axis] else "wall" if kinds[axis] == {"wall"} else "open"
        for axis in axes
    )


def _parameters(file: h5py.File, path: Path, sample: int) -> tuple[tuple[str, float], ...]:
    """Parameters of one trajectory: root attributes, constant scalars, else the file's name.

    Six digits are kept, so that 0.7 stored in float32 equals 0.7.

    Raises TruthError where attributes and scalars, or the Mach numbers of the file's name and its
    contents, contradict each other: nobody can say which simulation that is.
    """
    attributes: dict[str, Any] = {}
    if "simulation_parameters" in file.attrs:
        names = strings(file, "simulation_parameters")
        attributes = {name: file.attrs[name] for name in names if name in file.attrs}
    declared = _numbers(attributes)
    scalars: dict[str, Any] = {}
    if "scalars" in file:
        group = member(file, "scalars", h5py.Group)
        for name in strings(group, "field_names"):
            data = member(group, name, h5py.Dataset)
            if not attribute(data, "time_varying"):
                scalars[name] = data[sample] if attribute(data, "sample_varying") else data[...]
    stored = _numbers(scalars)
    # An attribute is of the whole file, a scalar may be of one trajectory.
    if int(attribute(file, "n_trajectories")) == 1:
        _agree(path, "/scalars", declared, stored)
    numbers = declared | stored
    named = _numbers(dict(_PARAMETER.findall(path.stem)))
    _agree(path, "the file's name", numbers, {n: v for n, v in named.items() if n in MACH})
    return tuple(sorted((numbers or named).items()))


def _agree(path: Path, where: str, one: dict[str, float], other: dict[str, float]) -> None:
    unlike = [name for name in one.keys() & other.keys() if one[name] != other[name]]
    for name in sorted(unlike):
        raise TruthError(
            f"mislabelled, {name} contradicts {where}", file=path, expected=one[name],
            found=other[name],
        )  # fmt: skip


def _numbers(values: dict[str, Any]) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for name, value in values.items():
        try:
            numbers[slug(name)] = float(f"{np.asarray(value, dtype=np.float64).item():.6g}")
        except ValueError:  # text, or an array: no label of an ensemble
            continue
    return numbers
