"""Branches and probes as jobs of the engine, on small windows of several kinds of data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from harness.fields import MHD, FieldLayout
from harness.jobs import bind, branch, of_solver, probe, rollout
from harness.probes.growth import ITERATIONS
from harness.stepping import Draw, Stepper
from harness.surrogates.base import STOCHASTIC, TRAITS, ModuleSurrogate
from harness.surrogates.spec import ModelSpec
from harness.truth import well
from harness.truth.window import Window
from tests import toy
from tests.waves import SPEC, EngineOf, job, window_of
from tests.well_files import write_well_file

PLANE = FieldLayout(("density", "velocity"), (0, 1), spatial=2)


class Smoothing(nn.Module):
    """u + c laplacian(u), periodic: equivariant under every map of the grid; and a wind, if asked."""

    def __init__(self, spatial: int, wind: float = 0.0) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.tensor(0.05))
        self.spatial, self.wind = spatial, wind

    def forward(self, history: Tensor) -> Tensor:
        u = history[-1]
        axes = range(-self.spatial, 0)
        change = sum(u.roll(s, axis) - u for axis in axes for s in (1, -1))
        return u + self.strength * change + self.wind * (u.roll(1, -1) - u)


class Drawn(ModuleSurrogate):
    """The module and noise from the draw."""

    traits = TRAITS | {STOCHASTIC}

    def begin(self, window: Window, draw: Draw) -> Stepper:
        def step(history: Tensor, number: int) -> Tensor:
            noise = torch.randn(history[-1].shape, generator=draw.torch(number))
            return self.module(history) + 0.01 * noise.to(history)

        return step


def smoothing(layout: FieldLayout = MHD, wind: float = 0.0) -> ModuleSurrogate:
    return ModuleSurrogate(Smoothing(layout.spatial, wind), layout, 1)


def test_a_branch_without_variation_is_the_rollout(tmp_path: Path, engine_of: EngineOf) -> None:
    window = window_of(tmp_path)
    made = engine_of(smoothing())
    full, brief = made.record(job(window, rollout())), made.record(job(window, branch()))
    assert set(brief.data.data_vars) == {"mean", "variance"}
    for name in ("mean", "variance"):
        np.testing.assert_allclose(brief.pred[name], full.pred[name], rtol=1e-5, atol=1e-7)
    assert brief.diverged_at is None and brief.data.attrs["guide"] == full.data.attrs["guide"]


def test_noise_draws_and_symmetries_vary_a_branch_as_they_say(
    tmp_path: Path, engine_of: EngineOf
) -> None:
    window = window_of(tmp_path)
    made = engine_of(smoothing())
    requests = [branch(), branch(noise=1e-3), branch(noise=1e-1), branch(symmetry="rotation")]
    plain, little, much, turned = (made.record(job(window, r)).pred["variance"] for r in requests)
    np.testing.assert_allclose(little, plain, rtol=2e-2)
    # White noise of a tenth of sigma adds a hundredth to the variance at the start.
    np.testing.assert_allclose(much[0] / plain[0], 1.01, atol=0.02)
    swapped = plain.isel(channel=[0, 1, 3, 2, 4, 6, 5])
    np.testing.assert_allclose(turned, swapped.values, rtol=1e-5)
    stochastic = engine_of(Drawn(Smoothing(3), MHD, 1))
    first, second = (stochastic.record(job(window, branch(draw=i))) for i in (1, 2))
    assert not np.array_equal(first.pred["variance"], second.pred["variance"])


def test_everything_that_decides_a_record_is_in_its_key(tmp_path: Path, engine_of: EngineOf) -> None:
    window = window_of(tmp_path)
    made = engine_of(smoothing())
    requests = [
        rollout(), branch(), branch(draw=1), branch(noise=1e-4), branch(noise=1e-2),
        branch(symmetry="rotation"), branch(symmetry="reflection"),
        probe("equivariance"), probe("growth_rate"),
    ]  # fmt: skip
    assert len({made.key(job(window, request)) for request in requests}) == len(requests)
    assert "noise 0.01" in str(job(window, branch(noise=1e-2)))


def test_the_solver_is_a_reference_on_its_own_truth_only(tmp_path: Path) -> None:
    window = window_of(tmp_path)
    request = of_solver(probe("growth_rate"))
    assert not request.applies(window) and probe("growth_rate").applies(window)
    path = tmp_path / "b/datasets/simulated/data/test/one.hdf5"
    write_well_file(path, toy.waves(0))
    (own,) = well.scan(tmp_path / "b", "simulated", "test").simulations
    assert request.applies(Window(own, 0, 0, 3, 6))
    bound = bind(request, SPEC, Window(own, 0, 0, 3, 6), "fp32", True)
    assert bound.model == ModelSpec("solver")


@pytest.mark.parametrize("layout", [MHD, PLANE])
def test_equivariance_finds_the_direction_that_a_model_prefers(
    layout: FieldLayout, tmp_path: Path, engine_of: EngineOf
) -> None:
    window = window_of(tmp_path, layout)
    fair = engine_of(smoothing(layout))
    record = fair.record(job(window, probe("equivariance"))).data
    assert json.loads(record.attrs["reasons"]) == {}
    assert set(record["family"].values) == {"rotation", "reflection", "translation"}
    assert float(record["defect"].max()) < 1e-5
    windy = engine_of(smoothing(layout, wind=0.3))
    worst = windy.record(job(window, probe("equivariance"))).data["defect"].groupby("family").max()
    assert float(worst.sel(family="rotation")) > 0.3 < float(worst.sel(family="reflection"))
    assert float(worst.sel(family="translation")) < 1e-5


def test_a_box_with_walls_has_no_symmetries_to_ask_for(tmp_path: Path, engine_of: EngineOf) -> None:
    window = window_of(tmp_path, PLANE, boundary="WALL")
    made = engine_of(smoothing(PLANE))
    record = made.record(job(window, probe("equivariance"))).data
    assert record.sizes["symmetry"] == 0
    reasons = json.loads(record.attrs["reasons"])
    assert reasons["rotation"] == "the box is not periodic (x wall, y wall)"
    assert set(reasons) == {"rotation", "reflection", "translation"}


def test_the_draw_floor_of_a_stochastic_model(tmp_path: Path, engine_of: EngineOf) -> None:
    window = window_of(tmp_path)
    made = engine_of(Drawn(Smoothing(3), MHD, 1))
    record = made.record(job(window, probe("equivariance"))).data
    # Noise in cells does not turn with the state: the defect is that of another draw.
    assert float(record["floor"]) > 0.05
    assert float(record["defect"].max()) < 3 * float(record["floor"])


@pytest.mark.parametrize("layout", [MHD, PLANE])
def test_growth_rate_records_what_the_direction_is_made_of(
    layout: FieldLayout, tmp_path: Path, engine_of: EngineOf
) -> None:
    window = window_of(tmp_path, layout)
    made = engine_of(smoothing(layout))
    record = made.record(job(window, probe("growth_rate"))).data
    assert record.sizes["step"] == min(ITERATIONS, window.steps) == 6
    assert record.attrs["method"] == "forward"
    # Smoothing lets the mean stay and everything else decay.
    assert -0.6 < float(record["mean_rate"]) < 0
    np.testing.assert_allclose(record["share"].sum("channel"), 1)
    assert float(record["spectrum"].sum()) == pytest.approx(1)
    assert ("div_b_spectral" in record) == (layout == MHD)
    assert json.loads(record.attrs["guide"])[0] == pytest.approx(1.0 if layout == MHD else 0, abs=0.1)
