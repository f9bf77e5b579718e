"""Structure functions, patch imprint, density skewness and coherence, against plain numpy."""

import numpy as np
import pytest
import torch
import xarray as xr

from harness.diagnostics import coherence, imprint, series, structure_functions
from harness.diagnostics.derived import derive
from harness.diagnostics.measure import Measure
from harness.fields import MHD, FieldLayout
from harness.record import Record
from harness.statistics import Ensemble
from tests import reference_diagnostics as reference
from tests.standing import standing
from tests.suites import suite
from tests.test_diagnostics_measure import (
    ALIGNED,
    FLOW,
    PLANE,
    SCALAR,
    TILTED,
    assert_agree,
    frames,
    wave,
)


def agree(layout, shape, guide, stack, previous=None, tolerance=1e-6):
    measure = Measure(layout, shape, guide)
    found = measure(stack, previous, structure=True)
    expected = reference.measure(layout, stack, previous, guide, with_structure=True)
    names = [*measure.variables, *measure.structure_variables]
    assert set(found) == set(names) - ({"mse", "co_spectrum"} if len(stack) == 1 else set())
    assert_agree(found, expected, tolerance)
    return measure, found


@pytest.mark.parametrize("guide", [ALIGNED, TILTED, (0.0, 0.0, -2.0)], ids=str)
@pytest.mark.parametrize("shape", [(16, 16, 16), (24, 16, 20), (15, 17, 21), (48, 16, 34)], ids=str)
def test_agrees_with_the_reference(shape, guide):
    measure, found = agree(MHD, shape, guide, *frames(MHD, shape, guide))
    assert np.isfinite(found["structure_function"]).all()
    for name, dims in measure.structure_variables.items():
        sizes = {dim: len(values) for dim, (_, values) in measure.coords.items()}
        sizes |= {"side": 2, "channel": 7}
        if name in found:
            assert found[name].shape == tuple(sizes[dim] for dim in dims), name


@pytest.mark.parametrize(
    ("layout", "shape", "guide", "directions"),
    [
        (FLOW, (16, 16, 16), ALIGNED, ["any"]),
        (SCALAR, (12, 16, 16), ALIGNED, ["any"]),
        (PLANE, (16, 24), (0.6, 0.8), ["parallel", "perpendicular"]),
        (PLANE, (48, 15), (0.0, 1.0), ["parallel", "perpendicular"]),
        (MHD, (4, 4, 4), ALIGNED, ["parallel", "perpendicular"]),
    ],
    ids=["no B", "one channel", "plane", "odd plane", "smallest"],
)
@pytest.mark.parametrize("sides", [1, 2])
def test_other_layouts(layout, shape, guide, directions, sides):
    stack, previous = frames(layout, shape, guide, sides=sides)
    measure, _ = agree(layout, shape, guide, stack, previous)
    assert list(measure.coords["direction"][1]) == directions
    assert ("patch_imprint" in measure.structure_variables) == bool(imprint.strides(shape))
    assert ("ln_density_skewness" in measure.structure_variables) == ("density" in layout)


@pytest.mark.parametrize("scale", [1e-6, 1e6, 1e10, 1e25])
def test_moments_of_any_size(scale):
    """Fourth powers of float32 leave its range long before a rollout does."""
    shape = (16, 16, 16)
    stack, previous = frames(MHD, shape)
    stack[1, 5] *= scale
    agree(MHD, shape, ALIGNED, stack, previous)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("channel", range(7))
def test_a_non_finite_cell_shows_wherever_it_is(bad, channel):
    """Also between the points that increments are taken from, every second of 48 cells."""
    shape = (48, 16, 16)
    stack, previous = frames(MHD, shape)
    stack[1, channel, 3, 5, 7] = bad
    found = Measure(MHD, shape, ALIGNED)(stack, previous, structure=True)
    field = MHD.names.index(MHD.field_of_channel[channel])
    magnetic = MHD.field_of_channel[channel] == "magnetic_field"
    moments = found["structure_function"]
    assert np.isfinite(moments[0]).all()
    for number in range(3):
        harmed = magnetic or number == field
        assert np.isfinite(moments[1, number]).any() == np.isfinite(moments[1, number]).all()
        assert np.isfinite(moments[1, number]).all() == (not harmed)
    assert (np.isfinite(found["patch_imprint"][1]).all(-1) == (np.arange(3) != field)).all()
    assert np.isfinite(found["ln_density_skewness"][1]) == (field != 0)
    assert (np.isfinite(found["co_spectrum"]).all(-1) == (np.arange(7) != channel)).all()


