"""Truth that cannot be used: what is said of it, and that the rest still runs."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from harness.fields import MHD
from harness.paths import ROOT
from harness.truth.errors import MissingData, TruthError
from harness.truth.well import Frames
from tests.conftest import Toy
from tests.test_well import scan_truth, write
from tests.toy import waves
from tests.well_files import write_well_file


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test split of a data set called `truth`."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "root" / "datasets" / "truth" / "data" / "test"
    path.mkdir(parents=True)
    return path


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _edit(change: Callable[[h5py.File], object]) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            change(file)

    return edit


def _replace(name: str, shape: tuple[int, ...], dtype: str = "f4") -> Callable[[Path], None]:
    def change(file: h5py.File) -> None:
        attributes = dict(file[name].attrs)
        del file[name]
        file.create_dataset(name, shape, dtype).attrs.update(attributes)

    return _edit(change)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _dangle(path: Path) -> None:
    path.unlink()
    path.symlink_to("gone")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _elsewhere(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.move("t0_fields/density", "t0_fields/other")
        file["t0_fields/density"] = h5py.ExternalLink("good.hdf5", "/t0_fields/density")


def _hostile_field(file: h5py.File) -> None:
    file["t0_fields"].attrs["field_names"] = ["<script>"]


def _set(node: str, name: str, value: object) -> Callable[[Path], None]:
    return _edit(lambda file: file[node].attrs.__setitem__(name, value))


BAD_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (_truncate, "truncated file"),
    "text": (lambda path: path.write_text("no HDF5 at all"), "expected a complete HDF5 file"),
    "empty": (lambda path: path.write_bytes(b""), "expected a complete HDF5 file"),
    "folder": (_folder, "not a regular file"),
    "pipe": (_pipe, "not a regular file"),
    "dangling": (_dangle, "cannot be read"),
    "no fields": (_edit(lambda f: f.__delitem__("t1_fields")), "/t1_fields: expected a group"),
    "missing field": (
        _edit(lambda f: f.__delitem__("t1_fields/velocity")),
        "/t1_fields/velocity: expected a dataset, found magnetic_field",
    ),
    "group for a field": (
        _edit(lambda f: (f.__delitem__("t0_fields/density"), f.create_group("t0_fields/density"))),
        "/t0_fields/density: expected a dataset, found Group",
    ),
    "elsewhere": (_elsewhere, "/t0_fields/density: expected a dataset of its own"),
    "missing attribute": (_edit(lambda f: f.attrs.__delitem__("grid_type")), "/@grid_type"),
    "field without attribute": (
        _edit(lambda f: f["t0_fields/density"].attrs.__delitem__("time_varying")),
        "/t0_fields/density@time_varying",
    ),
    "spherical": (_set("/", "grid_type", "spherical"), "expected cartesian, found spherical"),
    "number of trajectories": (
        _set("/", "n_trajectories", 2),
        "/t0_fields/density: expected floats of shape (2,)",
    ),
    "text for a number": (_set("/", "n_trajectories", "two"), "invalid literal"),
    "number of axes": (_set("/", "n_spatial_dims", 2), "n_spatial_dims 2"),
    "components": (
        _replace("t1_fields/velocity", (1, 4, 4, 4, 4, 2)),
        "/t1_fields/velocity: expected floats of shape (1,) + (4, 4, 4, 4) + (3,), "
        "found float32 of shape (1, 4, 4, 4, 4, 2)",
    ),
    "resolution of a field": (
        _replace("t1_fields/velocity", (1, 4, 8, 8, 8, 3)),
        "/t1_fields/velocity: expected floats",
    ),
    "integers": (_replace("t0_fields/density", (1, 4, 4, 4, 4), "i4"), "found int32"),
    "no frames": (_replace("t0_fields/density", (1, 0, 4, 4, 4)), "expected floats"),
    "hostile field": (_edit(_hostile_field), "unsafe field name"),
    "boundary": (
        _set("boundary_conditions/y_periodic", "bc_type", "SOMMERFELD"),
        "expected periodic or wall or open, found sommerfeld",
    ),
    "stretched grid": (
        _edit(lambda f: f["dimensions/y"].__setitem__(..., [0, 1, 2, 4])),
        "/dimensions/y: expected equal, increasing steps, found steps from 1 to 2",
    ),
    "falling grid": (
        _edit(lambda f: f["dimensions/y"].__setitem__(..., [3, 2, 1, 0])),
        "/dimensions/y: expected equal, increasing",
    ),
    "NaN grid": (
        _edit(lambda f: f["dimensions/y"].__setitem__(..., [0, 1, np.nan, 3])),
        "/dimensions/y: expected 4 finite values",
    ),
    "time": (_replace("dimensions/time", (3,)), "/dimensions/time: expected 4 finite values"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_is_named_and_the_others_still_run(folder: Path, kind: str) -> None:
    spoil, message = BAD_FILES[kind]
    write(folder / "bad.hdf5", seed=0)
    write(folder / "good.hdf5", seed=1)
    spoil(folder / "bad.hdf5")
    found = scan_truth(folder)
    assert [s.name for s in found.simulations] == ["good"]
    (problem,) = found.problems
    assert problem.file == folder / "bad.hdf5"
    assert str(folder / "bad.hdf5") in str(problem)
    assert message in str(problem)


def test_fields_that_are_no_part_of_a_state_are_left_out_with_the_reason(folder: Path) -> None:
    path = write(folder / "a.hdf5")
    with h5py.File(path, "r+") as file:
        file["t2_fields"].attrs["field_names"] = ["strain"]
        file["t0_fields"].attrs["field_names"] = ["flat", "density"]
        file["t0_fields/flat"] = np.zeros((1, 4, 4), dtype="f4")
        file["t0_fields/flat"].attrs.update(
            time_varying=True, sample_varying=True, dim_varying=[True, False, False]
        )
    found = scan_truth(folder)
    assert found.simulations[0].layout == MHD
    assert found.notes == (
        "field flat does not vary along every axis and is not read",
        "field strain is a tensor and no part of a state",
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["t0_fields/density", "t1_fields/velocity"])
def test_truth_that_is_not_finite_names_file_field_and_frame(
    folder: Path, name: str, value: float
) -> None:
    path = write(folder / "a.hdf5")
    with h5py.File(path, "r+") as file:
        where = (0, 2, 1, 2, 3) if name.startswith("t0") else (0, 2, 1, 2, 3, 1)
        file[name][where] = value
    (simulation,) = scan_truth(folder).simulations
    with Frames(simulation) as source:
        source.read(1)
        with pytest.raises(TruthError, match=r"frame 2 .*1 of \d+ values NaN or infinite") as caught:
            source.read(2)
        source.read(3)
    assert caught.value.file == path
    assert caught.value.dataset == f"/{name}"


def test_the_largest_float32_is_finite(folder: Path) -> None:
    path = write(folder / "a.hdf5")
    largest = float(np.finfo(np.float32).max)
    with h5py.File(path, "r+") as file:
        file["t0_fields/density"][0, 1] = largest
    with Frames(scan_truth(folder).simulations[0]) as source:
        assert float(source.read(1)[0].min()) == largest


def test_a_damaged_frame_is_named(folder: Path) -> None:
    path = write(folder / "a.hdf5", n=8)
    with h5py.File(path, "r+") as file:
        group, values = file["t0_fields"], file["t0_fields/density"][...]
        attributes = dict(group["density"].attrs)
        del group["density"]
        data = group.create_dataset("density", data=values, chunks=(1, 1, 8, 8, 8), fletcher32=True)
        data.attrs.update(attributes)
        offset = data.id.get_chunk_info(2).byte_offset
    with path.open("r+b") as stream:
        stream.seek(offset + 100)
        stream.write(b"\xff\x00\xff\x00")
    with Frames(scan_truth(folder).simulations[0]) as source:
        source.read(1)
        with pytest.raises(TruthError, match="frame 2 cannot be read") as caught:
            source.read(2)
    assert (caught.value.file, caught.value.dataset) == (path, "/t0_fields/density")


def test_a_file_that_changed_or_went_after_the_scan(folder: Path) -> None:
    path = write(folder / "a.hdf5")
    (simulation,) = scan_truth(folder).simulations
    write(path, n_frames=3)
    with pytest.raises(TruthError, match=r"has changed .*expected \(4, 4, 4, 4\)"):
        Frames(simulation).__enter__()
    path.unlink()
    with pytest.raises(TruthError, match="cannot be read"):
        Frames(simulation).__enter__()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(folder: Path) -> None:
    write(folder / "a.hdf5", seed=0)
    write(folder / "b.hdf5", seed=1)
    (folder / "a.hdf5").chmod(0)
    found = scan_truth(folder)
    assert [s.name for s in found.simulations] == ["b"]
    assert "no permission to read" in str(found.problems[0])
    folder.chmod(0)
    with pytest.raises(TruthError, match="no permission to list"):
        scan_truth(folder)
    folder.chmod(0o700)


def test_errors_survive_a_process_boundary() -> None:
    error = TruthError("wrong", file=Path("a"), dataset="/x", expected=1, found=2)
    missing = MissingData("truth", "test", (Path("a"), Path("b")))
    for original in (error, missing):
        copy = pickle.loads(pickle.dumps(original))
        assert (type(copy), str(copy), vars(copy)) == (
            type(original),
            str(original),
            vars(original),
        )


@pytest.mark.parametrize(
    ("body", "outcome"), [("pass", "passed"), ("frame[2] *= 2.0 ** number", "violated")]
)
def test_a_channel_that_is_uniform_in_the_truth_is_left_out(
    toy_bench: Toy, body: str, outcome: str
) -> None:
    """A flow in the plane has v_z = 0: the other channels are judged as ever."""
    for seed in range(3):
        frames = waves(seed)
        frames[:, 6] = 0
        path = toy_bench.folder / f"data/datasets/toy/data/test/wave{seed}.hdf5"
        write_well_file(path, frames, dataset_name="toy", parameters={"Ma": 0.7})
    toy_bench.model(0.0, body=body)
    toy_bench.pytest("--no-baselines", suites=str(ROOT / "suites" / "test_growth.py"))
    for name in ("bounded_rollout", "liveness"):
        found = toy_bench.result("wave0:", name)
        assert found.outcome == outcome, found.message
    assert toy_bench.result("wave0:", "bounded_rollout").values["uniform_in_truth"] == "v_z"
