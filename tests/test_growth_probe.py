"""The leading growth of errors: rate and direction of surrogates whose spectrum is planted."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import xarray as xr
from torch import Tensor

from harness.fields import MHD
from harness.probes.forecast import forecast
from harness.probes.growth import Growth, amplitude, leading_growth, mean_rate
from harness.probes.moments import Moments
from harness.probes.noise import InputNoise
from harness.probes.scales import norm, sigma
from harness.probes.tangent import central, derivative_of, double_backward, forward
from harness.rollout import Start
from harness.stepping import Draw, Stepper
from harness.surrogates.minis import load_mini
from harness.truth.simulate import default_recipe, spin_up

#: e-folds per step of the planted mode, and factor of all others.
RATE, REST = 0.25, 0.6
N = 8


def planted(n: int = N) -> Tensor:
    """B_y ~ cos 2z with some v_y ~ sin z: the direction that grows, (7, n, n, n)."""
    z = (2 * math.pi * torch.arange(n) / n).double().expand(n, n, n)
    mode = torch.zeros(7, n, n, n, dtype=torch.float64)
    mode[2], mode[5] = torch.cos(2 * z), 0.5 * torch.sin(z)
    return mode


def start(n_history: int = 1, n: int = N, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_history, 7, n, n, n, generator=generator, dtype=torch.float64)


def linear(history: Tensor, step: int) -> Tensor:
    """f(x) = A u + const, A = REST (1 - P) + e^RATE P with P the projection on the planted mode."""
    mode = planted().to(history)
    u = history[-1]
    weight = (u * mode).sum() / mode.square().sum()
    return 1.0 + REST * u + (math.exp(RATE) - REST) * weight * mode


def with_memory(history: Tensor, step: int) -> Tensor:
    """Three frames: u+ = a u + b u- + c u-- on the planted mode, with the root e^RATE; else decay."""
    mode = planted().to(history)
    weights = (history * mode).sum((1, 2, 3, 4)) / mode.square().sum()
    q = math.exp(RATE)
    # (x - q)(x^2 - 0.5 x + 0.25): the other two roots are complex, of modulus 0.5.
    answer = (q + 0.5) * weights[2] - (0.5 * q + 0.25) * weights[1] + 0.25 * q * weights[0]
    return 0.3 * (history[-1] - weights[2] * mode) + answer * mode


def angle(direction: Tensor, mode: Tensor, unit: Tensor) -> float:
    """Degrees between two directions in the metric of the probe."""
    a, b = (direction / unit).double().flatten(), (mode.to(direction) / unit).double().flatten()
    return math.degrees(math.acos(min(1.0, abs(float(a @ b)) / float(a.norm() * b.norm()))))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("differentiable", [True, False])
@pytest.mark.parametrize("advance", [linear, with_memory])
def test_rate_and_direction_of_a_planted_spectrum(
    advance: Callable[[Tensor, int], Tensor], differentiable: bool, dtype: torch.dtype
) -> None:
    history = start(3 if advance is with_memory else 1).to(dtype)
    unit = sigma(history[-1])
    with torch.no_grad():
        found = leading_growth(advance, history, 20, differentiable)
    assert found.method == ("forward" if differentiable else "central")
    rate, error = mean_rate(found.rates)
    assert rate == pytest.approx(RATE, rel=0.01)
    assert error < 0.01 * RATE
    for i, frame in enumerate(found.direction):
        assert angle(frame, planted(), unit) < 5, i
    if advance is with_memory:  # a mode of the history map is a geometric sequence
        sizes = [norm(frame, unit) for frame in found.direction]
        assert sizes[2] / sizes[1] == pytest.approx(math.exp(RATE), rel=0.01)
    shares = found.shares[-1]
    assert int(shares.argmax()) == 2 and shares.sum() == pytest.approx(1)
    assert shares[2] + shares[5] > 0.99


@pytest.mark.parametrize("make", [forward, double_backward, central])
def test_all_derivatives_agree_on_a_nonlinear_map(make: Callable) -> None:  # type: ignore[type-arg]
    history, direction = start(2), start(2, seed=2)

    def advance(h: Tensor, step: int) -> Tensor:
        return torch.tanh(h[-1]) * h[0].square() + step

    with torch.no_grad():
        frame, tangent = make(advance)(history, direction, 3)
    u, v = history[1], history[0]
    expected = (1 - torch.tanh(u).square()) * direction[1] * v.square() + torch.tanh(
        u
    ) * 2 * v * direction[0]
    torch.testing.assert_close(tangent, expected, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(frame, advance(history, 3), rtol=1e-8, atol=1e-8)


class OnlyBackward(torch.autograd.Function):
    """Squares; has no forward rule."""

    @staticmethod
    def forward(ctx, x):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors
        return 2 * x * grad


def test_the_best_means_that_works_and_tells_the_truth_is_used() -> None:
    history, direction = start(), start(seed=2)
    detached = lambda h, step: h[-1].detach() * h[-1]  # noqa: E731
    numpy = lambda h, step: torch.from_numpy(np.tanh(h[-1].numpy()))  # noqa: E731
    backward = lambda h, step: OnlyBackward.apply(h[-1])  # noqa: E731
    whole = lambda h, step: torch.mul(h[-1], h[-1], out=torch.empty_like(h[-1]))  # noqa: E731

    def attention(history: Tensor, step: int) -> Tensor:
        tokens = history[-1].flatten(1)[None, :, :16]
        mixed = F.scaled_dot_product_attention(tokens, tokens, tokens)[0]
        return history[-1] * (1 + mixed.mean(1).view(-1, 1, 1, 1))

    for advance, expected in (
        (linear, "forward"),
        (attention, "forward"),
        (backward, "double-backward"),
        (detached, "central"),
        (numpy, "central"),
        (whole, "central"),
    ):
        with torch.no_grad():
            derivative, method = derivative_of(advance, history, direction, True)
            _, tangent = derivative(history, direction, 1)
            _, reference = central(advance)(history, direction, 1)
        assert method == expected
        torch.testing.assert_close(tangent, reference, rtol=1e-6, atol=1e-6)


def test_what_vanishes_or_diverges_is_said_so() -> None:
    gone = leading_growth(lambda h, step: torch.ones_like(h[-1]), start(), 5)
    assert gone.steps == 1 and bool(np.isneginf(gone.rates).all())
    assert mean_rate(gone.rates)[0] == -math.inf

    def breaks(history: Tensor, step: int) -> Tensor:
        return history[-1] * (math.nan if step == 3 else 1.5)

    broken = leading_growth(breaks, start(), 5)
    assert broken.steps == 2 and bool(np.isnan(broken.rates[2:]).all())
    assert math.isnan(mean_rate(broken.rates)[0])


def test_the_error_of_a_mean_rate_knows_that_rates_are_correlated() -> None:
    rng = np.random.default_rng(0)
    assert mean_rate(np.full(20, 0.1)) == pytest.approx((0.1, 0.0))
    means, errors = [], []
    for _ in range(400):
        walk = np.zeros(40)
        for t in range(1, 40):
            walk[t] = 0.5 * walk[t - 1] + rng.normal()
        rate, error = mean_rate(walk)
        means.append(rate)
        errors.append(error)
    # The lag-1 correlation of eight values is known badly; half the truth is better than 1/sqrt(n).
    assert 0.6 < float(np.mean(errors)) / float(np.std(means)) < 1.4


def test_the_forecast_of_a_linear_rollout_is_what_happens() -> None:
    """An error in the growing direction, the rest of the state at rest."""
    steps, probed = 30, 20
    mode, truth = planted(), start()[0]
    still = lambda h, step: truth + _answer(h[-1] - truth)  # noqa: E731

    def _answer(departure: Tensor) -> Tensor:
        weight = (departure * mode).sum() / mode.square().sum()
        return REST * departure + (math.exp(RATE) - REST) * weight * mode

    history = (truth + 0.01 * mode)[None]
    unit = sigma(history[-1])
    found = leading_growth(still, history, probed)
    measure = Moments(MHD)
    frames, variances = history, []
    for step in range(steps + 1):
        if step:
            frames = still(frames, step)[None]
        variances.append(measure(frames, None)["variance"][0])
    a = amplitude(found, truth, unit)
    size = norm(found.direction[-1], unit)
    expected = 0.01 * math.exp(RATE * probed) * norm(mode, unit)
    assert a * size == pytest.approx(expected, rel=0.02)
    growth = xr.Dataset(
        {
            "last_step": ((), found.steps), "mean_rate": ((), mean_rate(found.rates)[0]),
            "amplitude": ((), a),
            "content": ("channel", (found.direction[-1] / unit).square().flatten(1).mean(1).numpy()),
        }
    )  # fmt: skip
    channels = list(MHD.channels)
    side = xr.Dataset(
        {"variance": (("step", "channel"), np.stack(variances))},
        coords={"channel": channels, "field": ("channel", list(MHD.field_of_channel))},
        attrs={"guide": "[1.0, 0.0, 0.0]"},
    )
    expected_basin = forecast(growth, side)
    ratio = variances[-1] / variances[0]
    assert expected_basin["channel"] == "B_y" == channels[int(ratio.argmax())]
    # The error and the state are uncorrelated but for chance, which the forecast leaves out.
    assert expected_basin["ln_growth"] == pytest.approx(math.log(ratio.max()), abs=0.2)
    assert ratio[2] > 10 > ratio[3] and expected_basin["basin"] == "y"
    tame = forecast(growth.assign(amplitude=0.0 * growth["amplitude"]), side.isel(step=slice(0, 21)))
    assert tame["basin"] == "none"


def test_noise_has_its_size_in_every_channel_and_is_the_same_in_every_precision() -> None:
    history = start(3) * torch.tensor([1, 2, 3, 4, 5, 6, 7.0]).view(7, 1, 1, 1)
    noise = InputNoise(1e-3, seed=4)
    added = (noise.add(history) - history) / sigma(history[-1])
    assert added.std((0, 2, 3, 4)).numpy() == pytest.approx(1e-3, rel=0.1)
    single = noise.add(history.float()) - history.float()
    torch.testing.assert_close(single.double(), noise.add(history) - history, atol=1e-5, rtol=0)
    assert not torch.equal(noise.add(history), InputNoise(1e-3, seed=5).add(history))
    doubled = InputNoise(2e-3, seed=4).add(history) - history
    torch.testing.assert_close(doubled, 2 * (noise.add(history) - history))


def test_a_channel_that_does_not_vary_has_the_unit_one() -> None:
    frame = start()[0]
    frame[3] = 2.5
    assert float(sigma(frame)[3]) == 1 and float(sigma(frame)[0]) == pytest.approx(1, abs=0.1)


@pytest.fixture(scope="module")
def mini_growth() -> tuple[Growth, Tensor, Stepper]:
    """conv-mini from the first frame of the embedded truth, along 20 steps."""
    frame = spin_up(default_recipe("test"), 0)
    mini = load_mini("conv-mini", None)
    # A model that asks nothing of its window.
    start = Start(mini, None, frame[None], Draw(), "fp64")  # type: ignore[arg-type]
    step = start.stepper()
    with torch.no_grad():
        return leading_growth(step, frame[None].double(), 20, True), frame, step


def test_two_rollouts_of_a_shipped_mini_part_at_the_probed_rate(
    mini_growth: tuple[Growth, Tensor, Stepper],
) -> None:
    """The linear phase of an error, observed: without derivatives, from another direction."""
    found, frame, step = mini_growth
    unit = sigma(frame.double())
    near, far = frame.double(), InputNoise(1e-7, seed=9).add(frame.double()[None])[0]
    apart = []
    with torch.no_grad():
        for t in range(1, 21):
            near, far = step(near[None], t), step(far[None], t)
            apart.append(math.log(norm(far - near, unit)))
    # The rate of a step changes along the rollout, for any vector: compared are the same steps, the
    # last ones, when both vectors have turned into what grows fastest.
    observed = np.diff(apart)[-4:].mean()
    assert float(observed) == pytest.approx(float(found.rates[-4:].mean()), rel=0.15)
    # Another first vector: a band of directions grows nearly alike, so the vectors need not agree
    # (they are 79 degrees apart), but they are made of the same channels.
    content = ((far - near) / unit).square().flatten(1).mean(1)
    shares = (content / content.sum()).numpy()
    assert np.abs(shares - found.shares[-1]).max() < 0.2
    assert int(shares.argmax()) == int(found.shares[-1].argmax())


def test_the_probed_rate_is_near_that_of_the_later_blow_up_where_there_is_one(
    mini_growth: tuple[Growth, Tensor, Stepper],
) -> None:
    """`pytest suites/test_growth_rate.py --model conv-mini` shows it for every simulation."""
    found, frame, step = mini_growth
    measure = Moments(MHD)
    state, variances = frame[None].double(), []
    with torch.no_grad():
        for t in range(1, 51):
            state = step(state, t)[None]
            variances.append(np.log(measure(state, None)["variance"][0]))
    growth = (np.stack(variances)[-1] - np.stack(variances)[-11]) / 20
    channel = int(growth.argmax())
    if growth[channel] < 0.08:
        pytest.skip("conv-mini does not blow up within 50 steps")
    rate, error = mean_rate(found.rates)
    assert abs(rate - growth[channel]) < max(0.1, 3 * error)
