"""The small hydrodynamic data sets: physical, walled where they say so, and read by The Well."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from the_well.data import WellDataset

from harness.paths import ROOT
from harness.results import Run
from harness.truth import hydro, well
from harness.truth.hydro import ACROSS, FLOWS, Flow

SHORT = [replace(flow, spin_up=2, frames=3) for flow in FLOWS]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hydro")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hydro, "SEEDS", {"test": (0, 1)})
        hydro.ensure(folder, tuple(SHORT))
    return folder


def frames_of(root: Path, flow: Flow) -> torch.Tensor:
    simulation = well.scan(root, flow.name, "test").simulations[0]
    with well.Frames(simulation) as frames:
        return torch.stack([frames.read(i) for i in range(simulation.n_frames)]).double()


@pytest.mark.parametrize("flow", SHORT, ids=lambda flow: flow.name)
def test_a_set_is_read_as_it_is_declared(root: Path, flow: Flow) -> None:
    first, second = well.scan(root, flow.name, "test").simulations
    assert first.parameters == second.parameters
    assert first.data_id != second.data_id
    assert first.layout.names == ("density", "velocity")
    expected = ["periodic"] * flow.spatial
    if flow.walls:
        expected[ACROSS] = "wall"
    assert list(first.boundaries) == expected
    folder = root / "datasets" / flow.name / "data" / "test"
    item = WellDataset(path=str(folder), n_steps_input=1, n_steps_output=1, use_normalization=False)[0]
    read = frames_of(root, flow)
    assert np.array_equal(item["input_fields"][0, ..., 0], read[0, 0].float())
    assert np.array_equal(item["output_fields"][0, ..., 1:], read[1, 1:].float().movedim(0, -1))


@pytest.mark.parametrize("flow", SHORT, ids=lambda flow: flow.name)
def test_mass_is_conserved_and_the_flow_moves(root: Path, flow: Flow) -> None:
    frames = frames_of(root, flow)
    mass = frames[:, 0].flatten(1).mean(1)
    assert (mass / mass[0] - 1).abs().max() < 1e-6
    assert (frames[1] - frames[0]).std() > 0.01
    assert frames[:, 0].min() > 0


@pytest.mark.parametrize("flow", [f for f in SHORT if f.walls], ids=lambda flow: flow.name)
def test_nothing_flows_through_a_wall(root: Path, flow: Flow) -> None:
    """Half a cell inside the wall v_y is about h/2 times its slope, and far below its rms."""
    across = frames_of(root, flow)[:, 1 + ACROSS]
    outer = across.select(1 + ACROSS, 0).square().mean().sqrt()
    next_one = across.select(1 + ACROSS, 1).square().mean().sqrt()
    assert outer < 0.3 * across.square().mean().sqrt()
    assert next_one / outer == pytest.approx(3, rel=0.2)  # odd about the wall: 3/2 h over h/2


def test_a_finished_file_is_kept(root: Path) -> None:
    def not_made(name: str, done: int, total: int) -> None:
        raise AssertionError(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hydro, "SEEDS", {"test": (0, 1)})
        assert [f.name for f in hydro.ensure(root, tuple(SHORT), not_made)] == [f.name for f in FLOWS]


NEVER = "not applicable: the data has no magnetic_field"
WALLS = "the box is not periodic"


@pytest.mark.parametrize("name", ["hydro_2d", "hydro_3d_walls"])
def test_the_suites_judge_what_makes_sense_and_say_what_does_not(name: str, tmp_path: Path) -> None:
    """`stranger` is the truth of another simulation, so whatever it trips but step 1 is an alarm."""
    (flow,) = (replace(flow, spin_up=2, frames=20) for flow in FLOWS if flow.name == name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hydro, "SEEDS", {"test": (0, 1)})
        hydro.ensure(tmp_path, (flow,))
    command = [
        sys.executable, "-m", "pytest", "suites/", "-q", "-n0", "--no-baselines",
        "--protocol", f"well-t17={name}", "--data", str(tmp_path), "--trajectories", "1",
        "--model", "stranger,persistence", "--reports", str(tmp_path / "reports"),
    ]  # fmt: skip
    environment = os.environ | {"HARNESS_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    run = Run.load(tmp_path / "reports" / "latest")
    assert not [t.message for t in run.tests if t.outcome in ("error", "missing")], done.stdout
    own = {(t.property, t.criterion): t for t in run.tests if t.model == "stranger"}
    judged = {prop for (prop, _), t in own.items() if t.verdict is not None}
    assert {"step1_vrmse", "bounded_rollout", "liveness", "mass", "positivity"} <= judged
    assert [t.property for t in own.values() if t.outcome == "violated"] == ["step1_vrmse"]
    reasons = {key: t.message for key, t in own.items() if t.outcome == "not-applicable"}
    assert NEVER in reasons["div_b_ratio", "spectral"]
    if flow.walls:
        assert WALLS in reasons["spectral_slope", "shape"]
        assert WALLS in reasons["intermittency", "kurtosis"]
    else:
        assert {"spectral_slope", "intermittency"} <= judged
    assert (tmp_path / "reports" / "latest" / "report.html").is_file()
