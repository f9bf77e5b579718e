"""Figures derived from recorded statistics, against independent computations and known cases."""

import importlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import linregress

from harness.diagnostics import errors, increments, magnetic, spectra, structure
from harness.diagnostics.energetics import energy_ratio

ACROSS = {"y": 0, "z": 1}


def pair(seed, shape=(7, 8, 9, 10)):
    generator = np.random.default_rng(seed)
    truth = generator.normal(size=shape) * generator.uniform(0.1, 3, (shape[0], 1, 1, 1))
    return truth + 1, truth + 1 + 0.3 * generator.normal(size=shape)


@pytest.fixture(scope="module")
def wells_vrmse():
    """The Well's own metric; importing its package needs matplotlib."""
    pytest.importorskip("matplotlib", reason="The Well's metrics import it: pip install matplotlib")
    return importlib.import_module("the_well.benchmark.metrics").VRMSE


class TestVrmse:
    @staticmethod
    def measured(convention, seed):
        truth, prediction = pair(seed)
        space = (1, 2, 3)
        mse = ((prediction - truth) ** 2).mean(space)
        return errors.vrmse(mse, truth.var(space), truth[0].size, convention)

    @pytest.mark.parametrize("seed", range(3))
    def test_well_is_the_wells(self, wells_vrmse, seed):
        truth, prediction = (torch.from_numpy(np.moveaxis(u, 0, -1)) for u in pair(seed))
        theirs = wells_vrmse.eval(prediction, truth, SimpleNamespace(n_spatial_dims=3)).mean()
        assert self.measured("well", seed) == pytest.approx(float(theirs), rel=1e-12)

    def test_well_keeps_the_wells_epsilon(self, wells_vrmse):
        """A uniform channel: the epsilon decides, and it is 1e-7 whatever the caller passes."""
        truth, prediction = torch.zeros(4, 4, 4, 1), torch.full((4, 4, 4, 1), 0.5)
        meta = SimpleNamespace(n_spatial_dims=3)
        theirs = float(wells_vrmse.eval(prediction, truth, meta, eps=1.0).mean())
        ours = errors.vrmse(np.array([0.25]), np.zeros(1), 64, "well")
        assert ours == pytest.approx(theirs, rel=1e-6)
        assert ours == pytest.approx(0.5 / 1e-7**0.5)

    def test_seed(self):
        truth, prediction = pair(0)
        expected = np.mean(
            [np.sqrt(np.mean((p - u) ** 2) / (np.var(u) + 1e-12))
             for u, p in zip(truth, prediction, strict=True)]
        )  # fmt: skip
        assert self.measured("seed", 0) == pytest.approx(expected, rel=1e-12)

    def test_joint(self):
        truth, prediction = pair(0)
        centred = truth - truth.mean((1, 2, 3), keepdims=True)
        expected = np.sqrt(((prediction - truth) ** 2).sum() / (centred**2).sum())
        assert self.measured("joint", 0) == pytest.approx(expected, rel=1e-12)

    def test_conventions_differ(self):
        values = {self.measured(convention, 0).item() for convention in errors.CONVENTIONS}
        assert len(values) == 3

    @pytest.mark.parametrize("convention", errors.CONVENTIONS)
    def test_steps_and_non_finite_values_stay_apart(self, convention):
        mse = np.ones((4, 7))
        mse[1, 3], mse[2, 3] = np.nan, np.inf
        result = errors.vrmse(mse, np.ones((4, 7)), 64, convention)
        assert np.isfinite(result).tolist() == [True, False, False, True]

    def test_unknown_convention(self):
        with pytest.raises(ValueError, match="no VRMSE convention 'rms': seed, well, joint"):
            errors.vrmse(np.ones(1), np.ones(1), 8, "rms")


