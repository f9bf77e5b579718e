"""`Measure` against the plain numpy reference, and against fields whose answer is known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.diagnostics.measure import Measure
from harness.fields import MHD, FieldLayout
from tests import reference_diagnostics as reference

ALIGNED = (1.0, 0.0, 0.0)
TILTED = (0.9, -0.3, 0.4)
FLOW = FieldLayout(("velocity", "pressure"), (1, 0))
SCALAR = FieldLayout(("buoyancy",), (0,))
PLANE = FieldLayout(("density", "velocity", "magnetic_field"), (0, 1, 1), spatial=2)


def frames(layout, shape, guide=ALIGNED, seed=0, sides=2):
    """A stack of plausible frames and the one before: density near 0.7, noise like k^-1, mean B."""
    generator = np.random.default_rng(seed)
    k = np.sqrt((reference.lattice(shape) ** 2).sum(0))
    k[(0,) * len(shape)] = np.inf
    noise = generator.normal(size=(2, sides, layout.n_channels, *shape))
    axes = tuple(range(3, noise.ndim))
    smooth = np.fft.ifftn(np.fft.fftn(noise, axes=axes) / k, axes=axes).real
    smooth *= 0.4 / smooth.std()
    smooth += 0.1
    for name in layout.names:
        if name == "density":
            smooth[:, :, layout.slice(name)] += 0.6
        if name == "magnetic_field":
            smooth[:, :, layout.slice(name)] += np.reshape(guide, (-1, *[1] * len(shape)))
    return torch.from_numpy(smooth).float()


def assert_agree(found, expected, tolerance=1e-6):
    assert set(found) == set(expected)
    for name, values in expected.items():
        values = np.asarray(values)
        assert found[name].shape == values.shape, name
        if values.dtype == bool:
            assert (found[name] == values).all(), name
            continue
        scale = np.abs(values).max()
        if name == "v_dot_b":  # a covariance cancels: its unit is the product of the amplitudes
            scale = max(scale, np.sqrt(expected["variance"]).max() ** 2)
        bound = tolerance * scale
        np.testing.assert_allclose(found[name], values, rtol=0, atol=bound, err_msg=name)


@pytest.mark.parametrize("guide", [ALIGNED, TILTED, (0.0, 0.0, -2.0)], ids=str)
@pytest.mark.parametrize("shape", [(16, 16, 16), (24, 16, 20), (15, 17, 21)], ids=str)
def test_agrees_with_the_reference(shape, guide):
    stack, previous = frames(MHD, shape, guide)
    measure = Measure(MHD, shape, guide)
    found = measure(stack, previous)
    assert set(found) == set(measure.variables)
    assert (found["negative_density"] > 0).all()
    assert_agree(found, reference.measure(MHD, stack, previous, guide))
    k_perp = reference.perpendicular(shape, guide)
    modes = [reference.shell_mask(k_perp, shell).sum() for shell in range(min(shape) // 2 + 2)]
    assert list(measure.coords["modes"][1]) == modes
    assert list(measure.coords["k_perp"][1]) == list(range(min(shape) // 2 + 2))


@pytest.mark.parametrize(
    ("layout", "shape", "guide"),
    [
        (FLOW, (16, 16, 16), ALIGNED),
        (SCALAR, (12, 16, 14), ALIGNED),
        (PLANE, (16, 24), (0.6, 0.8)),
        (PLANE, (17, 15), (0.0, 1.0)),
        (MHD, (16, 16, 16), (0.0, 0.0, 0.0)),
    ],
    ids=["no B", "one channel", "plane", "odd plane", "no mean B"],
)
@pytest.mark.parametrize("sides", [1, 2])
def test_other_layouts(layout, shape, guide, sides):
    stack, previous = frames(layout, shape, guide, sides=sides)
    found = Measure(layout, shape, guide)(stack, previous)
    with np.errstate(divide="ignore"):
        expected = reference.measure(layout, stack, previous, guide)
    if not any(guide):
        assert np.isinf(found.pop("div_b_rms")).all()  # in units of a mean field of zero
        expected.pop("div_b_rms")
    assert ("mse" in found) == (sides == 2)
    assert_agree(found, expected)


def test_float64_keeps_float64():
    stack, previous = (part.double() for part in frames(MHD, (16, 16, 16), TILTED))
    found = Measure(MHD, (16, 16, 16), TILTED, dtype=torch.float64)(stack, previous)
    assert_agree(found, reference.measure(MHD, stack, previous, TILTED), tolerance=1e-13)


def test_no_previous_frame_no_increment():
    stack, _ = frames(MHD, (8, 8, 8))
    found = Measure(MHD, (8, 8, 8), ALIGNED)(stack, None)
    assert np.isnan(found["increment"]).all()
    assert np.isfinite(found["variance"]).all()


def test_leaves_its_input_alone():
    stack, previous = frames(MHD, (8, 8, 8))
    copies = stack.clone(), previous.clone()
    Measure(MHD, (8, 8, 8), ALIGNED)(stack, previous)
    assert torch.equal(stack, copies[0])
    assert torch.equal(previous, copies[1])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channel", range(7))
def test_a_non_finite_cell_shows_and_stays_in_its_channel(bad, channel):
    shape = (12, 12, 12)
    stack, previous = frames(MHD, shape)
    measure = Measure(MHD, shape, ALIGNED)
    clean = measure(stack, previous)
    stack[1, channel, 3, 4, 5] = bad
    found = measure(stack, previous)
    expected = np.ones((2, 7), dtype=bool)
    expected[1, channel] = False
    assert (found["finite"] == expected).all()
    for name in ("mean", "variance", "increment"):
        assert (np.isfinite(found[name]) == expected).all(), name
    assert (np.isfinite(found["spectrum"]).all(-1) == expected).all()
    assert not np.isfinite(found["spectrum"][1, channel]).any()
    assert (np.isfinite(found["mse"]) == expected[1]).all()
    field = MHD.field_of_channel[channel]
    touched = {
        "density": ["negative_density", "kinetic_energy"],
        "velocity": ["kinetic_energy", "v_dot_b"],
        "magnetic_field": [n for n in measure.variables if "_b" in n or n == "magnetic_energy"],
    }[field]
    for name, dims in measure.variables.items():
        if dims == ("side",):
            assert np.isfinite(found[name][0]), name
            assert np.isfinite(found[name][1]) == (name not in touched), name
    unharmed = [c for c in range(7) if c != channel]
    assert_agree(
        {"s": found["spectrum"][:, unharmed], "v": found["variance"][0]},
        {"s": clean["spectrum"][:, unharmed], "v": clean["variance"][0]},
    )


def test_a_channel_of_nan_only_has_no_finite_statistic():
    stack, previous = frames(MHD, (8, 8, 8))
    stack[1] = torch.nan
    found = Measure(MHD, (8, 8, 8), ALIGNED)(stack, previous)
    for name, values in found.items():
        side = values if name == "mse" else values[1]
        assert not np.isfinite(side).any() if name != "finite" else not side.any(), name


def test_constant_fields():
    """No fluctuation, no spectrum, no increment; the direction of the divergence is undefined."""
    stack = torch.full((2, 7, 12, 12, 12), 0.7)
    found = Measure(MHD, (12, 12, 12), ALIGNED)(stack, stack)
    for name in ("variance", "spectrum", "increment", "mse"):
        assert np.abs(found[name]).max() < 1e-14, name
    for name in ("div_b_stencil", "div_b_rms"):
        assert np.abs(found[name]).max() < 1e-7, name
    np.testing.assert_allclose(found["mean"], 0.7, rtol=1e-7)
    np.testing.assert_allclose(found["magnetic_energy"], 3 * 0.7**2 / 2, rtol=1e-6)
    np.testing.assert_allclose(found["kinetic_energy"], 0.7 * 3 * 0.7**2 / 2, rtol=1e-6)


@pytest.mark.parametrize("scale", [1e6, 1e10, 1e25])
def test_a_blown_up_frame_is_measured_while_it_is_finite(scale):
    """Squares of float32 overflow from 1e19 on; a diverging rollout gets there."""
    stack, previous = frames(MHD, (12, 12, 12))
    stack[1, 2] *= scale
    found = Measure(MHD, (12, 12, 12), ALIGNED)(stack, previous)
    assert_agree(found, reference.measure(MHD, stack, previous, ALIGNED))


@pytest.mark.parametrize("rms", [0.2, 4e-2, 1e-3, 1e-6])
def test_weak_fluctuations_on_a_large_mean(rms):
    """The variance has two-pass accuracy: nothing cancels."""
    noise, _ = frames(SCALAR, (24, 24, 24))
    stack = 100 * (1 + rms * noise)
    found = Measure(SCALAR, (24, 24, 24), ALIGNED)(stack, None)
    expected = reference.measure(SCALAR, stack, None, ALIGNED)
    assert_agree(found, expected)


@pytest.mark.parametrize("guide", [ALIGNED, TILTED], ids=str)
def test_spectra_add_up_to_the_variance(guide):
    stack, _ = frames(MHD, (16, 20, 12), guide)
    found = Measure(MHD, (16, 20, 12), guide)(stack, None)
    variance = stack.double().var((2, 3, 4), correction=0).numpy()
    np.testing.assert_allclose(found["spectrum"].sum(-1), variance, rtol=1e-6)


def wave(shape, mode, phase=0.3):
    """cos(2 pi (mode . x) + phase)"""
    grids = np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij")
    angle = 2 * np.pi * sum(m * g for m, g in zip(mode, grids, strict=True)) + phase
    return torch.from_numpy(np.cos(angle)).float()


@pytest.mark.parametrize(
    ("mode", "guide", "shell"),
    [
        ((5, 0, 0), ALIGNED, 0),
        ((5, 3, 0), ALIGNED, 3),
        ((7, 3, 4), ALIGNED, 5),
        ((7, 3, -4), (0.0, 1.0, 0.0), 8),  # sqrt(49 + 16) = 8.06
        ((2, 2, 0), (1.0, 1.0, 0.0), 0),
        ((4, -4, 0), (1.0, 1.0, 0.0), 6),  # sqrt(32) = 5.66
        ((0, 8, 8), ALIGNED, 9),  # 11.3: beyond N/2 = 8
    ],
)
def test_a_wave_lies_in_its_shell(mode, guide, shell):
    shape = (16, 16, 16)
    stack = torch.zeros(1, 7, *shape)
    stack[0, 5] = wave(shape, mode)
    found = Measure(MHD, shape, guide)(stack, None)
    expected = np.zeros(10)
    expected[shell] = float(stack[0, 5].double().var(correction=0))
    np.testing.assert_allclose(found["spectrum"][0, 5], expected, atol=1e-7)


@pytest.mark.parametrize("tilt", [1e-9, 1e-6])
def test_shells_do_not_depend_on_a_negligible_tilt(tilt):
    """Half-integer edges: modes with integer k_perp^2 are far from them."""
    stack, _ = frames(MHD, (16, 16, 16))
    aligned = Measure(MHD, (16, 16, 16), ALIGNED)(stack, None)["spectrum"]
    tilted = Measure(MHD, (16, 16, 16), (1.0, tilt, -tilt))(stack, None)["spectrum"]
    np.testing.assert_array_equal(aligned, tilted)


def magnetic(b):
    """A stack of one frame with that magnetic field, rho = 1 and v = 0."""
    stack = torch.zeros(1, 7, *b.shape[1:])
    stack[0, 0] = 1
    stack[0, 1:4] = torch.as_tensor(b).float()
    return stack


def test_divergence_of_single_waves():
    shape, n = (16, 16, 16), 3
    measure = Measure(MHD, shape, (2.0, 0.0, 0.0))
    still = torch.zeros(shape)
    along = magnetic(torch.stack([wave(shape, (n, 0, 0)), still, still]))
    across = magnetic(torch.stack([still, wave(shape, (n, 0, 0)), still]))
    slanted = magnetic(torch.stack([wave(shape, (n, n, 0)), still, still]))
    longitudinal, transverse = measure(along, None), measure(across, None)
    assert longitudinal["div_b_spectral"][0] == pytest.approx(1, abs=1e-6)
    assert transverse["div_b_spectral"][0] < 1e-6
    assert measure(slanted, None)["div_b_spectral"][0] == pytest.approx(0.5**0.5, abs=1e-6)
    rms = np.sin(2 * np.pi * n / 16) / 2**0.5
    assert longitudinal["div_b_rms"][0] == pytest.approx(rms / 2, rel=1e-6)
    mean_abs = float(along[0, 1].abs().double().mean())
    assert longitudinal["div_b_stencil"][0] == pytest.approx(rms / mean_abs, rel=1e-6)
    assert transverse["div_b_rms"][0] < 1e-6


def parts(shape, seed=0):
    """A random solenoidal and a random gradient field with equal k^2-weighted energy."""
    k = reference.lattice(shape)
    for axis, cells in enumerate(shape):
        # Without the Nyquist planes, where a derivative is ambiguous.
        k[(slice(None), *[slice(None)] * axis, cells // 2)] = 0
    squared = (k**2).sum(0)
    squared[squared == 0] = np.inf
    noise = np.random.default_rng(seed).normal(size=(3, *shape))
    modes = np.fft.fftn(noise, axes=(1, 2, 3)) / squared
    inside = np.isfinite(squared)
    gradient = k * (k * modes).sum(0) / squared * inside
    solenoidal = (modes - gradient) * inside
    fields = []
    for part in (solenoidal, gradient):
        weighted = (np.where(inside, squared, 0) * np.abs(part) ** 2).sum()
        fields.append(np.fft.ifftn(part / np.sqrt(weighted), axes=(1, 2, 3)).real * 1e4)
    return fields


def test_spectral_divergence_is_the_share_of_the_gradient_part():
    shape = (32, 32, 32)
    solenoidal, gradient = parts(shape)
    measure = Measure(MHD, shape, ALIGNED)

    def ratio(b):
        b = b + np.reshape(ALIGNED, (3, 1, 1, 1))
        return measure(magnetic(b), None)["div_b_spectral"][0]

    # The mean field of 1 leaves the rounding of a float32 frame, some 1e-7 of it per cell.
    assert ratio(solenoidal) < 3e-6
    assert ratio(gradient) == pytest.approx(1, abs=1e-6)
    five_percent = np.sqrt(0.95) * solenoidal + np.sqrt(0.05) * gradient
    assert ratio(five_percent) == pytest.approx(0.2236, abs=1e-4)


def test_stencil_does_not_see_what_the_spectral_ratio_calls_solenoidal():
    """The centred difference of a solenoidal turbulent field is not zero: it reads some percent."""
    solenoidal, _ = parts((32, 32, 32))
    stack = magnetic(solenoidal / solenoidal.std() * 0.3 + np.reshape(ALIGNED, (3, 1, 1, 1)))
    found = Measure(MHD, (32, 32, 32), ALIGNED)(stack, None)
    assert found["div_b_spectral"][0] < 1e-6
    assert 0.005 < found["div_b_stencil"][0] < 0.2


@settings(max_examples=15, deadline=None)
@given(
    shift=st.tuples(*[st.integers(0, 11)] * 3),
    order=st.permutations(range(3)),
    guide=st.tuples(*[st.integers(-4, 4)] * 3).filter(any),
    seed=st.integers(0, 3),
)
def test_symmetries(shift, order, guide, seed):
    """Moving the box changes nothing; renaming its axes renames the components."""
    shape = (12, 12, 12)
    stack, previous = frames(MHD, shape, guide, seed)
    found = Measure(MHD, shape, guide)(stack, previous)
    moved = [part.roll(shift, dims=(2, 3, 4)) for part in (stack, previous)]
    assert_agree(Measure(MHD, shape, guide)(*moved), found)
    channels = [0, *(1 + axis for axis in order), *(4 + axis for axis in order)]
    axes = (0, 1, *(2 + axis for axis in order))
    turned = [part[:, channels].permute(axes) for part in (stack, previous)]
    renamed = Measure(MHD, shape, [guide[axis] for axis in order])(*turned)
    expected = {
        name: values[..., channels] if measure_dims(name)[-1:] == ("channel",) else values
        for name, values in found.items()
    }
    expected["spectrum"] = found["spectrum"][:, channels]
    assert_agree(renamed, expected)


def measure_dims(name):
    return Measure(MHD, (4, 4, 4), ALIGNED).variables[name]


@settings(max_examples=15, deadline=None)
@given(factor=st.floats(1e-3, 1e3), seed=st.integers(0, 3))
def test_scaling(factor, seed):
    shape = (12, 12, 12)
    stack, previous = frames(MHD, shape, TILTED, seed)
    measure = Measure(MHD, shape, TILTED, dtype=torch.float64)
    found, scaled = measure(stack, previous), measure(factor * stack, factor * previous)
    for name in ("variance", "spectrum", "mse", "magnetic_energy"):
        np.testing.assert_allclose(scaled[name], factor**2 * found[name], rtol=1e-4, err_msg=name)
    for name in ("mean", "minimum", "increment", "rms_b", "mean_abs_b", "div_b_rms"):
        bound = 1e-6 * factor
        np.testing.assert_allclose(scaled[name], factor * found[name], atol=bound, err_msg=name)
    for name in ("div_b_spectral", "div_b_stencil", "negative_density"):
        np.testing.assert_allclose(scaled[name], found[name], rtol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((MHD, (8, 8), ALIGNED), "not 3-dimensional"),
        ((MHD, (8, 8, 8), (1.0, 0.0)), "guide must be 3 finite components"),
        ((MHD, (8, 8, 8), (1.0, np.nan, 0.0)), "guide must be 3 finite components"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Measure(*arguments)


@pytest.mark.parametrize("shape", [(2, 7, 8, 8, 9), (2, 6, 8, 8, 8), (3, 7, 8, 8, 8), (7, 8, 8, 8)])
def test_bad_stack(shape):
    measure = Measure(MHD, (8, 8, 8), ALIGNED)
    with pytest.raises(ValueError, match="expected a stack"):
        measure(torch.zeros(shape), None)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("guide", [ALIGNED, TILTED], ids=str)
def test_cuda_agrees_with_the_reference(guide):
    stack, previous = frames(MHD, (24, 16, 20), guide)
    found = Measure(MHD, (24, 16, 20), guide, device="cuda")(stack, previous)
    assert_agree(found, reference.measure(MHD, stack, previous, guide))
