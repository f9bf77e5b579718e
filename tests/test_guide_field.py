"""What is said about a guide field where there is none, and in a plane."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import xarray as xr

from harness.diagnostics.derived import derive
from harness.diagnostics.measure import Measure
from harness.fields import MHD, FieldLayout
from harness.judging import judge, kept
from harness.makers.box import guide_field, symmetries
from harness.plugin.fixtures import _unlike
from harness.record import Record
from harness.rollout import roll
from harness.statistics import Ensemble
from harness.truth import well
from harness.truth.window import Window
from tests.suites import suite
from tests.well_files import random_frames, write_well_file

PLANE = FieldLayout(("density", "magnetic_field", "velocity"), (0, 1, 1), spatial=2)


@pytest.mark.parametrize(("mean", "there"), [(1e-8, False), (1e-4, False), (0.5, True)])
def test_what_rounding_leaves_of_no_net_flux_is_no_guide_field(
    tmp_path: Path, mean: float, there: bool
) -> None:
    frames = random_frames(2)
    frames[:, 1:4] -= frames[:, 1:4].mean((2, 3, 4), keepdims=True)
    frames[:, 2] += mean
    write_well_file(tmp_path / "datasets/free/data/test/a.hdf5", frames, dataset_name="free")
    (simulation,) = well.scan(tmp_path, "free", "test").simulations
    window = Window(simulation, 0, 0, 1, 1)
    with well.Frames(simulation) as opened:
        guide, found = guide_field(window, opened), symmetries(window, opened)
    turns = sum(s.family == "rotation" for s in found.symmetries)
    if there:
        assert guide == pytest.approx((0.0, mean, 0.0), abs=1e-6) and turns == 3
    else:
        assert guide == (0.0, 0.0, 0.0) and turns == 9


def record(truth: np.ndarray, pred: np.ndarray, layout: FieldLayout, guide: list[float]) -> Record:
    """A rollout that shows these frames, (step, C, *space)."""
    measure = Measure(layout, truth.shape[2:], guide, dtype=torch.float64)
    sources = {
        name: lambda step, side=side: torch.from_numpy(side[step])
        for name, side in (("truth", truth), ("prediction", pred))
    }
    data = roll(sources, len(truth) - 1, measure)
    attributes = {"cells": truth[0, 0].size, "guide": json.dumps(guide)}
    return Record("", derive(data.assign_attrs(attributes)))


@pytest.mark.parametrize("drift", [5e-4, 2e-3])
def test_without_a_guide_field_flux_is_measured_in_the_rms_field(drift: float) -> None:
    truth = random_frames(3).astype(np.float64)
    truth[:, 1:4] -= truth[:, 1:4].mean((2, 3, 4), keepdims=True)
    pred = truth.copy()
    rms = np.sqrt((truth[0, 1:4] ** 2).sum(0).mean())
    pred[1:, 1] += drift * rms
    verdicts = []
    suite("test_magnetic").test_magnetic_flux(
        record(truth, pred, MHD, [0.0, 0.0, 0.0]), lambda *given: verdicts.append(judge(*given))
    )
    assert verdicts[0].figure == pytest.approx(drift)
    assert kept(verdicts[0]) == (drift < 1e-3)


def isotropy(guide: list[float]) -> list[tuple[xr.DataArray, ...]]:
    truth, pred = (random_frames(3, 16, PLANE, seed).astype(np.float64) for seed in (0, 1))
    one = record(truth, pred, PLANE, guide)
    judged: list[tuple[xr.DataArray, ...]] = []
    suite("test_isotropy").test_perpendicular_isotropy(
        one, Ensemble((one,)), lambda *given: judged.append(given), {}
    )
    return judged


def test_a_plane_has_two_components_across_nothing_and_one_across_a_field() -> None:
    ((figure, *_),) = isotropy([0.0, 0.0])
    assert np.isfinite(figure).all()
    with pytest.raises(pytest.skip.Exception, match="not applicable: in a plane one component"):
        isotropy([1.0, 0.0])


def test_cells_that_are_not_cubic_have_no_modes_of_one_wavenumber(tmp_path: Path) -> None:
    path = tmp_path / "datasets/free/data/test/a.hdf5"
    write_well_file(path, random_frames(2), dataset_name="free")
    assert "periodic" in well.scan(tmp_path, "free", "test").simulations[0].offers
    with h5py.File(path, "r+") as file:
        file["dimensions/y"][...] *= 1.01
    assert "periodic" in well.scan(tmp_path, "free", "test").simulations[0].offers
    with h5py.File(path, "r+") as file:
        file["dimensions/y"][...] *= 1.5
    (long,) = well.scan(tmp_path, "free", "test").simulations
    assert {"closed", "density"} <= long.offers and "periodic" not in long.offers
    assert _unlike("periodic", long) == "the cells are not cubic (spacing 1, 1.515, 1)"
