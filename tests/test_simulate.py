"""The embedded data set: The Well's format, resumption, determinism and identity."""

from __future__ import annotations

import math
import threading
from dataclasses import fields, replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml
from filelock import FileLock
from the_well.data import WellDataset
from the_well.data.normalization import ZScoreNormalization
from torch import Tensor

from harness.truth import simulate
from harness.truth.initial import noise, shipped_states
from harness.truth.mhd import Settings, Solver, SolverError
from harness.truth.simulate import Recipe, data_id, default_recipe, generate, write_simulation
from harness.truth.spectral import forward, wavenumbers

TINY = Recipe(
    "test", (0, 1), spin_up=1, frames=4, stored=12, settings=Settings(grid=16, viscosity=0.05)
)


def trajectory(recipe: Recipe, seed: int) -> Tensor:
    """The frames a file must hold, (T, 7, n, n, n), by the solver alone."""
    solver = Solver(recipe.settings)
    frames = [noise(seed, recipe.stored, recipe.settings).float()]
    for _ in range(recipe.spin_up + recipe.frames - 1):
        frames.append(solver.advance_stored(frames[-1]))
    return torch.stack(frames[recipe.spin_up :])


def read(path: Path) -> Tensor:
    with h5py.File(path) as file:
        density = torch.tensor(file["t0_fields/density"][0]).unsqueeze(1)
        vectors = [
            torch.tensor(file[f"t1_fields/{name}"][0]).movedim(-1, 1)
            for name in ("magnetic_field", "velocity")
        ]
    return torch.cat([density, *vectors], 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, list[tuple[str, int, int]]]:
    """A small data set made by worker processes, and what the progress callback heard."""
    folder = tmp_path_factory.mktemp("data") / "simulated"
    heard: list[tuple[str, int, int]] = []
    recipes = [replace(TINY, split="train", seeds=(2,)), TINY]
    generate(folder, recipes, workers=2, on_progress=lambda *report: heard.append(report))
    return folder, heard


def test_the_well_reads_back_exactly_what_the_solver_made(made):
    folder, _ = made
    data = WellDataset(path=str(folder), well_split_name="test", n_steps_input=1, n_steps_output=3)
    assert data.metadata.dataset_name == "simulated"
    assert data.metadata.spatial_resolution == (12, 12, 12)
    assert data.metadata.constant_scalar_names == ["Ma", "Ms"]
    assert data.metadata.n_steps_per_trajectory == [4, 4]
    assert len(data) == 2
    for index, seed in enumerate(TINY.seeds):
        sample = data[index]
        frames = torch.cat([sample["input_fields"], sample["output_fields"]]).movedim(-1, 1)
        assert torch.equal(frames, trajectory(TINY, seed))
        assert (sample["boundary_conditions"] == 2).all()
        assert sample["constant_scalars"].tolist() == pytest.approx([0.7, 0.7])
        assert sample["output_time_grid"].tolist() == pytest.approx([0.3, 0.6, 0.9])
        spacing = sample["space_grid"][1, 1, 1]
        assert spacing.tolist() == pytest.approx([2 * math.pi / 12] * 3)


def test_statistics_are_those_of_the_train_split_and_normalise_it(made):
    folder, _ = made
    stats = yaml.safe_load((folder / "stats.yaml").read_text())
    frames = read(next(folder.glob("data/train/*.hdf5"))).double().numpy()
    for suffix, values in (("", frames), ("_delta", np.diff(frames, axis=0))):
        for name, channels in (
            ("density", 0),
            ("magnetic_field", [1, 2, 3]),
            ("velocity", [4, 5, 6]),
        ):
            some = np.moveaxis(values, 1, -1)[..., channels]
            axes = (0, 1, 2, 3)
            assert stats[f"mean{suffix}"][name] == pytest.approx(some.mean(axes), abs=1e-12)
            assert stats[f"std{suffix}"][name] == pytest.approx(some.std(axes), rel=1e-9)
            rms = np.sqrt(np.square(some).mean(axes))
            assert stats[f"rms{suffix}"][name] == pytest.approx(rms, rel=1e-9)
    data = WellDataset(
        path=str(folder),
        well_split_name="train",
        n_steps_input=4,
        n_steps_output=0,
        use_normalization=True,
        normalization_type=ZScoreNormalization,
    )
    normal = data[0]["input_fields"].flatten(0, 3)
    assert normal.mean(0).abs().max() < 1e-4
    assert (normal.std(0) - 1).abs().max() < 1e-4


