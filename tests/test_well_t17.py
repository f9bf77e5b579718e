"""`well-t17` on data that is nothing like MHD: two dimensions, other fields, short trajectories."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.fields import FieldLayout
from harness.paths import ROOT
from harness.results import Run
from tests.well_files import write_well_file

FLOW = FieldLayout(("buoyancy", "velocity"), (0, 1), spatial=2)


def waves(seed: int, frames: int = 24, n: int = 16) -> np.ndarray:
    """(trajectory, T, C, x, y): travelling waves."""
    rng = np.random.default_rng(seed)
    x = 2 * np.pi * np.arange(n) / n
    grid = np.stack(np.meshgrid(x, x, indexing="ij"))
    out = np.zeros((2, frames, 3, n, n), "f4")
    for trajectory, channel, _ in np.ndindex(2, 3, 12):
        k, phase, speed = rng.integers(-4, 5, 2), rng.uniform(0, 6), rng.uniform(0.1, 0.4)
        for t in range(frames):
            wave = np.cos(np.tensordot(k, grid, 1) + phase + speed * t)
            out[trajectory, t, channel] += rng.uniform(0.9, 1.1) * wave
    return out


def test_another_data_set_is_judged(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = pytester.path
    write_well_file(
        folder / "data/datasets/shear_flow/data/valid/shear_Reynolds_1.hdf5", waves(0), FLOW,
        dataset_name="shear_flow",
    )  # fmt: skip
    (folder / "conftest.py").write_text('pytest_plugins = ["harness.plugin"]\n')
    (folder / "pytest.ini").write_text("[pytest]\njunit_family = xunit1\n")
    monkeypatch.setenv("HARNESS_CACHE", str(folder / "cache"))
    for name in ("errors", "growth", "precision"):
        (folder / f"test_{name}.py").write_text((ROOT / f"suites/test_{name}.py").read_text())
    result = pytester.runpytest_inprocess(
        "--model", "persistence", "--protocol", "well-t17=shear_flow/valid", "--data",
        str(folder / "data"), "--reports", str(folder / "reports"), "--device", "cpu",
        "-p", "no:cacheprovider", "-p", "no:hypothesispytest",
    )  # fmt: skip
    run = Run.load(Path(folder / "reports" / "latest"))
    outcomes = {(r.property, r.criterion): r.outcome for r in run.tests}
    assert outcomes["step1_vrmse", ""] == "passed", "\n".join(result.outlines)
    assert outcomes["fp64_invariance", "outcome"] == "passed"
    assert outcomes["liveness", ""] == "violated"  # persistence freezes
    assert "error" not in outcomes.values()
    assert run.protocols == ("well-t17.shear_flow.valid",)
    verdict = next(r.verdict for r in run.tests if r.property == "bounded_rollout")
    assert verdict is not None and verdict.steps[-1] == 24 - 17