class TestSpectra:
    k = np.arange(34.0)
    modes = np.maximum(1, (2 * np.pi * k * 64)).astype(np.int64)

    @settings(max_examples=20, deadline=None)
    @given(exponent=st.floats(-8, 3), amplitude=st.floats(1e-6, 1e6))
    def test_slope_of_a_power_law(self, exponent, amplitude):
        spectrum = amplitude * np.maximum(self.k, 1) ** exponent
        fitted = spectra.slope(spectrum, 5, 21)
        assert fitted.slope == pytest.approx(exponent, abs=1e-9)
        assert fitted.error == pytest.approx(0, abs=1e-7)

    def test_slope_is_least_squares(self):
        noisy = np.random.default_rng(1).lognormal(size=(3, 2, 34)) * np.maximum(self.k, 1) ** -1.7
        fitted = spectra.slope(noisy, 4, 20)
        for index in np.ndindex(3, 2):
            line = linregress(np.log(self.k[4:21]), np.log(noisy[index][4:21]))
            assert fitted.slope[index] == pytest.approx(line.slope, rel=1e-10)
            assert fitted.error[index] == pytest.approx(line.stderr, rel=1e-10)

    @pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
    def test_slope_of_a_broken_shell_is_not_finite(self, value):
        spectrum = np.maximum(self.k, 1) ** -2
        spectrum[7] = value
        assert not np.isfinite(spectra.slope(spectrum, 5, 11).slope)

    @pytest.mark.parametrize(("low", "high"), [(0, 5), (5, 6), (5, 33)])
    def test_slope_refuses_a_range_it_cannot_fit(self, low, high):
        with pytest.raises(ValueError, match="need 3 or more between 1 and 32"):
            spectra.slope(self.k, low, high)

    def test_shape_distance(self):
        truth = np.maximum(self.k, 1) ** -2.0
        prediction = truth.copy()
        prediction[20] *= 5
        prediction[10] /= 7
        prediction[33] *= 1e6  # overflow
        assert spectra.shape_distance(prediction, truth) == pytest.approx(np.log(7))
        assert spectra.shape_distance(3 * truth, truth) == pytest.approx(np.log(3))

    def test_shape_distance_ignores_dust_and_nothing_else(self):
        truth = np.ones(34)
        truth[30] = 1e-7
        prediction = truth.copy()
        prediction[30] = 1e-3
        assert spectra.shape_distance(prediction, truth) == 0
        prediction[12] = 0
        assert spectra.shape_distance(prediction, truth) == np.inf
        prediction[12] = np.nan
        assert np.isnan(spectra.shape_distance(prediction, truth))
        assert np.isnan(spectra.shape_distance(np.ones(34), np.full(34, np.nan)))

    def test_pileup(self):
        """Equal energy per mode is 1; the shells are [24, 32) over [8, 16) of 64^3."""
        flat = self.modes.astype(float)
        assert spectra.pileup(flat, self.modes) == pytest.approx(1)
        flat[24:32] *= 3
        flat[[7, 16, 23, 32, 33]] *= 1e6
        assert spectra.pileup(flat, self.modes) == pytest.approx(3)

    def test_bands_of_the_study(self):
        """k_perp < 8, < 24 and < 32 at 64^3: a quarter, a half and a quarter of the axis."""
        spectrum = np.zeros((2, 34))
        spectrum[0], spectrum[1] = 1, 2
        spectrum[1, :8] = 5
        spectrum[1, 24:32] = 70
        assert spectra.band_energy(spectrum[0]).tolist() == [8, 16, 8]
        assert spectra.band_growth(spectrum)[1].tolist() == [5, 2, 70]
        assert spectra.low_high_ratio(spectrum).tolist() == [1, 5 / 70]

    def test_bands_keep_nan(self):
        spectrum = np.ones((2, 34))
        spectrum[1, 3] = np.nan
        assert np.isnan(spectra.band_growth(spectrum)[1]).tolist() == [True, False, False]
        assert np.isnan(spectra.low_high_ratio(spectrum)).tolist() == [False, True]

    def test_rows_hold_every_mode_once(self):
        """The gather behind the spectra: a partition of the half lattice, padded by mode 0."""
        rows = spectra.shell_rows((12, 10, 9), (0.3, 0.2, 0.9))
        used = rows.index[rows.index > 0]
        assert sorted(used) == list(range(1, 12 * 10 * 5))
        assert rows.modes.sum() == 12 * 10 * 9 - 1
        assert rows.shells.shape[1] * rows.length == len(rows.index)