def test_progress_counts_every_frame_of_every_simulation(made):
    _, heard = made
    for name in ("train/s2", "test/s0", "test/s1"):
        assert [(done, total) for heard_name, done, total in heard if heard_name == name] == [
            (i, 5) for i in range(6)
        ]
    assert len(heard) == 18
    # All of the work is known before any of it is done.
    assert {done for _, done, _ in heard[:3]} == {0}


def test_finished_files_are_kept_and_damaged_ones_made_again(made, tmp_path):
    kept, damaged = (write_simulation(TINY, seed, tmp_path) for seed in TINY.seeds)
    before = kept.stat().st_mtime_ns
    damaged.write_bytes(damaged.read_bytes()[:1000])
    done: list[int] = []
    write_simulation(TINY, 0, tmp_path, done.append)
    assert not done and kept.stat().st_mtime_ns == before
    write_simulation(TINY, 1, tmp_path, done.append)
    assert done == [1, 2, 3, 4, 5]
    assert torch.equal(read(damaged), trajectory(TINY, 1))


def test_an_interrupted_simulation_leaves_nothing_and_is_made_again(tmp_path):
    class Stop(Exception):
        pass

    def stop(done: int) -> None:
        if done == 4:
            raise Stop

    with pytest.raises(Stop):
        write_simulation(TINY, 0, tmp_path, stop)
    path = TINY.file(tmp_path, 0)
    assert not path.exists()
    assert not [*tmp_path.rglob("*.hdf5"), *tmp_path.rglob("*.part")]
    write_simulation(TINY, 0, tmp_path)
    assert torch.equal(read(path), trajectory(TINY, 0))


def test_a_file_of_another_recipe_is_not_taken_for_finished(tmp_path):
    path = write_simulation(TINY, 0, tmp_path)
    thicker = replace(TINY, settings=replace(TINY.settings, viscosity=0.06))
    assert simulate.is_finished(TINY, 0, tmp_path)
    assert not simulate.is_finished(thicker, 0, tmp_path)
    write_simulation(thicker, 0, tmp_path)
    assert torch.equal(read(path), trajectory(thicker, 0))


def test_two_writers_make_a_file_once(tmp_path):
    path = TINY.file(tmp_path, 0)
    path.parent.mkdir(parents=True)
    frames: list[int] = []
    writers = [
        threading.Thread(target=write_simulation, args=(TINY, 0, tmp_path, frames.append))
        for _ in range(2)
    ]
    with FileLock(path.with_name(f".{path.name}.lock")):
        for writer in writers:
            writer.start()
        writers[0].join(0.3)
        assert writers[0].is_alive() and not frames
    for writer in writers:
        writer.join()
    assert frames == [1, 2, 3, 4, 5]
    assert torch.equal(read(path), trajectory(TINY, 0))


def test_a_simulation_that_breaks_down_is_named_and_the_others_remain(made, tmp_path):
    folder = tmp_path / "simulated"
    write_simulation(TINY, 0, folder)
    wild = replace(TINY, seeds=(0, 7), settings=replace(TINY.settings, sound_speed=0.01))
    broken = replace(wild, split="valid", settings=replace(wild.settings, viscosity=0.0))
    with pytest.raises(SolverError, match=r"valid/s[07]: .*time"):
        generate(folder, [TINY, broken], workers=1)
    assert simulate.is_finished(TINY, 0, folder)
    assert not list(folder.glob("data/valid/*.hdf5"))


def test_data_id_is_a_function_of_recipe_seed_version_and_shipped_state(monkeypatch, made):
    folder, _ = made
    known = data_id(TINY, 1)
    with h5py.File(TINY.file(folder, 1)) as file:
        assert file.attrs["data_id"] == known
    assert data_id(replace(TINY, seeds=(1, 5)), 1) == known
    others = [replace(TINY, frames=5), replace(TINY, stored=14), replace(TINY, split="valid")]
    for field in fields(Settings):
        value = getattr(TINY.settings, field.name)
        changed = tuple(2 * v for v in value) if isinstance(value, tuple) else value * 2
        others.append(replace(TINY, settings=replace(TINY.settings, **{field.name: changed})))
    ids = {known, data_id(TINY, 0), *(data_id(other, 1) for other in others)}
    assert len(ids) == 2 + len(others)

    shipped = default_recipe("test")
    assert len({data_id(shipped, seed) for seed in shipped.seeds}) == 6
    before = data_id(shipped, 2)
    states = {name: state.clone() for name, state in shipped_states().items()}
    states["s2"][0, 0, 0, 0] += 1e-6
    monkeypatch.setattr(simulate, "shipped_states", lambda: states)
    assert data_id(shipped, 2) != before
    assert data_id(TINY, 1) == known
    monkeypatch.setattr(simulate, "VERSION", 0)
    assert data_id(TINY, 1) not in ids


