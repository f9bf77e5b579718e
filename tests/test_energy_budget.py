"""The energy budget of a record against the same figures computed from its fields."""

import json

import numpy as np
import pytest
import torch
import xarray as xr

from harness.diagnostics import energetics, series
from harness.diagnostics.derived import derive
from harness.diagnostics.measure import Measure
from harness.fields import MHD, FieldLayout
from harness.record import Record
from harness.statistics import Ensemble
from tests.standing import standing
from tests.suites import suite

SHAPE, GUIDE = (12, 12, 12), (0.9, -0.3, 0.4)


def flow(seed):
    """(7, *SHAPE): rho about 1.3, B about GUIDE, v about a mean flow and correlated with B."""
    generator = np.random.default_rng(seed)
    rho = 1.3 + 0.1 * generator.normal(size=(1, *SHAPE))
    waves = generator.normal(size=(2, 3, *SHAPE))
    b = np.reshape(GUIDE, (3, 1, 1, 1)) + 0.4 * waves[0]
    v = 0.2 + 0.3 * waves[0] + 0.5 * waves[1]
    return torch.from_numpy(np.concatenate([rho, b, v])).float()


def record_of(*frames, layout=MHD):
    """The record of a rollout whose sides show these frames at every step."""
    measure = Measure(layout, frames[0].shape[1:], GUIDE[: layout.spatial])
    return derive(standing(measure, frames, 2).assign_attrs(guide=json.dumps(GUIDE)))


def test_a_budget_is_that_of_the_fields():
    frames = flow(0), flow(1)
    data = record_of(*frames)
    for side, frame in enumerate(frames):
        u = frame.double().numpy()
        rho, v = u[0], u[4:] - u[4:].mean((1, 2, 3), keepdims=True)
        field = u[1:4] - u[1:4].mean((1, 2, 3), keepdims=True)
        b = field / np.sqrt(rho.mean())
        found = data.isel(side=side, step=1)
        plus, minus = (((v + s * b) ** 2).sum(0).mean() / 4 for s in (1, -1))
        np.testing.assert_allclose(found["elsasser_energy"], [plus, minus], rtol=1e-6)
        assert list(found["sign"].values) == ["+", "-"]
        helicity = (plus - minus) / (plus + minus)
        assert float(found["cross_helicity"]) == pytest.approx(helicity, rel=1e-5)
        assert 0.3 < helicity < 0.8
        v2, b2 = ((f**2).sum(0).mean() for f in (v, b))
        assert float(found["residual_energy"]) == pytest.approx((v2 - b2) / (v2 + b2), rel=1e-5)
        kinetic = (rho * (u[4:] ** 2).sum(0)).mean()
        ratio = (field**2).sum(0).mean() / kinetic
        assert float(found["fluctuation_ratio"]) == pytest.approx(ratio, rel=1e-5)


def test_alignment_is_half_the_log_of_the_elsasser_ratio():
    data = record_of(flow(0))
    plus, minus = data["elsasser_energy"].isel(side=0, step=0).values
    aligned = series.alignment(data.isel(side=0))
    assert float(aligned[0]) == pytest.approx(np.log(plus / minus) / 2, rel=1e-9)


def test_alfven_waves_of_one_direction_have_all_their_cross_helicity():
    v = np.array([2.0])
    assert energetics.cross_helicity(v, v, v) == 1.0
    assert energetics.cross_helicity(v, v, -v) == -1.0
    assert energetics.elsasser_energies(v, v, v).tolist() == [[2.0], [0.0]]
    assert energetics.residual_energy(v, v) == 0.0
    assert energetics.residual_energy(v, 0 * v) == 1.0


def test_no_mean_density_no_budget():
    """A mass of zero or less has no Alfven velocity: not finite, hence a violation."""
    empty = flow(0)
    empty[0] -= 2.0
    data = record_of(flow(0), empty)
    for name in ("cross_helicity", "elsasser_energy"):
        assert np.isfinite(data[name].isel(side=0)).all(), name
        assert not np.isfinite(data[name].isel(side=1)).any(), name


