"""The records of a run, read as far as they can be: a missing one costs its figures, not the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from harness.record import SIDE
from harness.report.text import natural, window_label
from harness.results import RecordEntry, Run

#: Kinds of records that the page shows: a model against the truth, or against its float64 self.
KINDS = ("rollout", "twin")

#: What the page reads of a record.
VARIABLES = ("variance", "spectrum", "slice", "vrmse_joint")
COORDINATES = (SIDE, "step", "channel", "field", "k_perp", "slice_step")
GUIDE = "guide"


@dataclass(frozen=True, eq=False)
class Rollout:
    """The record of one rollout or twin.

    label: name of its window as the tables print it.  truth, pred: the two sides; those of a twin
    are the float64 and the float32 rollout.
    """

    entry: RecordEntry
    label: str
    data: xr.Dataset

    @property
    def model(self) -> str:
        """Name of the surrogate."""
        return self.entry.model or "truth"

    @property
    def window(self) -> tuple[str, str | None, str, int | None]:
        """Model, protocol, simulation and window: what several realisations share."""
        entry = self.entry
        return self.model, entry.protocol, entry.simulation, entry.window

    @property
    def truth(self) -> xr.Dataset:
        """The reference side."""
        return self.data.isel({SIDE: 0})

    @property
    def pred(self) -> xr.Dataset:
        """The judged side."""
        return self.data.isel({SIDE: 1})

    def has(self, name: str, *dims: str) -> bool:
        """Whether the record holds this variable over (at least) these dimensions."""
        return name in self.data and set(dims) <= set(self.data[name].dims)

    @property
    def last_finite(self) -> int:
        """Index of the last step at which every channel's variance is finite on both sides."""
        variance = self.data["variance"].transpose("step", ...).values
        finite = np.isfinite(variance).reshape(len(variance), -1).all(axis=1)
        return int(np.flatnonzero(finite)[-1]) if finite.any() else 0


def load(run: Run, folder: Path) -> tuple[list[Rollout], list[str]]:
    """Rollouts and twins of a run in the order of windows, and a line for each not readable.

    Several draws of one window follow each other, the lowest first.
    """
    rollouts, problems = [], []
    order = {model.name: index for index, model in enumerate(run.models)}

    def place(entry: RecordEntry) -> tuple[Any, ...]:
        return order.get(entry.model or "", len(order)), *_place(entry)

    for entry in sorted(run.records, key=place):
        if entry.kind not in KINDS:
            continue
        label = window_label(run, entry.protocol, entry.simulation, entry.window)
        name = f"{entry.model} on {label} ({entry.file})"
        path = (folder / entry.file).resolve()
        if not path.is_relative_to(folder.resolve()):
            problems.append(f"{entry.kind} record of {name} lies outside the run folder: not read")
            continue
        if not path.exists():
            problems.append(f"{entry.kind} record of {name} is missing")
            continue
        try:
            data = _read(path)
        except (OSError, ValueError, KeyError, IndexError, RuntimeError) as error:
            problems.append(f"{entry.kind} record of {name} cannot be read: {error}")
            continue
        if data.sizes.get(SIDE) != 2 or "step" not in data.dims:
            problems.append(f"{entry.kind} record of {name} holds no truth and prediction over step")
            continue
        rollouts.append(Rollout(entry, label, data))
    return rollouts, problems


def _place(entry: RecordEntry) -> tuple[Any, ...]:
    window = -1 if entry.window is None else entry.window
    draw = -1 if entry.draw is None else entry.draw
    return entry.model or "", entry.protocol or "", natural(entry.simulation), window, draw


def _read(path: Path) -> xr.Dataset:
    """What the page needs of a record.

    xr.open_dataset takes 0.3 s for the dimensions of every variable of a record; reading these few
    by their HDF5 names takes 0.01 s, and a run has dozens of records.
    """
    with h5py.File(path, "r") as file:
        variables = {name: _variable(file[name]) for name in VARIABLES if name in file}
        coords = {name: _coordinate(file[name], name) for name in COORDINATES if name in file}
        guide = file.attrs.get(GUIDE)
    attrs = {} if guide is None else {GUIDE: guide.decode() if isinstance(guide, bytes) else guide}
    return xr.Dataset(variables, coords=coords, attrs=attrs)


def _variable(stored: h5py.Dataset) -> tuple[list[str], NDArray[Any]]:
    # netCDF4 names a dimension by the scale that is attached to it.
    return [scale[0].name.removeprefix("/") for scale in stored.dims], _values(stored)


def _coordinate(stored: h5py.Dataset, name: str) -> tuple[list[str], NDArray[Any]]:
    # The coordinate of a dimension is a scale, and has none attached to it.
    return ([name], _values(stored)) if stored.is_scale else _variable(stored)


def _values(stored: h5py.Dataset) -> NDArray[Any]:
    return stored.asstr()[...] if h5py.check_string_dtype(stored.dtype) else stored[...]


def principal(records: Iterable[Rollout]) -> list[Rollout]:
    """The rollouts that stand for their windows: of several draws the first."""
    first: dict[tuple[Any, ...], Rollout] = {}
    for record in records:
        if record.entry.kind == "rollout":
            first.setdefault(record.window, record)
    return list(first.values())


def of_model(rollouts: Iterable[Rollout], model: str) -> list[Rollout]:
    """The rollouts of one model."""
    return [rollout for rollout in rollouts if rollout.model == model]
