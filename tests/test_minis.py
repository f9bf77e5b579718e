"""The learned surrogates: one step of each."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from harness.audit import PrecisionAudit
from harness.stepping import Draw
from harness.surrogates.minis import MINIS, build
from harness.surrogates.minis.increments import ReversibleUnits
from harness.surrogates.minis.networks import SpectralConvolution, Stencil
from tests.untrained import noise, state, untrained

NAMES = sorted(MINIS)
CPU = torch.device("cpu")


@pytest.mark.parametrize("name", NAMES)
def test_step_has_the_shape_of_a_frame_and_repeats_bit_for_bit(name):
    mini = untrained(name)
    history = state(mini.n_history, cells=14)
    stepper = mini.begin(None, Draw())
    with torch.no_grad():
        first, again = stepper(history, 1), stepper(history.clone(), 2)
    assert first.shape == (7, 14, 14, 14)
    assert first.dtype == torch.float32
    assert torch.equal(first, again)
    assert not torch.equal(first, history[-1])


@pytest.mark.parametrize("name", NAMES)
def test_every_frame_of_the_history_counts(name):
    mini = untrained(name).to(CPU, torch.float64)
    history = state(mini.n_history, dtype=torch.float64).requires_grad_()
    mini.module(history).square().sum().backward()
    assert history.grad is not None
    assert (history.grad.abs().amax((2, 3, 4)) > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_float64_path_holds_no_lower_precision(name):
    mini = untrained(name)
    exact = mini.to(CPU, torch.float64)
    history = state(mini.n_history)
    doubled = history.double()
    with torch.no_grad(), PrecisionAudit() as audit:
        fine = exact.module(doubled)
    assert audit.calls > 50
    assert not audit.leaks
    assert fine.dtype == torch.float64
    with torch.no_grad():
        coarse = mini.module(history)
    difference = (fine - coarse).abs().max() / fine.abs().max()
    assert 0 < difference < 1e-5
    assert next(mini.module.parameters()).dtype == torch.float32


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("autocast", [True, False])
def test_bfloat16_runs(name, autocast):
    mini = untrained(name)
    history = state(mini.n_history)
    with torch.no_grad():
        exact = mini.module(history)
        if autocast:
            with torch.autocast("cpu", torch.bfloat16):
                coarse = mini.module(history)
        else:
            coarse = mini.to(CPU, torch.bfloat16).module(history.bfloat16())
    difference = (coarse.float() - exact).square().mean().sqrt() / exact.std()
    assert 1e-5 < difference < 0.05


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shift", [(1, 0, 0), (0, 2, 0), (3, 5, 7)])
def test_translation_equivariance(name, shift):
    module = untrained(name).to(CPU, torch.float64).module
    history = state(module.n_history, cells=15, dtype=torch.float64)
    with torch.no_grad():
        moved = module(history.roll(shift, (-3, -2, -1)))
        expected = module(history).roll(shift, (-3, -2, -1))
    assert (moved - expected).abs().max() < 1e-12 * expected.abs().max()


def test_conv_mini_is_local_and_fno_mini_is_not():
    reach = 1 + sum(MINIS["conv-mini"]["dilations"])
    changed = {}
    for name in NAMES:
        module = untrained(name).to(CPU, torch.float64).module
        history = state(module.n_history, cells=2 * reach + 5, dtype=torch.float64)
        poked = history.clone()
        poked[..., 0, 0, 0] += 0.1
        with torch.no_grad():
            changed[name] = (module(poked) != module(history)).any(0)
    assert changed["conv-mini"][reach, 0, 0]
    assert not changed["conv-mini"][reach + 1 : -reach].any()
    assert changed["fno-mini"].all()


def test_spectral_convolution_equals_a_full_fft():
    layer = SpectralConvolution(width=3, modes=2).double()
    x = noise(3, 9, 8, 7, dtype=torch.float64)
    spectrum = np.fft.rfftn(x.numpy(), axes=(1, 2, 3))
    weight = torch.view_as_complex(layer.weight.detach()).numpy().reshape(3, 5, 5, 3)
    product = np.zeros_like(spectrum)
    for i, kx in enumerate((0, 1, 2, -2, -1)):
        for j, ky in enumerate((0, 1, 2, -2, -1)):
            for kz in range(3):
                product[:, kx, ky, kz] = weight[:, i, j, kz] * spectrum[:, kx, ky, kz]
    expected = np.fft.irfftn(product, s=(9, 8, 7), axes=(1, 2, 3))
    assert np.abs(layer(x).detach().numpy() - expected).max() < 1e-13


def test_spectral_convolution_refuses_a_grid_without_its_modes():
    with pytest.raises(ValueError, match=r"\(8, 4, 8\) cells does not resolve 2 modes.* 5 cells"):
        SpectralConvolution(width=1, modes=2)(torch.zeros(1, 8, 4, 8))


@pytest.mark.parametrize("dilation", [1, 2])
def test_stencil_is_the_periodic_convolution_of_its_taps(dilation):
    layer = Stencil(width=2, dilation=dilation).double()
    x = noise(2, 7, 8, 9, dtype=torch.float64)
    taps = layer.taps.detach().numpy().reshape(3, 3, 2)
    for channel, found in enumerate(layer(x).detach().numpy()):
        expected = x[channel].numpy()
        for axis in range(3):
            centre, left, right = taps[axis, :, channel]
            gap = [0.0] * (dilation - 1)
            kernel = [left, *gap, centre, *gap, right]
            expected = ndimage.correlate1d(expected, kernel, axis=axis, mode="wrap")
        assert np.abs(found - expected).max() < 1e-13


@pytest.mark.parametrize(("name", "covariant"), [("revin-mini", True), ("fno-mini", False)])
def test_only_reversible_units_carry_the_scale_of_a_channel_through(name, covariant):
    # Powers of two: not even rounding may tell one scale from another.
    module, scale = untrained(name).module, 2.0 ** torch.arange(-3, 4).view(7, 1, 1, 1)
    history = state(3)
    with torch.no_grad():
        assert torch.equal(module(scale * history), scale * module(history)) is covariant


def test_reversible_units_are_the_rms_over_history_and_space():
    module = ReversibleUnits(torch.nn.Identity(), n_history=3, channels=7)
    history = state(3, cells=6, dtype=torch.float64)
    inputs, unit = module.normalise(history)
    frames = history.numpy()
    rms = np.sqrt((frames**2).mean((0, 2, 3, 4), keepdims=True))
    np.testing.assert_allclose(inputs.numpy(), (frames / rms).reshape(21, 6, 6, 6), rtol=1e-12)
    increments = np.sqrt((np.diff(frames, axis=0) ** 2).mean((0, 2, 3, 4)))
    np.testing.assert_allclose(unit.numpy().ravel(), increments, rtol=1e-12)
    _, still = module.normalise(history[:1].expand(3, -1, -1, -1, -1))
    assert still.unique().tolist() == [1e-5]


@pytest.mark.parametrize("name", NAMES)
def test_residual_is_the_error_of_the_step_in_its_unit(name):
    module = untrained(name).to(CPU, torch.float64).module
    window = state(module.n_history + 1, dtype=torch.float64)
    with torch.no_grad():
        _, unit = module.normalise(window[:-1])
        error = (module(window[:-1]) - window[-1]) / unit
        torch.testing.assert_close(module.residual(window), error)


@pytest.mark.parametrize("name", NAMES)
def test_a_history_of_another_shape_is_refused(name):
    module = untrained(name).module
    wrong = torch.zeros(module.n_history + 1, 7, 14, 14, 14)
    expected = rf"\({module.n_history}, 7, x, y, z\), got \({module.n_history + 1}, 7, 14, 14, 14\)"
    with pytest.raises(ValueError, match=expected):
        module(wrong)


def test_building_draws_from_its_seed_and_leaves_the_global_state():
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    prints = [build(MINIS["conv-mini"], seed).fingerprint() for seed in (0, 0, 1)]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert prints[0] == prints[1] != prints[2]