def test_shipped_states_are_first_frames_of_six_different_simulations():
    states = shipped_states()
    assert sorted(states) == [f"s{seed}" for seed in default_recipe("test").seeds]
    k = wavenumbers(24, 11)
    for name, state in states.items():
        assert state.shape == (7, 24, 24, 24) and state.dtype == torch.float32
        assert state[0].min() > 0.15, name
        means = state.double().mean((1, 2, 3))
        assert means[:4].tolist() == pytest.approx([1, 1, 0, 0], abs=1e-5)
        b = forward(state[1:4].double(), 11)
        gradient = (k.square().sum(0) * b.abs().square().sum(0)).sum().sqrt()
        assert (k * b).sum(0).abs().square().sum().sqrt() < 5e-6 * gradient
    flat = torch.stack([state[1:].flatten() for state in states.values()])
    correlation = torch.corrcoef(flat - flat.mean(0)).fill_diagonal_(0)
    assert correlation.abs().max() < 0.6
    assert torch.equal(simulate.spin_up(default_recipe("test"), 3), states["s3"])


def test_default_recipes_share_the_physics_and_no_seed():
    recipes = [default_recipe(split) for split in ("train", "valid", "test")]
    assert len({recipe.settings for recipe in recipes}) == 1
    seeds = [seed for recipe in recipes for seed in recipe.seeds]
    assert len(set(seeds)) == len(seeds) == 16
    fine = default_recipe("test", 64)
    assert (fine.settings.grid, fine.stored, fine.shipped, fine.spin_up) == (64, 48, True, 10)
    assert fine.settings.viscosity == pytest.approx(Settings().viscosity / 2)
    assert default_recipe("test", 32) == default_recipe("test")
    for grid in (8, 30):
        with pytest.raises(ValueError, match=f"not {grid}"):
            default_recipe("test", grid)
    with pytest.raises(ValueError, match="no split 'tset'; there are train, valid, test"):
        default_recipe("tset")


def test_files_of_another_make_are_left_alone(tmp_path):
    folder = tmp_path / "datasets" / "simulated"
    theirs = folder / "data" / "test" / "s0.hdf5"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"theirs")
    assert simulate.ensure(tmp_path, ("test",)) == folder
    assert [path for path in folder.rglob("*") if path.is_file()] == [theirs]
    assert theirs.read_bytes() == b"theirs"


def test_a_root_holds_one_grid(monkeypatch, tmp_path):
    asked: list[tuple[str, int | None]] = []

    def recipe(split: str, grid: int | None = None) -> Recipe:
        asked.append((split, grid))
        return replace(TINY, split=split, seeds=(0,))

    monkeypatch.setattr(simulate, "default_recipe", recipe)
    folder = simulate.ensure(tmp_path, ("test",), workers=1, grid=16)
    assert folder == tmp_path / "datasets" / "simulated"
    path = TINY.file(folder, 0)
    before = path.stat().st_mtime_ns
    assert simulate.ensure(tmp_path, ("test",)) == folder
    assert path.stat().st_mtime_ns == before
    assert asked == [("test", 16), ("test", 16)]
    with pytest.raises(ValueError, match=r"holds simulations on a 16\^3 grid"):
        simulate.ensure(tmp_path, ("test",), grid=32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_stored_solver_follows_the_stored_trajectory(dtype):
    state = shipped_states()["s0"].to(dtype)
    step = simulate.stored_solver((24, 24, 24), dtype=dtype)
    expected = Solver(default_recipe("test").settings, dtype=dtype).advance_stored(state)
    assert torch.equal(step(state), expected)
    assert len(bytes.fromhex(simulate.solver_id())) == 32
    for shape in ((25, 25, 25), (24, 24, 12)):
        with pytest.raises(ValueError, match="no embedded simulation"):
            simulate.stored_solver(shape)