def test_structure_is_measured_when_asked_only():
    stack, previous = frames(MHD, (8, 8, 8))
    measure = Measure(MHD, (8, 8, 8), ALIGNED)
    assert set(measure(stack, previous)) == set(measure.variables)


def gaussian(seed, components=1, cells=48):
    """White Gaussian noise, (1, components, cells, cells, cells)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, components, cells, cells, cells, generator=generator)


def functions(layout, stack):
    measured = structure_functions.StructureFunctions(layout, stack.shape[2:])
    return measured(stack, torch.ones(stack.shape[:2], dtype=torch.bool)).numpy()


def test_kurtosis_of_gaussian_increments():
    """3 for a scalar, 5/3 for a vector; and no scale is more intermittent than another."""
    moments = functions(FLOW, gaussian(0, 4))[0]
    kurtosis = structure_functions.kurtosis(moments)
    np.testing.assert_allclose(kurtosis[0], 5 / 3, rtol=0.03)
    np.testing.assert_allclose(kurtosis[1], 3, rtol=0.05)


def test_directions_are_those_of_the_local_field():
    """A shear of v along z: increments across a field along x or y, along one along z."""
    shape = (16, 16, 16)
    still = torch.zeros(3, *shape)
    shear = torch.stack([wave(shape, (0, 0, 1)), still[0], still[0]])
    for axis, seen in ((0, "perpendicular"), (1, "perpendicular"), (2, "parallel")):
        field = still.clone()
        field[axis] = 2.0
        stack = torch.cat([torch.ones(1, *shape), field, shear])[None]
        parallel, perpendicular = functions(MHD, stack)[0, 2, 0, :, 1]
        # Pairs along z differ by 1 - cos(2 pi / 16); two directions of three are across B.
        expected = 1 - np.cos(2 * np.pi / 16)
        if seen == "parallel":
            assert (parallel, perpendicular) == pytest.approx((expected, 0), abs=1e-6)
        else:
            assert (parallel, perpendicular) == pytest.approx((0, expected / 2), abs=1e-6)


def test_a_local_field_that_bends_counts_where_it_is():
    """B turns by a right angle in half of the box; v shears along x everywhere."""
    shape = (16, 16, 16)
    stack = torch.zeros(1, 7, *shape)
    stack[0, 0] = 1.0
    stack[0, 1, :, :8] = 1.0
    stack[0, 2, :, 8:] = 1.0
    stack[0, 4] = wave(shape, (1, 0, 0))
    parallel, perpendicular = functions(MHD, stack)[0, 2, 0, :, 1]
    whole = 1 - np.cos(2 * np.pi / 16)
    # Parallel: pairs along x where B is along x, and along y where it is along y (no shear there).
    assert parallel == pytest.approx(whole / 2, rel=0.1)
    assert perpendicular == pytest.approx(whole / 4, rel=0.1)


def test_no_field_has_no_parallel():
    stack = torch.zeros(1, 7, 16, 16, 16)
    stack[0, 4] = wave((16, 16, 16), (1, 0, 0))
    moments = functions(MHD, stack)[0, 2]
    assert np.isnan(moments[:, 0]).all()
    assert (moments[:, 1] > 0).all()


def test_relative_exponent_of_power_laws():
    lag = 2.0 ** np.arange(5)
    exponents = np.array([0.4, 0.7, 1.0, 1.2])
    moments = (3.0 * lag[:, None] ** exponents)[:, None]
    found = structure_functions.relative_exponent(moments)
    np.testing.assert_allclose(found, [1.2 / 0.7])
    assert np.isnan(structure_functions.relative_exponent(moments[:2])).all()


@pytest.mark.parametrize(
    ("cells", "expected"), [(4, (1,)), (8, (1, 2)), (24, (1, 2, 4)), (64, (1, 2, 4, 8, 16))]
)
def test_separations(cells, expected):
    assert structure_functions.lags((cells, 2 * cells)) == expected


def test_skewness_of_a_log_normal_density_with_voids():
    noise = gaussian(1, 1, 24)
    density = torch.exp(0.5 * noise)
    measure = Measure(FieldLayout(("density",), (0,)), (24, 24, 24), ALIGNED)
    symmetric = measure(density, None, structure=True)["ln_density_skewness"][0]
    assert abs(symmetric) < 0.05
    density[0, 0, 3, 4, 5] = 1e-20
    assert measure(density, None, structure=True)["ln_density_skewness"][0] < -20
    # A cell without a logarithm is counted, not judged here.
    density[0, 0, 3, 4, 5] = -1.0
    found = measure(density, None, structure=True)
    assert found["ln_density_skewness"][0] == pytest.approx(symmetric, abs=1e-3)
    assert found["negative_density"][0] == pytest.approx(1 / 24**3)
    assert np.isnan(measure(-density.abs(), None, structure=True)["ln_density_skewness"][0])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((64, 64, 64), (2, 4, 8, 16)),
        ((24, 24, 24), (2, 3, 4, 6)),
        ((256, 128), (2, 4, 8, 16)),
        ((24, 64, 64), (2, 4)),
        ((17, 17, 17), ()),
        ((4, 4, 4), ()),
    ],
)
def test_strides(shape, expected):
    assert imprint.strides(shape) == expected


def ratios(field):
    """R of a scalar field, by stride."""
    measure = imprint.Imprint(field.shape, torch.device("cpu"))
    power = torch.fft.rfftn(field.double()).abs().square()[None]
    return dict(zip(measure.strides, measure(field[None, None], power)[0].tolist(), strict=True))


def test_white_noise_has_no_imprint():
    found = [ratios(gaussian(seed, cells=32)[0, 0]) for seed in range(5)]
    assert np.mean([r[8] for r in found]) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("stride", [2, 3, 4, 6])
def test_a_repeated_token_shows_at_its_stride(stride):
    noise = gaussian(3, cells=24)[0, 0]
    token = gaussian(4, cells=stride)[0, 0].repeat(3 * [24 // stride])
    before, after = ratios(noise), ratios(noise + 0.3 * token)
    worst = max(after, key=lambda s: after[s] / before[s])
    # A token of 3 cells is one of 6 cells too, but its modes are a fraction of that lattice's.
    assert worst == stride
    assert after[stride] / before[stride] > 5


def test_an_imprint_does_not_depend_on_where_the_tokens_begin():
    noise = gaussian(3, cells=24)[0, 0]
    assert ratios(noise) == pytest.approx(ratios(noise.roll((1, 2, 3), (0, 1, 2))))


def test_dust_has_no_imprint():
    """Nothing but rounding at these wavenumbers: a lattice in the rounding is no lattice."""
    shape = (24, 24, 24)
    smooth = sum(wave(shape, mode) for mode in ((1, 0, 0), (0, 2, 1), (3, 3, 0)))
    assert ratios(smooth)[2] == pytest.approx(1, abs=1e-6)
    checks = 1e-7 * wave(shape, (12, 12, 12), phase=0.0)
    assert ratios(smooth + checks)[2] == pytest.approx(1, abs=0.1)
    assert ratios(smooth + 1e4 * checks)[2] > 100


def test_coherence_of_known_pairs():
    generator = np.random.default_rng(0)
    spectrum = generator.uniform(1, 2, size=(2, 10))
    same = coherence.coherence(3 * spectrum, 9 * spectrum, spectrum)
    np.testing.assert_allclose(same, 1.0)
    assert np.isnan(coherence.coherence(np.zeros(1), np.zeros(1), np.ones(1))).all()


@pytest.mark.parametrize(
    ("gamma", "expected"),
    [
        ([0.0, 0.9, 0.8, 0.7, 0.6, 0.0], 4),
        ([0.0, 0.9, 0.8, 0.4, 0.9, 1.0], 2),  # a shell beyond the first that fails is chance
        ([1.0, 0.4, 0.9, 0.9, 0.9, 1.0], 0),
        ([np.nan, 0.9, 0.8, 0.4, 0.9, np.nan], 2),  # neither shell 0 nor the overflow counts
        ([0.0, 0.9, np.nan, 0.4, 0.9, 1.0], np.nan),
    ],
)
def test_the_smallest_scale_predicted(gamma, expected):
    np.testing.assert_equal(coherence.predicted_shell(np.array(gamma)), expected)


def test_a_shift_is_coherent_at_large_scales_only():
    """Shifted by one cell a mode turns by k h; a shell with all signs of k loses cos^2."""
    shape = (16, 16, 16)
    stack, _ = frames(MHD, shape)
    stack[1] = stack[0].roll(1, -1)
    found = Measure(MHD, shape, ALIGNED)(stack, None, structure=True)
    gamma = coherence.coherence(found["co_spectrum"], found["spectrum"][1], found["spectrum"][0])
    assert (gamma[:, 1] > 0.8).all()
    assert (gamma[:, 7] < 0.5).all()


@pytest.mark.parametrize(("declared", "judged"), [(0, [2, 3, 4, 6]), (4, [4]), (5, None), (1, None)])
def test_the_stride_that_a_model_declares_is_the_one_that_is_judged(declared, judged):
    """None: not applicable, as this grid of 24 cells has no such lattice."""
    shape = (24, 24, 24)
    measure = Measure(MHD, shape, ALIGNED)
    stack, _ = frames(MHD, shape)
    data = standing(measure, stack, 2, structure=(1, 2))
    record = Record("", data.assign_attrs(token_stride=declared))
    given, note = [], {}

    def run():
        suite("test_spectra").test_patch_imprint(
            record, Ensemble((record,)), lambda *verdict: given.append(verdict), note
        )

    if judged is None:
        with pytest.raises(pytest.skip.Exception, match=f"token stride {declared} is none of"):
            run()
        return
    run()
    figure, limit, *_ = given[0]
    assert list(figure["stride"]) == list(limit["stride"]) == judged
    assert (limit >= np.log(4)).all()


def test_a_grid_without_tokens_or_scales_says_so():
    shape = (6, 6, 6)
    measure = Measure(FLOW, shape, ALIGNED)
    stack, _ = frames(FLOW, shape)
    data = derive(standing(measure, stack, 2, structure=(1, 2)))
    record = Record("", data.assign_attrs(token_stride=0))
    nothing = (Ensemble((record,)), None, {})
    with pytest.raises(pytest.skip.Exception, match="no token stride"):
        suite("test_spectra").test_patch_imprint(record, *nothing)
    for criterion, reason in (("scaling", "1 separations"), ("skewness", "no density")):
        with pytest.raises(pytest.skip.Exception, match=reason):
            suite("test_intermittency").test_intermittency(record, criterion, *nothing)


def test_a_density_without_logarithms_has_no_skewness():
    steps = [1, 10, 50]
    side = xr.Dataset(
        {
            "ln_density_skewness": ("structure_step", [0.1, 0.2, 0.3]),
            "negative_density": ("step", np.linspace(0.0, 0.02, 51)),
        },
        coords={"structure_step": steps, "step": range(51)},
    )
    found = series.ln_density_skewness(side)
    assert found["step"].values.tolist() == steps
    assert found.values[:2].tolist() == [0.1, 0.2] and np.isnan(found.values[2])
    # The share of a log-normal's skewness that its thinnest cells hold, as the statistic states it.
    cells = np.sort(np.random.default_rng(0).standard_normal(1_000_000))
    for share, effect in ((0.01, 0.14), (0.001, 0.03)):
        rest = cells[int(share * cells.size) :]
        deviation = rest - rest.mean()
        assert (deviation**3).mean() / rest.std() ** 3 == pytest.approx(effect, abs=0.006)
