"""Small files in The Well's HDF5 format, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from harness.fields import AXES, MHD, FieldLayout


def random_frames(n_frames: int, n: int = 8, layout: FieldLayout = MHD, seed: int = 0) -> np.ndarray:
    """(T, C, *space) float32 noise: every value differs, so that a swap is seen."""
    shape = (n_frames, layout.n_channels, *(n,) * layout.spatial)
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def write_well_file(
    path: Path,
    frames: np.ndarray,
    layout: FieldLayout = MHD,
    *,
    dataset_name: str = "simulated",
    parameters: Mapping[str, float] | None = None,
    scalars: Mapping[str, Sequence[float]] | None = None,
    boundary: str = "PERIODIC",
    spacing: float = 1.0,
    dt: float = 0.5,
    data_id: str | None = None,
    chunks: bool = False,
) -> Path:
    """Write `frames`, (T, C, *space) or (B, T, C, *space), as one file; parents are made.

    parameters: root attributes; scalars: one value per trajectory each.
    """
    if frames.ndim == layout.spatial + 2:
        frames = frames[None]
    n_trajectories, n_frames = frames.shape[:2]
    space = frames.shape[3:]
    axes = AXES[: layout.spatial]
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.attrs.update(
            dataset_name=dataset_name,
            grid_type="cartesian",
            n_spatial_dims=layout.spatial,
            n_trajectories=n_trajectories,
            simulation_parameters=list(parameters or {}),
        )
        file.attrs.update(parameters or {})
        if data_id is not None:
            file.attrs["data_id"] = data_id

        dimensions = file.create_group("dimensions")
        dimensions.attrs["spatial_dims"] = list(axes)
        values = {"time": dt * np.arange(n_frames, dtype=np.float32)}
        for axis, n in zip(axes, space, strict=True):
            values[axis] = spacing * np.arange(n, dtype=np.float32)
        for name, value in values.items():
            dimensions[name] = value
            dimensions[name].attrs.update(sample_varying=False, time_varying=False)

        boundaries = file.create_group("boundary_conditions")
        for axis, n in zip(axes, space, strict=True):
            condition = boundaries.create_group(f"{axis}_{boundary.lower()}")
            condition.attrs.update(
                associated_dims=[axis],
                associated_fields=[],
                bc_type=boundary,
                sample_varying=False,
                time_varying=False,
            )
            mask = np.zeros(n, dtype=bool)
            mask[[0, -1]] = True
            condition["mask"] = mask

        group = file.create_group("scalars")
        group.attrs["field_names"] = list(scalars or {})
        for name, per_trajectory in (scalars or {}).items():
            group[name] = np.asarray(per_trajectory, dtype=np.float32)
            group[name].attrs.update(sample_varying=True, time_varying=False)

        for rank in (0, 1, 2):
            group = file.create_group(f"t{rank}_fields")
            members = [name for name, r in zip(layout.names, layout.ranks, strict=True) if r == rank]
            group.attrs["field_names"] = members
            for name in members:
                part = frames[:, :, layout.slice(name)]
                stored = np.moveaxis(part, 2, -1) if rank else part[:, :, 0]
                one_frame = (1, 1, *stored.shape[2:]) if chunks else None
                data = group.create_dataset(name, data=stored, chunks=one_frame)
                data.attrs.update(
                    dim_varying=[True] * layout.spatial, sample_varying=True, time_varying=True
                )
    return path
