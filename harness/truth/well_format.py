"""The Well's HDF5 layout of one simulation, and the statistics file beside the splits.

Layout as The Well's `WellDataset` reads it (arXiv 2412.00568, appendix on the data format;
the_well 1.2): fields are (trajectory, time, x, y, z[, component]).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import yaml

from harness.atomic import replacing
from harness.fields import AXES, FieldLayout
from harness.truth.schema import read_contents


@dataclass(frozen=True)
class Header:
    """What a file says about its one trajectory.

    dataset_name: of the data set.  layout, shape: fields and grid points of a frame.
    spacing: distance of the grid points along every axis.  boundaries: "periodic" or "wall" per
    axis.  frames, dt: number of frames and the time between them.  parameters: constants of the
    simulation.
    """

    dataset_name: str
    layout: FieldLayout
    shape: tuple[int, ...]
    spacing: float
    boundaries: tuple[str, ...]
    frames: int
    dt: float
    parameters: Mapping[str, float]


def create(path: Path, header: Header) -> h5py.File:
    """A new file for one trajectory, its fields still empty; `put` fills them frame by frame."""
    file = h5py.File(path, "w")
    axes = AXES[: header.layout.spatial]
    file.attrs.update(
        dataset_name=header.dataset_name,
        grid_type="cartesian",
        n_spatial_dims=header.layout.spatial,
        n_trajectories=1,
        simulation_parameters=list(header.parameters),
        **header.parameters,
    )
    dimensions = file.create_group("dimensions")
    dimensions.attrs["spatial_dims"] = list(axes)
    coordinates = {"time": np.arange(header.frames) * header.dt}
    for axis, n in zip(axes, header.shape, strict=True):
        coordinates[axis] = np.arange(n) * header.spacing
    for name, values in coordinates.items():
        _fixed(dimensions.create_dataset(name, data=values.astype(np.float32)))

    boundaries = file.create_group("boundary_conditions")
    for axis, n, kind in zip(axes, header.shape, header.boundaries, strict=True):
        condition = _fixed(boundaries.create_group(f"{axis}_{kind}"))
        condition.attrs.update(bc_type=kind.upper(), associated_dims=[axis], associated_fields=[])
        mask = np.zeros(n, dtype=bool)
        mask[[0, -1]] = True
        condition.create_dataset("mask", data=mask)

    scalars = file.create_group("scalars")
    scalars.attrs["field_names"] = list(header.parameters)
    for name, value in header.parameters.items():
        _fixed(scalars.create_dataset(name, data=np.float32(value)))

    spatial = header.layout.spatial
    for rank in range(3):
        group = file.create_group(f"t{rank}_fields")
        names = [n for n, r in zip(header.layout.names, header.layout.ranks, strict=True) if r == rank]
        group.attrs["field_names"] = np.array(names, dtype=h5py.string_dtype())
        for name in names:
            shape = (1, header.frames, *header.shape, *[spatial] * rank)
            field = group.create_dataset(name, shape, np.float32)
            field.attrs.update(dim_varying=[True] * spatial, sample_varying=True, time_varying=True)
    return file


def put(file: h5py.File, layout: FieldLayout, number: int, frame: np.ndarray) -> None:
    """Write frame `number`, (C, *space), into a file that `create` made."""
    for name, rank in zip(layout.names, layout.ranks, strict=True):
        values = frame[layout.slice(name)]
        file[f"t{rank}_fields/{name}"][0, number] = np.moveaxis(values, 0, -1) if rank else values[0]


def _fixed(node: h5py.Group | h5py.Dataset) -> h5py.Group | h5py.Dataset:
    node.attrs.update(sample_varying=False, time_varying=False)
    return node


def holds(path: Path, data_id: str) -> bool:
    """Whether there is a readable file that was made by the recipe of this very data id."""
    try:
        with h5py.File(path) as file:
            return bool(file.attrs.get("data_id") == data_id)
    except OSError:
        return False


def write_statistics(folder: Path) -> None:
    """Write `stats.yaml`: mean, std and rms of each field and of its change from frame to frame.

    Per component, over cells, frames and simulations of the train split, or, while there is
    none, of the splits there are.
    """
    files = sorted(folder.glob("data/train/*.hdf5")) or sorted(folder.glob("data/*/*.hdf5"))
    statistics: dict[str, dict[str, float | list[float]]] = {}
    layout = read_contents(files[0]).layout
    for name, rank in zip(layout.names, layout.ranks, strict=True):
        for suffix, change in (("", False), ("_delta", True)):
            mean, square = _moments(files, f"t{rank}_fields/{name}", layout.spatial, change)
            values = {"mean": mean, "std": np.sqrt(square - mean**2), "rms": np.sqrt(square)}
            for key, value in values.items():
                statistics.setdefault(key + suffix, {})[name] = value.tolist()
    with replacing(folder / "stats.yaml") as part:
        part.write_text(yaml.safe_dump(statistics))


def _moments(
    files: list[Path], dataset: str, spatial: int, change: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and mean square per component of one field, or of its changes, in float64."""
    first, second, count = np.zeros(()), np.zeros(()), 0
    for path in files:
        with h5py.File(path) as file:
            values = file[dataset][0].astype(np.float64)
        values = np.diff(values, axis=0) if change else values
        axes = tuple(range(spatial + 1))
        first = first + values.sum(axes)
        second = second + np.square(values).sum(axes)
        count += math.prod(values.shape[: spatial + 1])
    return first / count, second / count