class TestMagnetic:
    @pytest.mark.parametrize(
        ("guide", "axes"),
        [
            ((1, 0, 0), (1, 2)),
            ((0.3, -0.9, 0.2), (0, 2)),
            ((0, 0.1, 5), (0, 1)),
            ((0, 1), (0,)),
            ((0, 0, 0), (1, 2)),
            ((0, 0), (0, 1)),
        ],
    )
    def test_axes_across_the_guide_field(self, guide, axes):
        assert magnetic.across_axes(guide) == axes

    def test_anisotropy(self):
        a = magnetic.anisotropy(np.array([1.0, np.e, 0.0, np.nan]), np.ones(4))
        np.testing.assert_allclose(a, [0, 1, -np.inf, np.nan])

    def test_exclusivity(self):
        truth = np.ones((4, 2))
        prediction = np.array([[1e6, 1e6], [1e6, 1.0], [1e6, 1e-2], [1e2, 1e4]])
        found = magnetic.exclusivity(prediction, truth)
        np.testing.assert_allclose(found, [1, 0, -1 / 3, 1 / 2], atol=1e-12)


class TestIncrements:
    def test_smoothed(self):
        values = np.random.default_rng(0).uniform(size=(9, 3))
        values[4, 1] = np.nan
        array = xr.DataArray(values.T, dims=("channel", "step"), coords={"step": range(2, 11)})
        found = increments.smoothed(array)
        assert found.dims == ("step", "channel")
        assert found["step"].values.tolist() == list(range(2, 11))
        for t in range(9):
            expected = sum(values[max(0, t - 4) : t + 1]) / min(5, t + 1)
            np.testing.assert_allclose(found[t], expected)
        assert np.isnan(found.values[:, 1]).tolist() == [False] * 4 + [True] * 5

    def test_gain_of_geometric_growth(self):
        """delta = q^t gains q / sqrt((1 + q^-2) / 2) = q^2 / sqrt((q^2 + 1) / 2) at every step."""
        q = 1.3
        increment = np.concatenate([[np.nan], q ** np.arange(1.0, 8)])[:, None]
        found = increments.gain(increment)[:, 0]
        assert np.isnan(found).tolist() == [True, True, False, False, False, False, False, True]
        np.testing.assert_allclose(found[2:-1], q**2 / np.sqrt((q**2 + 1) / 2))


# Variance of B_y and B_z at steps 40 to 50 of the recorded zero-shot Walrus rollout on MHD_64,
# fifth simulation, first predicted frame 3, whose recorded rate is 0.4133 per step.
WALRUS = np.array(
    [
        [1.2457e05, 0.082483],
        [3.056e05, 0.082505],
        [6.7424e05, 0.082524],
        [1.6277e06, 0.082537],
        [3.8774e06, 0.082544],
        [9.1913e06, 0.082548],
        [2.0834e07, 0.082552],
        [5.0821e07, 0.082555],
        [1.0301e08, 0.082558],
        [2.1713e08, 0.082559],
        [4.8418e08, 0.08256],
    ]
)


