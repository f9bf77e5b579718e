"""MHD_64 as The Well publishes it, with few frames: names, attributes, scalars, boundaries, fields."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

#: the ten parameter pairs, each with one trajectory in the test split
MACH = [(ma, ms) for ma in (0.7, 2.0) for ms in (0.5, 0.7, 1.5, 2.0, 7.0)]
CELLS = 64


def name(ma: float, ms: float) -> str:
    return f"MHD_Ma_{ma:g}_Ms_{ms:g}.hdf5"


def build(
    root: Path, ma: float, ms: float, frames: int = 2, n: int = CELLS, file: str | None = None
) -> Path:
    """One file under ROOT/datasets/MHD_64/data/test; B has a guide field along x, as in the data."""
    path = root / "datasets" / "MHD_64" / "data" / "test" / (file or name(ma, ms))
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(int(1000 * ma + 10 * ms))
    with h5py.File(path, "w") as out:
        out.attrs.update(
            dataset_name="MHD_64", grid_type="cartesian", n_spatial_dims=3, n_trajectories=1,
            simulation_parameters=["Ma", "Ms"], Ma=ma, Ms=ms,
        )  # fmt: skip
        dimensions = out.create_group("dimensions")
        dimensions.attrs["spatial_dims"] = ["x", "y", "z"]
        coordinates = {axis: np.arange(n, dtype="f4") for axis in "xyz"}
        for axis, values in (coordinates | {"time": 0.01 * np.arange(frames, dtype="f4")}).items():
            dimensions[axis] = values
            dimensions[axis].attrs.update(sample_varying=False, time_varying=False)
        walls = out.create_group("boundary_conditions")
        for axis in "xyz":
            wall = walls.create_group(f"{axis}_periodic")
            wall.attrs.update(
                associated_dims=[axis], associated_fields=[], bc_type="PERIODIC",
                sample_varying=False, time_varying=False,
            )  # fmt: skip
            mask = np.zeros(n, dtype=bool)
            mask[[0, -1]] = True
            wall["mask"] = mask
        scalars = out.create_group("scalars")
        scalars.attrs["field_names"] = ["Ma", "Ms"]
        for parameter, value in (("Ma", ma), ("Ms", ms)):
            scalars[parameter] = np.float32(value)
            scalars[parameter].attrs.update(sample_varying=False, time_varying=False)
        for rank, fields in enumerate((["density"], ["magnetic_field", "velocity"], [])):
            group = out.create_group(f"t{rank}_fields")
            group.attrs["field_names"] = fields
            for field in fields:
                shape = (1, frames, n, n, n, *[3] * rank)
                values = rng.random((1, frames, n, 1, 1, *[3] * rank), dtype="f4")
                if field == "magnetic_field":
                    values[..., 0] += 1.0
                stored = group.create_dataset(
                    field, data=np.broadcast_to(values, shape), compression="gzip", compression_opts=1
                )
                stored.attrs.update(dim_varying=[True] * 3, sample_varying=True, time_varying=True)
    return path
