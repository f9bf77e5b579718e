"""The Well's HDF5 files, found and read frame by frame: raw, channels first, bounded memory.

Values are those of the file, in its physical units: no normalisation takes place.  A vector field
lies channels last in the file; it passes through one reused buffer of that field's frame.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np
import torch
from torch import Tensor

from harness.fields import FieldLayout
from harness.paths import slug
from harness.truth import files
from harness.truth.errors import TruthError
from harness.truth.hdf5 import member, opened
from harness.truth.identity import content_digest
from harness.truth.schema import Contents, read_contents
from harness.truth.window import Simulation

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Scan:
    """What a split of a data set holds.

    simulations: usable trajectories, ordered by file and sample.
    problems: files that cannot be used, each with what is wrong with it.
    notes: what the files hold but a state does not, with the reason.
    """

    simulations: tuple[Simulation, ...]
    problems: tuple[TruthError, ...]
    notes: tuple[str, ...] = ()


def scan(root: Path, dataset: str, split: str, where: Mapping[str, float] | None = None) -> Scan:
    """Find the trajectories of one split of a data set.

    The first of `<root>/datasets/<dataset>/data/<split>`, `<root>/<dataset>/data/<split>`,
    `<root>/data/<split>`, Hugging Face's cache and `<root>` that holds .hdf5 or .h5 files is read;
    in `<root>/data/<split>` and `<root>` the files' own `dataset_name` must be `dataset`.  A file that
    cannot be used is a problem and does not keep the others from being used.

    where: parameter values to select by; only selected trajectories are identified by content,
    which takes the time to read a file once.

    Raises MissingData if no folder holds a file, TruthError if nothing has the parameters asked
    for, ValueError for an unsafe data set name or an unknown split.
    """
    if slug(dataset) != dataset:
        raise ValueError(f"unsafe data set name {dataset!r}")
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: one of {', '.join(SPLITS)}")
    paths, named_by_path = files.find(Path(root), dataset, split)
    problems: list[TruthError] = []
    notes: dict[str, None] = {}
    readable: list[tuple[int, Path, Contents]] = []
    for position, path in enumerate(paths):
        try:
            contents = read_contents(path)
            if not named_by_path and contents.dataset_name != dataset:
                raise TruthError(
                    "another data set",
                    file=path,
                    dataset="@dataset_name",
                    expected=dataset,
                    found=contents.dataset_name,
                )
        except TruthError as error:
            problems.append(error)
            continue
        readable.append((position, path, contents))
        notes.update(dict.fromkeys(contents.notes))
    names = files.unique(
        files.simulation_name(contents.dataset_name, position, path)
        for position, path, contents in readable
    )
    wanted = dict(where or {})
    simulations: list[Simulation] = []
    identities: dict[str, Path] = {}
    for name, (_, path, contents) in zip(names, readable, strict=True):
        samples = [
            sample
            for sample in range(contents.n_trajectories)
            if wanted.items() <= dict(contents.parameters[sample]).items()
        ]
        if samples:
            try:
                identity = contents.identity or content_digest(path)
            except OSError as error:
                problems.append(TruthError("cannot be read", file=path, found=error))
                continue
            twin = identities.setdefault(identity, path)
            if twin != path:
                problems.append(TruthError("holds the data of another file", file=path, found=twin))
                continue
            simulations += [_simulation(dataset, name, identity, path, contents, i) for i in samples]
    if readable and wanted and not simulations and not problems:
        there = sorted({p for _, _, contents in readable for p in contents.parameters})
        raise TruthError(
            f"no simulation of {dataset}, split {split}, has these parameters",
            expected=wanted,
            found="; ".join(str(dict(p)) for p in there),
        )
    return Scan(tuple(simulations), tuple(problems), tuple(notes))


def _simulation(
    dataset: str, name: str, identity: str, path: Path, contents: Contents, sample: int
) -> Simulation:
    suffix = f"-t{sample}" if contents.n_trajectories > 1 else ""
    return Simulation(
        dataset=dataset,
        name=name + suffix,
        data_id=identity + suffix,
        n_frames=contents.n_frames,
        layout=contents.layout,
        shape=contents.shape,
        spacing=contents.spacing[sample],
        boundaries=contents.boundaries,
        dt=contents.dt[sample],
        parameters=contents.parameters[sample],
        file=path,
        sample=sample,
    )


class Frames:
    """The frames of one simulation, read one at a time; a context manager.

    layout: the channel order wanted; that of the file by default.  Fields are found by name.
    finite: whether a frame that is not finite is an error, as it is for truth.

    Memory: the file's handle and one frame of the largest vector field.
    Raises TruthError on entering if the file cannot be read or lacks a field of `layout`.
    """

    def __init__(
        self, simulation: Simulation, layout: FieldLayout | None = None, finite: bool = True
    ) -> None:
        self.simulation = simulation
        self._finite = finite
        self.layout = layout or simulation.layout
        self._stack = ExitStack()
        self._sources: list[tuple[h5py.Dataset, tuple[int, ...], slice, int]] = []
        self._buffer = np.empty(0, dtype=np.float32)

    def __enter__(self) -> Self:
        simulation, layout = self.simulation, self.layout
        declared = dict(zip(simulation.layout.names, simulation.layout.ranks, strict=True))
        wanted = dict(zip(layout.names, layout.ranks, strict=True))
        if layout.spatial != len(simulation.shape) or not wanted.items() <= declared.items():
            raise TruthError(
                "missing fields",
                file=simulation.file,
                expected=_described(wanted, layout.spatial),
                found=_described(declared, len(simulation.shape)),
            )
        with ExitStack() as stack:
            file = stack.enter_context(opened(simulation.file))
            self._sources = [self._source(file, name, rank) for name, rank in wanted.items()]
            self._stack = stack.pop_all()
        if 1 in layout.ranks:
            self._buffer = np.empty((*simulation.shape, layout.spatial), dtype=np.float32)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sources = []
        self._buffer = np.empty(0, dtype=np.float32)
        self._stack.close()

    def _source(
        self, file: h5py.File, name: str, rank: int
    ) -> tuple[h5py.Dataset, tuple[int, ...], slice, int]:
        data = member(member(file, f"t{rank}_fields", h5py.Group), name, h5py.Dataset)
        simulation = self.simulation
        frame = (*simulation.shape, *(self.layout.spatial,) * rank)
        leading = (simulation.sample,) if data.ndim == len(frame) + 2 else ()
        if data.shape[len(leading) :] != (simulation.n_frames, *frame):
            raise TruthError(
                "the file has changed",
                file=simulation.file,
                dataset=data.name,
                expected=(simulation.n_frames, *frame),
                found=data.shape,
            )
        return data, leading, self.layout.slice(name), rank

    def read(self, frame: int, out: Tensor | None = None) -> Tensor:
        """Frame number `frame`, counted from 0, as (C, *space) float32 on the CPU.

        out: a contiguous float32 CPU tensor of that shape to write into and return.

        Raises TruthError, naming file, field and frame, if it cannot be read or, where frames must
        be finite, a value is not; IndexError if there is no such frame.
        """
        simulation = self.simulation
        if not self._sources:
            raise RuntimeError("Frames is a context manager: read inside `with Frames(...)`")
        if not 0 <= frame < simulation.n_frames:
            raise IndexError(f"{simulation.name} has frames 0-{simulation.n_frames - 1}: {frame}")
        shape = (self.layout.n_channels, *simulation.shape)
        if out is None:
            out = torch.empty(shape, dtype=torch.float32)
        elif out.shape != shape or out.dtype != torch.float32 or not out.is_contiguous():
            raise ValueError(f"out must be contiguous float32 of shape {shape}")
        values = out.numpy()
        for data, leading, channels, rank in self._sources:
            selection = (*leading, frame)
            try:
                if rank == 0:
                    data.read_direct(values[channels.start], source_sel=selection)
                else:
                    data.read_direct(self._buffer, source_sel=selection)
                    np.copyto(values[channels], np.moveaxis(self._buffer, -1, 0))
            except (OSError, RuntimeError) as error:
                raise TruthError(
                    f"frame {frame} cannot be read",
                    file=simulation.file,
                    dataset=data.name,
                    found=error,
                ) from error
        # One pass without a temporary: a NaN or an infinity reaches the sum.  A sum that merely
        # overflows is cleared by the second look.
        if self._finite and not math.isfinite(out.sum()) and not out.isfinite().all():
            raise self._not_finite(frame, out)
        return out

    def _not_finite(self, frame: int, out: Tensor) -> TruthError:
        """The error for the first field of a frame that holds a NaN or an infinity."""
        data, bad = next(
            (data, ~out[channels].isfinite())
            for data, _, channels, _ in self._sources
            if not out[channels].isfinite().all()
        )
        return TruthError(
            f"frame {frame} of sample {self.simulation.sample} is not finite",
            file=self.simulation.file,
            dataset=data.name,
            expected="finite values",
            found=f"{int(bad.sum())} of {bad.numel()} values NaN or infinite",
        )


def _described(fields: Mapping[str, int], spatial: int) -> str:
    kinds = ("scalar", "vector")
    return f"{spatial}D " + ", ".join(f"{kinds[rank]} {name}" for name, rank in fields.items())
