"""Truth files: what is read from them, where they are found and what they are called."""

from __future__ import annotations

import os
import shutil
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from the_well.data import WellDataset
from the_well.utils.dummy_data import write_dummy_data

from harness.fields import MHD, FieldLayout
from harness.paths import slug
from harness.truth.errors import MissingData, TruthError
from harness.truth.well import Frames, Scan, scan
from tests.well_files import random_frames, write_well_file

BUOYANT = FieldLayout(("buoyancy", "pressure", "velocity"), (0, 0, 1), spatial=2)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The test split of a data set called `truth`."""
    path = tmp_path / "root" / "datasets" / "truth" / "data" / "test"
    path.mkdir(parents=True)
    return path


def scan_truth(folder: Path, **where: float) -> Scan:
    return scan(folder.parents[3], "truth", "test", where)


def write(path: Path, n_frames: int = 4, n: int = 4, seed: int = 0, **options: object) -> Path:
    options.setdefault("dataset_name", "truth")
    return write_well_file(path, random_frames(n_frames, n, seed=seed), **options)  # type: ignore[arg-type]


# ---- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", [MHD, BUOYANT], ids=["3d", "2d"])
@pytest.mark.parametrize("chunks", [False, True], ids=["contiguous", "chunked"])
def test_frames_equal_those_of_the_wells_own_reader(
    folder: Path, layout: FieldLayout, chunks: bool
) -> None:
    frames = np.stack([random_frames(5, 6, layout, seed) for seed in (1, 2)])
    write_well_file(folder / "two.hdf5", frames, layout, dataset_name="truth", chunks=chunks)
    reference = WellDataset(path=str(folder), n_steps_input=2, n_steps_output=3)
    simulations = scan_truth(folder).simulations
    assert [s.name for s in simulations] == ["two-t0", "two-t1"]
    for number, simulation in enumerate(simulations):
        assert simulation.layout == layout
        window = torch.cat([reference[number]["input_fields"], reference[number]["output_fields"]])
        with Frames(simulation) as source:
            for i in range(5):
                assert torch.equal(source.read(i), window[i].movedim(-1, 0))
                assert torch.equal(source.read(i), torch.from_numpy(frames[number, i]))


def test_a_file_written_by_the_well_itself(folder: Path) -> None:
    write_dummy_data(str(folder / "dummy.hdf5"))
    found = scan_truth(folder)
    first, second = found.simulations
    assert found.problems == ()
    assert found.notes == ("field constant_field is constant in time and no part of a state",)
    assert first.layout == FieldLayout(("field",), (1,), spatial=2)
    assert (first.n_frames, first.shape) == (10, (32, 32))
    assert first.parameters == (("a", 0.25), ("b", 0.75))
    assert first.boundaries == ("periodic", "periodic")
    assert first.spacing == pytest.approx((1 / 31, 1 / 31), rel=1e-6)
    assert first.dt == pytest.approx(1 / 9, rel=1e-6)
    with h5py.File(folder / "dummy.hdf5") as file, Frames(second) as source:
        for i in (0, 9):
            expected = np.moveaxis(file["t1_fields/field"][1, i], -1, 0)
            assert np.array_equal(source.read(i).numpy(), expected)


def test_channels_follow_the_file_or_the_layout_asked_for(folder: Path) -> None:
    swapped = FieldLayout(("density", "velocity", "magnetic_field"), (0, 1, 1))
    values = random_frames(2, 4, swapped)
    write_well_file(folder / "a.hdf5", values, swapped, dataset_name="truth")
    (simulation,) = scan_truth(folder).simulations
    assert simulation.layout == swapped
    with Frames(simulation) as own, Frames(simulation, MHD) as asked:
        assert np.array_equal(own.read(1).numpy(), values[1])
        assert np.array_equal(asked.read(1).numpy(), values[1][[0, 4, 5, 6, 1, 2, 3]])
    partial = FieldLayout(("velocity",), (1,))
    with Frames(simulation, partial) as source:
        assert np.array_equal(source.read(0).numpy(), values[0, 1:4])


def test_a_layout_with_fields_that_are_missing_names_them(folder: Path) -> None:
    write(folder / "a.hdf5")
    (simulation,) = scan_truth(folder).simulations
    wanted = FieldLayout(("density", "pressure"), (0, 0))
    with pytest.raises(TruthError, match=r"scalar pressure.*found 3D scalar density"):
        Frames(simulation, wanted).__enter__()


def test_reading_into_a_given_tensor(folder: Path) -> None:
    write(folder / "a.hdf5")
    (simulation,) = scan_truth(folder).simulations
    out = torch.full((7, 4, 4, 4), torch.nan)
    with Frames(simulation) as source:
        assert source.read(2, out) is out
        assert torch.equal(out, source.read(2))
        for wrong in (out.double(), out[1:], out.movedim(0, -1)):
            with pytest.raises(ValueError, match="out must be"):
                source.read(0, wrong)
        for frame in (-1, 4):
            with pytest.raises(IndexError, match="frames 0-3"):
                source.read(frame)
    with pytest.raises(RuntimeError, match="context manager"):
        source.read(0)


def test_memory_is_bounded_by_one_vector_field(folder: Path) -> None:
    n = 24
    write(folder / "a.hdf5", n_frames=12, n=n)
    (simulation,) = scan_truth(folder).simulations
    out = torch.empty(7, n, n, n)
    with Frames(simulation) as source:
        source.read(0, out)
        tracemalloc.start()
        for i in range(12):
            source.read(i, out)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < n**3 * 4  # not even one more channel


# ---- names and identity ------------------------------------------------------------------------


def test_embedded_simulations_are_numbered_in_natural_order(tmp_path: Path) -> None:
    folder = tmp_path / "datasets/simulated/data/test"
    for i in range(11):
        write(folder / f"seed_{i}.hdf5", n_frames=1, n=2, seed=i, dataset_name="simulated")
    (folder / "seed_3.hdf5").write_text("broken")
    found = scan(tmp_path, "simulated", "test")
    assert [(s.name, s.file.stem) for s in found.simulations] == [
        (f"s{i}", f"seed_{i}") for i in range(11) if i != 3
    ]
    assert len(found.problems) == 1


def test_names_come_from_mach_numbers_else_from_the_file(folder: Path) -> None:
    stems = ["MHD_Ma_0.7_Ms_0.5", "MHD_Ma_0.7_Ms_1.5", "MHD_Ma_2_Ms_7", "active_L_10.0_zeta_1.0"]
    for seed, stem in enumerate(stems):
        write(folder / f"{stem}.hdf5", seed=seed)
    write(folder / "again_Ma_2_Ms_7.h5", seed=9)
    assert {s.file.stem: s.name for s in scan_truth(folder).simulations} == {
        "again_Ma_2_Ms_7": "Ma2_Ms7-2",
        "MHD_Ma_0.7_Ms_0.5": "Ma0.7_Ms0.5",
        "MHD_Ma_0.7_Ms_1.5": "Ma0.7_Ms1.5",
        "MHD_Ma_2_Ms_7": "Ma2_Ms7",
        "active_L_10.0_zeta_1.0": "active_L_10.0_zeta_1.0",
    }


def test_hostile_file_names_are_inert(folder: Path) -> None:
    hostile = ["<script>alert(1)<", "a..", "..%2f..", "a\x1b[31m", "a b; rm -rf", "-", "'\"&"]
    for seed, stem in enumerate(hostile):
        write(folder / f"x{stem}.hdf5", seed=seed)
    found = scan_truth(folder)
    names = [s.name for s in found.simulations]
    assert len(set(names)) == len(hostile)
    assert all(name == slug(name) and "/" not in name for name in names)
    (folder / "\x1b]0;owned\x07<b>.hdf5").write_text("no HDF5")
    (problem,) = scan_truth(folder).problems
    assert str(problem).isprintable()
    assert "\\x1b]0;owned" in str(problem)


def test_parameters_from_attributes_scalars_and_file_name(folder: Path) -> None:
    frames = np.stack([random_frames(2, 2, seed=seed) for seed in (0, 1)])
    write_well_file(
        folder / "a.hdf5",
        frames,
        dataset_name="truth",
        parameters={"Ma": np.float32(0.7), "label": "x"},  # type: ignore[dict-item]
        scalars={"Ms": (0.5, 7.0)},
    )
    write(folder / "b_Ma_2_Ms_1.5.hdf5", seed=3)
    found = {s.name: dict(s.parameters) for s in scan_truth(folder).simulations}
    assert found == {
        "a-t0": {"Ma": 0.7, "Ms": 0.5},
        "a-t1": {"Ma": 0.7, "Ms": 7.0},
        "Ma2_Ms1.5": {"Ma": 2.0, "Ms": 1.5},
    }
    assert [s.name for s in scan_truth(folder, Ma=0.7, Ms=7).simulations] == ["a-t1"]
    with pytest.raises(TruthError, match=r"expected \{'Ma': 0.3\}, found \{'Ma': 0.7, 'Ms': 0.5\}"):
        scan_truth(folder, Ma=0.3)


def test_data_id_is_the_content_whatever_name_place_and_age(folder: Path, tmp_path: Path) -> None:
    write(folder / "a.hdf5", seed=0)
    write(folder / "b.hdf5", seed=1)
    a, b = scan_truth(folder).simulations
    assert a.data_id != b.data_id
    other = tmp_path / "elsewhere" / "renamed.h5"
    other.parent.mkdir()
    shutil.copy(folder / "a.hdf5", other)
    os.utime(other, (1, 1))
    (copy,) = scan(other.parent, "truth", "test").simulations
    assert copy.data_id == a.data_id
    with h5py.File(folder / "a.hdf5", "r+") as file:
        file["t0_fields/density"][0, 0, 0, 0, 0] += 1e-6
    assert scan_truth(folder).simulations[0].data_id != a.data_id


def test_trajectories_of_a_file_have_their_own_data_id(folder: Path) -> None:
    frames = np.stack([random_frames(2, 2, seed=seed) for seed in (0, 1)])
    write_well_file(folder / "a.hdf5", frames, dataset_name="truth")
    first, second = scan_truth(folder).simulations
    assert first.data_id != second.data_id


def test_a_declared_data_id_and_seed_stand_for_the_content(folder: Path) -> None:
    for seed in (0, 1):
        path = write(folder / f"{seed}.hdf5", seed=seed, data_id="recipe/1")
        with h5py.File(path, "r+") as file:
            file.attrs["seed"] = seed
    before = [s.data_id for s in scan_truth(folder).simulations]
    assert before == ["recipe-1-0", "recipe-1-1"]
    with h5py.File(folder / "0.hdf5", "r+") as file:  # another machine's last digit
        file["t0_fields/density"][0, 0, 0, 0, 0] += 1e-6
    assert [s.data_id for s in scan_truth(folder).simulations] == before


def test_the_same_data_twice_is_one_simulation(folder: Path) -> None:
    write(folder / "a.hdf5")
    shutil.copy(folder / "a.hdf5", folder / "b.hdf5")
    found = scan_truth(folder)
    assert [s.name for s in found.simulations] == ["a"]
    assert "b.hdf5: found" in str(found.problems[0]) and "a.hdf5" in str(found.problems[0])


def test_content_is_digested_once_and_again_when_it_changes(folder: Path, tmp_path: Path) -> None:
    write(folder / "a.hdf5")
    first = scan_truth(folder).simulations[0].data_id
    (entry,) = (tmp_path / "cache" / "data_ids").glob("*.json")
    entry.write_text(entry.read_text().replace(first, "f" * 64))
    assert scan_truth(folder).simulations[0].data_id == "f" * 64
    entry.write_text('{"sha256": ')  # a damaged entry is no entry
    assert scan_truth(folder).simulations[0].data_id == first
    os.utime(folder / "a.hdf5", (5, 5))
    entry.write_text(entry.read_text().replace(first, "f" * 64))
    assert scan_truth(folder).simulations[0].data_id == first


def test_only_selected_simulations_are_digested(folder: Path, tmp_path: Path) -> None:
    for seed, mach in enumerate((0.7, 2.0)):
        write(folder / f"{seed}.hdf5", seed=seed, parameters={"Ma": mach})
    scan_truth(folder, Ma=0.7)
    assert len(list((tmp_path / "cache" / "data_ids").glob("*.json"))) == 1


# ---- grid and time -----------------------------------------------------------------------------


def test_grid_time_and_boundaries(folder: Path) -> None:
    write(folder / "a.hdf5", spacing=0.25, dt=0.1, boundary="WALL")
    with h5py.File(folder / "a.hdf5", "r+") as file:
        file["boundary_conditions/x_wall"].attrs["bc_type"] = "periodic"
        file.copy("boundary_conditions/y_wall", "boundary_conditions/y_outlet")
        file["boundary_conditions/y_outlet"].attrs["bc_type"] = "OPEN"
        del file["dimensions/z"]
    (simulation,) = scan_truth(folder).simulations
    assert simulation.spacing == (0.25, 0.25, 1.0)  # z has no coordinates
    assert simulation.boundaries == ("periodic", "open", "wall")
    assert simulation.dt == pytest.approx(0.1, rel=1e-6)


# ---- where files lie ---------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["datasets/truth/data/test", "truth/data/test", "data/test", "."])
def test_places_where_data_is_found(tmp_path: Path, place: str) -> None:
    write(tmp_path / place / "a.h5")
    assert [s.name for s in scan(tmp_path, "truth", "test").simulations] == ["a"]


def test_a_copy_in_hugging_faces_cache_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    snapshot = tmp_path / "hub/datasets--polymathic-ai--truth/snapshots/c0ffee"
    blob = write(tmp_path / "hub/datasets--polymathic-ai--truth/blobs/0123.hdf5", dataset_name="x")
    link = snapshot / "data/test/a.hdf5"
    link.parent.mkdir(parents=True)
    link.symlink_to(blob)
    assert [s.name for s in scan(tmp_path / "root", "truth", "test").simulations] == ["a"]


def test_another_data_set_in_an_unnamed_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "data/test/a.hdf5", dataset_name="MHD_256")
    found = scan(tmp_path, "truth", "test")
    assert found.simulations == ()
    assert "expected truth, found MHD_256" in str(found.problems[0])


def test_missing_data_lists_where_it_looked(folder: Path) -> None:
    (folder / ".hidden.hdf5").touch()
    (folder / "notes.txt").touch()
    root = folder.parents[3]
    with pytest.raises(MissingData, match="truth, split test") as caught:
        scan_truth(folder)
    assert caught.value.looked == (folder, root / "truth/data/test", root / "data/test", root)
    assert all(str(place) in str(caught.value) for place in caught.value.looked)
    with pytest.raises(MissingData):
        scan(folder / "nowhere", "truth", "test")


@pytest.mark.parametrize(("dataset", "split"), [("../truth", "test"), ("truth", "../test")])
def test_unsafe_names_reach_no_path(folder: Path, dataset: str, split: str) -> None:
    with pytest.raises(ValueError, match=r"unsafe|unknown"):
        scan(folder.parents[3], dataset, split)