class TestStructure:
    steps = np.arange(40.0)

    def test_growth_rate_counts_amplitudes(self):
        variance = np.stack([np.exp(2 * 0.1 * self.steps), np.exp(2 * 0.3 * self.steps)], 1)
        found = structure.growth_rate(variance)
        assert found.rate == pytest.approx(0.3)
        assert found.channel == 1
        assert found.error == pytest.approx(0, abs=1e-12)

    def test_growth_rate_is_least_squares_over_ten_steps(self):
        noise = np.random.default_rng(0).lognormal(size=(40, 2))
        variance = noise * np.exp(0.4 * self.steps[:, None] * [[1, 0.5]])
        found = structure.growth_rate(variance)
        line = linregress(self.steps[-10:], np.log(variance[-10:, 0]))
        assert found.channel == 0
        assert found.rate == pytest.approx(line.slope / 2)
        assert found.error == pytest.approx(line.stderr / 2)

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_the_end_is_the_last_finite_step(self, bad):
        """Divergence in any channel ends the rollout for all, and its figures are those before."""
        variance = np.stack([np.exp(0.4 * self.steps), np.exp(0.1 * self.steps)], 1)
        whole = structure.growth_rate(variance[:30])
        variance[30, 1] = bad
        variance[31:] = np.nan
        assert structure.growth_rate(variance) == whole
        assert structure.basin(variance, ACROSS) == "both"
        assert structure.decision_step(variance, ACROSS) == 1

    def test_growth_rate_of_too_few_steps(self):
        for variance in (np.ones((2, 3)), np.full((5, 3), np.nan), np.zeros((5, 3))):
            assert np.isnan(structure.growth_rate(variance).rate)

    def test_a_uniform_channel_is_not_the_fastest(self):
        variance = np.stack([np.zeros(40), np.exp(0.2 * self.steps)], 1)
        assert structure.growth_rate(variance).channel == 1

    def test_recorded_rollout(self):
        """The record's rate is (ln var(50) - ln var(40)) / 20; the fit agrees to its scatter."""
        found = structure.growth_rate(WALRUS)
        assert found.channel == 0
        assert found.rate == pytest.approx(0.4133, abs=2 * found.error)
        assert 0.001 < found.error < 0.013

    def test_onset(self):
        variance = np.ones((6, 4))
        variance[3:, 1] = 10.5
        variance[:, 2] = 10 ** np.arange(6.0)
        variance[5, 3] = np.inf
        variance[2, 0] = np.nan
        assert structure.onset(variance) == [None, 3, 2, 5]

    @pytest.mark.parametrize(
        ("final", "name"), [((9, 0.1), "none"), ((11, 1), "y"), ((1, 11), "z"), ((11, 1e9), "both")]
    )
    def test_basin(self, final, name):
        variance = np.ones((4, 7))
        variance[:, 2:4] = 3  # growth is relative to step 0
        variance[-1, 2:4] *= final
        assert structure.basin(variance, {"y": 2, "z": 3}) == name

    def test_a_rollout_without_a_finite_step_has_no_basin(self):
        assert structure.basin(np.full((3, 2), np.nan), ACROSS) == "none"
        assert structure.decision_step(np.full((3, 2), np.nan), ACROSS) is None

    @pytest.mark.parametrize(
        ("first", "second", "step"),
        [
            ([1, 2, 3, 4], [1, 1, 1, 1], 1),
            ([1, 2, 0.5, 4], [1, 1, 1, 1], 3),
            ([1, 1, 1, 1], [1, 0.5, 2, 3], 2),
            ([4, 4.1, 4.2, 4.3], [1, 2, 3, 4], 1),  # ratios, not variances
            ([1, 2, 3, 4], [1, 2, 3, 4], None),
        ],
    )
    def test_decision_step(self, first, second, step):
        assert structure.decision_step(np.array([first, second], float).T, ACROSS) == step

    @settings(max_examples=30, deadline=None)
    @given(arrays(float, (12, 2), elements=st.floats(1e-6, 1e6)))
    def test_events_agree_with_each_other(self, variance):
        onset = structure.onset(variance)
        for channel, name in enumerate(ACROSS):
            if structure.basin(variance, ACROSS) in (name, "both"):
                assert onset[channel] is not None
        swapped = structure.basin(variance[:, ::-1], ACROSS)
        names = {"none": "none", "both": "both", "y": "z", "z": "y"}
        assert swapped == names[structure.basin(variance, ACROSS)]
        decision = structure.decision_step(variance, ACROSS)
        assert decision == structure.decision_step(variance[:, ::-1], ACROSS)


def test_energy_ratio():
    found = energy_ratio(np.array([1.0, 1.0, np.nan]), np.array([2.0, 0.0, 1.0]))
    np.testing.assert_array_equal(found, [0.5, np.inf, np.nan])