@pytest.mark.parametrize(
    "layout",
    [
        FieldLayout(("density", "velocity"), (0, 1)),
        FieldLayout(("magnetic_field", "velocity"), (1, 1)),
        FieldLayout(("density", "magnetic_field"), (0, 1)),
    ],
    ids=lambda layout: "+".join(layout.names),
)
def test_no_budget_without_the_three_fields(layout):
    frame = torch.rand(layout.n_channels, 8, 8, 8)
    data = record_of(frame, layout=layout)
    assert not {"cross_helicity", "residual_energy", "elsasser_energy"} & set(data)


def test_a_plane_has_a_budget():
    layout = FieldLayout(("density", "magnetic_field", "velocity"), (0, 1, 1), spatial=2)
    frame = torch.rand(5, 8, 10)
    data = record_of(frame, layout=layout)
    assert np.isfinite(data["elsasser_energy"]).all()


def test_the_whole_velocity_stands_for_its_components():
    side = record_of(flow(0)).isel(side=0)
    whole = series.ln_variance_of_whole_velocity(side)
    assert list(whole["channel"].values) == ["rho", "B_x", "B_y", "B_z", "v"]
    variance = side["variance"].sel(channel=["v_x", "v_y", "v_z"]).sum("channel")
    xr.testing.assert_allclose(whole.sel(channel="v", drop=True), np.log(variance))
    kept = series.ln_variance(side).sel(channel=["rho", "B_x"]).drop_vars("field")
    xr.testing.assert_equal(whole.sel(channel=["rho", "B_x"]).transpose(*kept.dims), kept)
    still = record_of(torch.rand(1, 8, 8, 8), layout=FieldLayout(("pressure",), (0,))).isel(side=0)
    assert list(series.ln_variance_of_whole_velocity(still)["channel"].values) == ["p"]


def test_an_undefined_budget_says_from_which_step_on_and_why():
    side = xr.Dataset(
        {
            "mean": (("step", "channel"), [[1.0, 0.0], [0.5, 0.0], [-0.1, 0.0], [0.2, 0.0]]),
            "fluctuation_ratio": ("step", [2.0, -3.0, 1.0, 1.0]),
        },
        coords={"step": [0, 1, 2, 3], "field": ("channel", ["density", "velocity"])},
    )
    why = suite("test_energy")._why_undefined
    assert why(side) == {
        "mean_density_negative_from_step": 2.0,
        "kinetic_energy_negative_from_step": 1.0,
    }
    assert why(side.isel(step=[0])) == {}


def test_an_ensemble_knows_whether_it_is_one_simulation():
    record = Record("", record_of(flow(0)))
    assert Ensemble((record,)).single
    assert not Ensemble((record, record)).single


@pytest.mark.parametrize(("simulations", "judged"), [(1, 0), (2, 1)])
def test_cross_helicity_is_judged_among_simulations_only(simulations, judged):
    truth, record = (Record("", record_of(flow(0), flow(seed))) for seed in (0, 1))
    verdicts, note = [], {}
    suite("test_energy").test_energy_budget(
        record,
        "cross_helicity",
        Ensemble((truth,) * simulations),
        lambda *given: verdicts.append(given),
        note,
    )
    assert len(verdicts) == judged
    assert note["sigma_c_last"] == pytest.approx(float(record.pred["cross_helicity"][-1]))
    assert ("departure" in note) == (not judged)


@pytest.mark.parametrize(
    ("simulations", "channels"),
    [(1, ["rho", "B_x", "B_y", "B_z", "v"]), (2, list(MHD.channels))],
)
def test_a_velocity_component_is_judged_among_simulations_only(simulations, channels):
    truth, record = (Record("", record_of(flow(0), flow(seed))) for seed in (0, 1))
    verdicts, note = [], {}
    suite("test_growth").test_bounded_rollout(
        record, Ensemble((truth,) * simulations), lambda *given: verdicts.append(given), note
    )
    ((figure, width, _),) = verdicts
    assert list(figure["channel"].values) == list(width.value["channel"].values) == channels
    assert ("d_ln_var_v_y" in note) == (simulations == 1)
