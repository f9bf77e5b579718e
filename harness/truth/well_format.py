"""The Well's HDF5 layout of one simulation, and the statistics file beside the splits.

Layout as The Well's `WellDataset` reads it (arXiv 2412.00568, appendix on the data format;
the_well 1.2): fields are (trajectory, time, x, y, z[, component]).
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import h5py
import numpy as np
import yaml

from harness.fields import MHD
from harness.truth.mhd import Settings

AXES = ["x", "y", "z"]


def create(path: Path, frames: int, n: int, settings: Settings) -> h5py.File:
    """A new file for one trajectory of `frames` frames on n^3 cells, its fields still empty."""
    file = h5py.File(path, "w")
    parameters = {"Ma": 0.7, "Ms": 0.7}
    file.attrs.update(
        dataset_name="simulated",
        grid_type="cartesian",
        n_spatial_dims=3,
        n_trajectories=1,
        simulation_parameters=list(parameters),
        **parameters,
    )
    dimensions = file.create_group("dimensions")
    dimensions.attrs["spatial_dims"] = AXES
    cells = (np.arange(n) * (2 * math.pi / n)).astype(np.float32)
    times = (np.arange(frames) * settings.frame_dt).astype(np.float32)
    for name, values in [*((axis, cells) for axis in AXES), ("time", times)]:
        _fixed(dimensions.create_dataset(name, data=values))

    boundaries = file.create_group("boundary_conditions")
    for axis in AXES:
        wall = _fixed(boundaries.create_group(f"{axis}_periodic"))
        wall.attrs.update(bc_type="PERIODIC", associated_dims=[axis], associated_fields=[])
        mask = np.zeros(n, dtype=bool)
        mask[[0, -1]] = True
        wall.create_dataset("mask", data=mask)

    scalars = file.create_group("scalars")
    scalars.attrs["field_names"] = list(parameters)
    for name, value in parameters.items():
        _fixed(scalars.create_dataset(name, data=np.float32(value)))

    for rank in range(3):
        group = file.create_group(f"t{rank}_fields")
        names = [name for name, r in zip(MHD.names, MHD.ranks, strict=True) if r == rank]
        group.attrs["field_names"] = np.array(names, dtype=h5py.string_dtype())
        for name in names:
            field = group.create_dataset(name, (1, frames, n, n, n, *[3] * rank), np.float32)
            field.attrs.update(dim_varying=[True] * 3, sample_varying=True, time_varying=True)
    return file


def _fixed(node: h5py.Group | h5py.Dataset) -> h5py.Group | h5py.Dataset:
    node.attrs.update(sample_varying=False, time_varying=False)
    return node


def write_statistics(folder: Path) -> None:
    """Write `stats.yaml`: mean, std and rms of each field and of its change from frame to frame.

    Per component, over cells, frames and simulations of the train split, or, while there is
    none, of the splits there are.
    """
    files = sorted(folder.glob("data/train/*.hdf5")) or sorted(folder.glob("data/*/*.hdf5"))
    statistics: dict[str, dict[str, float | list[float]]] = {}
    for name, rank in zip(MHD.names, MHD.ranks, strict=True):
        for suffix, change in (("", False), ("_delta", True)):
            mean, square = _moments(files, f"t{rank}_fields/{name}", change)
            values = {"mean": mean, "std": np.sqrt(square - mean**2), "rms": np.sqrt(square)}
            for key, value in values.items():
                statistics.setdefault(key + suffix, {})[name] = value.tolist()
    partial = folder / f".stats.{os.getpid()}.partial"
    partial.write_text(yaml.safe_dump(statistics))
    os.replace(partial, folder / "stats.yaml")


def _moments(files: list[Path], dataset: str, change: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean and mean square per component of one field, or of its changes, in float64."""
    first, second, count = np.zeros(()), np.zeros(()), 0
    for path in files:
        with h5py.File(path) as file:
            values = file[dataset][0].astype(np.float64)
        values = np.diff(values, axis=0) if change else values
        axes = (0, 1, 2, 3)
        first = first + values.sum(axes)
        second = second + np.square(values).sum(axes)
        count += math.prod(values.shape[:4])
    return first / count, second / count
