"""Records: everything measured during one rollout, and the store that keeps them.

A record is an xarray.Dataset in a netCDF4 file that any scientist can open.  The store is
content-addressed: a record's name is the digest of everything that went into it, so a finished
record is never wrong and never stale, and an interrupted run resumes by finding what is there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
import xarray as xr
from filelock import FileLock

from harness.atomic import replacing

SIDE = "side"

#: step, frame (C, *space) -> None
WriteFrame = Callable[[int, np.ndarray], None]


@dataclass(frozen=True, eq=False)
class Record:
    """All diagnostics of one job.

    data: variables over (side, step, channel, k_perp, ...); step 0 is the last input frame.
    After a non-finite frame every later step is NaN: it was never computed.
    """

    key: str
    data: xr.Dataset

    @cached_property
    def truth(self) -> xr.Dataset:
        """The reference side: the truth's frames, or a twin's float64 rollout."""
        return self.data.isel({SIDE: 0})

    @cached_property
    def pred(self) -> xr.Dataset:
        """The judged side, the last: the surrogate's frames, or a twin's float32 rollout."""
        return self.data.isel({SIDE: -1})

    @property
    def diverged_at(self) -> int | None:
        """First step with a non-finite value, None if the rollout stayed finite."""
        step = int(self.data.attrs.get("diverged_at", -1))
        return None if step < 0 else step

    @property
    def diverged_in(self) -> str | None:
        """First non-finite channel at that step."""
        return str(self.data.attrs["diverged_in"]) if self.diverged_at is not None else None


class StoreError(RuntimeError):
    """A record could not be written; says where and why."""


class Store:
    """Records on disk, one netCDF file each, under the first two letters of their key."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: str) -> Path:
        """Where the record of a key lies, or would lie."""
        return self.root / key[:2] / f"{key}.nc"

    def fields(self, key: str) -> Path:
        """Where the predicted frames of a record lie, if they were kept."""
        return self.path(key).with_suffix(".frames.h5")

    def get(self, key: str) -> Record | None:
        """The stored record, None if there is none.  An unreadable file counts as none."""
        path = self.path(key)
        if not path.exists():
            return None
        try:
            with xr.open_dataset(path, engine="netcdf4") as stored:
                return Record(key, stored.load())
        except (OSError, RuntimeError, ValueError, KeyError):
            # Writes are atomic, so this is damage from outside: measuring again mends it.
            return None

    def put(self, key: str, data: xr.Dataset) -> Record:
        """Write a record atomically: a reader, or a crash, never sees half a file."""
        path = self.path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as part:
                data.to_netcdf(part, engine="netcdf4")
                with part.open("rb+") as file:
                    os.fsync(file.fileno())
        except (OSError, RuntimeError) as error:  # netCDF4 reports a full disk as RuntimeError
            raise StoreError(f"cannot write record {path}: {error}") from error
        return Record(key, data)

    @contextmanager
    def write_fields(
        self, key: str, shape: tuple[int, ...], channels: Sequence[str]
    ) -> Iterator[WriteFrame]:
        """Keep predicted frames, one by one, beside a record; the file is there when all are.

        shape: (steps + 1, C, *space).  Frames never written, after a divergence, are NaN.
        """
        with replacing(self.fields(key)) as part, h5py.File(part, "w") as file:
            frames = file.create_dataset("frames", shape, "f4", fillvalue=np.nan)
            frames.attrs["channels"] = channels

            def write(step: int, frame: np.ndarray) -> None:
                frames[step] = frame

            yield write

    def export(self, key: str, folder: Path) -> None:
        """Put a record into another folder: as a hard link where the disk allows it.

        Records are never changed after they are written, so a link is as good as a copy.
        """
        copy = folder / f"{key}.nc"
        if copy.exists():
            return
        try:
            os.link(self.path(key), copy)
        except OSError:
            shutil.copyfile(self.path(key), copy)

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Only one process makes a record; the lock of a killed process is released by the system."""
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), fallback_to_soft=False):
            yield
