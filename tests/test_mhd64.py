"""Files like The Well's MHD_64, at its own 64^3: all ten parameter pairs, and what can be wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from the_well.data import WellDataset

from harness.fields import MHD
from harness.truth import protocols
from harness.truth.errors import TruthError
from harness.truth.well import Frames, scan
from tests.mhd64_files import MACH, build

ODD = (0.7, 1.5)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("the_well")
    for ma, ms in MACH:
        build(folder, ma, ms)
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


def test_all_ten_are_read_as_the_wells_own_reader_reads_them(root: Path) -> None:
    found = scan(root, "MHD_64", "test")
    assert found.problems == ()
    assert {s.name for s in found.simulations} == {f"Ma{ma:g}_Ms{ms:g}" for ma, ms in MACH}
    reference = WellDataset(
        path=str(root / "datasets/MHD_64/data/test"), n_steps_input=1, n_steps_output=1
    )
    assert reference.metadata.field_names[1] == [
        "magnetic_field_x", "magnetic_field_y", "magnetic_field_z",
        "velocity_x", "velocity_y", "velocity_z",
    ]  # fmt: skip
    for number, path in enumerate(reference.files_paths):
        (simulation,) = [s for s in found.simulations if str(s.file) == str(path)]
        sample = reference[number]
        assert (simulation.layout, simulation.shape) == (MHD, (64, 64, 64))
        assert simulation.boundaries == ("periodic",) * 3
        assert sample["boundary_conditions"].unique().item() == 2  # periodic
        assert simulation.dt == pytest.approx(0.01, rel=1e-5)
        parameters = dict(simulation.parameters)
        assert sample["constant_scalars"].tolist() == pytest.approx(
            [parameters["Ma"], parameters["Ms"]], rel=1e-6
        )
        with Frames(simulation) as frames:
            for i, key in enumerate(("input_fields", "output_fields")):
                assert torch.equal(frames.read(i), sample[key][0].movedim(-1, 0))
            assert float(frames.read(0)[1].mean()) > 1  # the guide field lies along x


@pytest.mark.parametrize("name", ["mhd64-early", "mhd64-paper", "mhd64-t100"])
def test_protocols_select_the_five_of_m_a_0_7(root: Path, name: str) -> None:
    protocol = protocols.load(name)
    found = scan(root, protocol.dataset, protocol.split, dict(protocol.where))
    assert [s.name for s in found.simulations] == [
        f"Ma0.7_Ms{ms}" for ms in ("0.5", "0.7", "1.5", "2", "7")
    ]
    cut, problems = protocols.windows(protocol, found)
    assert cut == ()  # two frames are too few, and each file says so
    assert len(problems) == 5 * len(protocol.starts)
    assert "has too few frames" in str(problems[0]) and "found 2" in str(problems[0])


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _edit(change: Callable[[h5py.File], None]) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            change(file)

    return edit


def _field(shape: tuple[int, ...]) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        old = file["t1_fields/velocity"]
        attributes = dict(old.attrs)
        del file["t1_fields/velocity"]
        new = file["t1_fields"].create_dataset("velocity", shape, "f4", compression="gzip")
        new.attrs.update(attributes)

    return change


def _set(path: str, value: float) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        if path.startswith("@"):
            file.attrs[path[1:]] = value
        else:
            file[path][...] = value

    return change


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_truncate, "cannot be read"),
        (lambda path: path.write_text("<html>503 Service Unavailable</html>"), "a complete HDF5 file"),
        (_edit(_set("@Ma", 2.0)), r"mislabelled, Ma contradicts /scalars.*expected 2\.0, found 0\.7"),
        (_edit(_set("scalars/Ms", 7.0)), r"mislabelled, Ms contradicts /scalars.*found 7\.0"),
        (_edit(_field((1, 2, 64, 64, 32, 3))), r"wrong field.*velocity.*expected .*found"),
        (_edit(_field((1, 2, 64, 64, 64, 2))), "wrong field"),
        (_edit(_field((2, 64, 64, 64, 3))), "wrong field"),
        (_edit(lambda file: file.__delitem__("t1_fields/magnetic_field")), "magnetic_field"),
        (_edit(lambda file: file.__delitem__("boundary_conditions")), "boundary_conditions"),
    ],
)  # fmt: skip
def test_a_spoilt_file_is_named_and_the_others_stay(
    tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    build(tmp_path, 0.7, 0.5)
    spoil(build(tmp_path, *ODD))
    found = scan(tmp_path, "MHD_64", "test")
    assert [s.name for s in found.simulations] == ["Ma0.7_Ms0.5"]
    (problem,) = found.problems
    with pytest.raises(TruthError, match=says):
        raise problem
    assert "MHD_Ma_0.7_Ms_1.5.hdf5" in str(problem)


def test_a_name_that_contradicts_the_contents_is_refused(tmp_path: Path) -> None:
    build(tmp_path, 0.7, 0.5)
    build(tmp_path, 2.0, 7.0, file="MHD_Ma_0.7_Ms_7.hdf5")
    found = scan(tmp_path, "MHD_64", "test")
    assert [s.name for s in found.simulations] == ["Ma0.7_Ms0.5"]
    assert r"Ma contradicts the file's name" in str(found.problems[0])
    assert "expected 2.0, found 0.7" in str(found.problems[0])


def test_another_resolution_is_left_out_with_both_grids_named(tmp_path: Path) -> None:
    protocol = protocols.read(_short(tmp_path))
    for ms, n in ((0.5, 64), (0.7, 64), (1.5, 32)):
        build(tmp_path, 0.7, ms, n=n)
    cut, (problem,) = protocols.windows(protocol, scan(tmp_path, "MHD_64", "test"))
    assert [w.simulation.name for w in cut] == ["Ma0.7_Ms0.5", "Ma0.7_Ms0.7"]
    assert "expected 64 x 64 x 64 points" in str(problem) and "found 32 x 32 x 32" in str(problem)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_truth_that_is_not_finite_names_file_field_and_frame(tmp_path: Path, value: float) -> None:
    path = build(tmp_path, *ODD)
    with h5py.File(path, "r+") as file:
        file["t1_fields/magnetic_field"][0, 1, 3, 4, 5, 2] = value
    (simulation,) = scan(tmp_path, "MHD_64", "test").simulations
    with Frames(simulation) as frames:
        frames.read(0)
        with pytest.raises(
            TruthError, match=r"frame 1 of sample 0 is not finite.*magnetic_field.*1 of"
        ):
            frames.read(1)


def _short(folder: Path) -> Path:
    path = folder / "short.toml"
    path.write_text(
        'description = "two frames"\nreproduces = "nothing"\ndataset = "MHD_64"\nsplit = "test"\n'
        'ensemble = ["test"]\nn_history = 1\nstarts = [0]\nsteps = 1\n'
    )
    return path
