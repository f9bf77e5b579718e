"""A saved rollout as a surrogate: `--model saved:FOLDER`, predicted frames of any framework.

FOLDER holds one file in The Well's HDF5 layout for each window, named like the test case:
`Ma0.7_Ms0.5-w0.hdf5` is the prediction for window 0 of simulation Ma0.7_Ms0.5.  Its first frame is
the first predicted one, unless the root attribute `first_step` says 0: then it is the last input
frame.  Fields are found by name; frames that are not finite are results like any other.

A replay cannot answer to another input and computes in no precision, so it has no traits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from harness.fields import FieldLayout
from harness.stepping import Draw, Stepper
from harness.surrogates.base import Weightless
from harness.surrogates.spec import ModelError, ModelSpec
from harness.truth.errors import TruthError
from harness.truth.hdf5 import opened
from harness.truth.identity import content_digest
from harness.truth.schema import Contents, read_contents
from harness.truth.well import Frames
from harness.truth.window import Simulation, Window

FIRST_STEP = "first_step"


class Saved(Weightless):
    """Predicted frames, read from the files of a folder."""

    traits: frozenset[str] = frozenset()

    def __init__(self, folder: Path, fields: FieldLayout) -> None:
        super().__init__(fields)
        self.folder = folder

    def file(self, window: Window) -> Path:
        """Where the prediction for a window lies."""
        name = f"{window.simulation.name}-w{window.index}"
        return next(
            (path for end in (".hdf5", ".h5") if (path := self.folder / f"{name}{end}").is_file()),
            self.folder / f"{name}.hdf5",
        )

    def begin(self, window: Window, draw: Draw) -> Stepper:
        """Reads the frame of each step.

        Raises TruthError: no file for this window, or one that is not in The Well's layout or holds
        another grid, other fields or too few frames.
        """
        path = self.file(window)
        if not path.is_file():
            raise TruthError("no prediction for this window", file=path)
        contents = read_contents(path)
        first = _first_step(path)
        _check(path, contents, window, first)
        prediction = _as_simulation(path, contents, window.simulation)

        def step_to(history: Tensor, step: int) -> Tensor:
            # Opened per step: a stepper may be dropped at any time, and an open file with it.
            with Frames(prediction, self.fields, finite=False) as frames:
                return frames.read(step - first).to(self._device, self._dtype)

        return step_to

    def fingerprint(self) -> str:
        """The content of every file and its name, which says what it predicts."""
        digest = hashlib.sha256(b"saved")
        for path in _files(self.folder):
            digest.update(f"{path.name}:{content_digest(path)};".encode(errors="surrogateescape"))
        return digest.hexdigest()


def load(spec: ModelSpec, simulations: Sequence[Simulation]) -> Saved:
    """The rollouts in the folder of `saved:FOLDER`."""
    return Saved(Path(spec.name.partition(":")[2]), simulations[0].layout)


def fits(spec: ModelSpec, simulations: Sequence[Simulation]) -> None:
    """ModelError, with the names that there should be, for a folder of none of the simulations."""
    folder = Path(spec.name.partition(":")[2])
    there = [path.stem for path in _files(folder)]
    if not any(name.startswith(f"{s.name}-w") for s in simulations for name in there):
        wanted = ", ".join(f"{s.name}-w0.hdf5" for s in simulations[:3])
        raise ModelError(
            f"{folder} holds no prediction of these simulations: expected names like {wanted}; found "
            f"{', '.join(there[:5])}"
        )


def require(spec: ModelSpec) -> None:
    """ModelError if there is no such folder, or none of The Well's files in it."""
    folder = Path(spec.name.partition(":")[2])
    if not folder.is_dir() or not _files(folder):
        raise ModelError(
            f"{str(folder)!r} is no folder of saved rollouts: expected files like SIMULATION-w0.hdf5"
        )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*-w*") if path.suffix in (".hdf5", ".h5"))


def _first_step(path: Path) -> int:
    """Step of the file's first frame, 1 unless it says otherwise; TruthError for nonsense."""
    with opened(path) as file:
        value = file.attrs.get(FIRST_STEP, 1)
    if value not in (0, 1):
        raise TruthError("wrong attribute", file=path, dataset=f"@{FIRST_STEP}", expected="0 or 1",
                         found=value)  # fmt: skip
    return int(value)


def _check(path: Path, contents: Contents, window: Window, first: int) -> None:
    simulation = window.simulation
    if contents.n_trajectories != 1 or contents.shape != simulation.shape:
        raise TruthError(
            "wrong prediction",
            file=path,
            expected=f"one trajectory on {simulation.shape} points",
            found=f"{contents.n_trajectories} on {contents.shape}",
        )
    if contents.n_frames < window.steps + 1 - first:
        raise TruthError(
            "too few predicted frames",
            file=path,
            expected=f"{window.steps + 1 - first}, for steps {first}-{window.steps}",
            found=contents.n_frames,
        )


def _as_simulation(path: Path, contents: Contents, truth: Simulation) -> Simulation:
    """The prediction as something that frames can be read of."""
    return Simulation(
        dataset=truth.dataset,
        name=path.stem,
        data_id="",
        n_frames=contents.n_frames,
        layout=contents.layout,
        shape=contents.shape,
        spacing=truth.spacing,
        boundaries=truth.boundaries,
        dt=truth.dt,
        parameters=truth.parameters,
        file=path,
        sample=0,
    )
