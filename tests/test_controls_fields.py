"""Negative controls: each does to the fields exactly what it says, and nothing else."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.audit import PrecisionAudit
from harness.fields import MHD
from harness.rollout import Source, Start
from harness.stepping import Draw
from harness.surrogates import registry
from harness.surrogates.controls import CONTROLS, faults, load
from harness.surrogates.controls import alterations as alter
from harness.surrogates.spec import ModelError
from harness.truth.well import Frames, scan
from harness.truth.window import Simulation, Window
from tests.well_files import write_well_file

CELLS = 16
SPACE = (CELLS, CELLS, CELLS)
B = MHD.slice("magnetic_field")
STEPS = 6
FRAMES = 13


def lattice(space: tuple[int, ...]) -> np.ndarray:
    """Wave vectors in cycles per cell over the full lattice."""
    return np.stack(np.meshgrid(*(np.fft.fftfreq(n) for n in space), indexing="ij"))


def turbulent(space: tuple[int, ...] = SPACE, seed: int = 0) -> Tensor:
    """A solenoidal random field (3, *space) about the mean field (1, 0, 0), below Nyquist."""
    rng = np.random.default_rng(seed)
    modes = np.fft.fftn(rng.normal(size=(3, *space)), axes=(1, 2, 3))
    k = lattice(space)
    length = np.sqrt((k**2).sum(0))
    length[0, 0, 0] = 1.0
    modes -= k * (k * modes).sum(0) / length**2
    modes *= np.where((np.abs(k) < 0.45).all(0), length**-2.5, 0.0)
    modes[:, 0, 0, 0] = 0.0
    field = np.fft.ifftn(modes, axes=(1, 2, 3)).real
    field *= 0.5 / field.std()
    field[0] += 1.0
    return torch.from_numpy(field)


def power(field: Tensor) -> np.ndarray:
    """abs(f_k)^2 over the full lattice, without the mean."""
    modes = np.fft.fftn(field.numpy(), axes=(-3, -2, -1), norm="forward")
    modes[..., 0, 0, 0] = 0.0
    return np.abs(modes) ** 2


def shells(values: np.ndarray) -> np.ndarray:
    """Sums of (x, y, z) over shells of (k_y, k_z), of a cubic lattice."""
    n = values.shape[0]
    k = lattice(values.shape) * n
    number = np.floor(np.sqrt(k[1] ** 2 + k[2] ** 2) + 0.5).astype(int)
    return np.bincount(number.ravel(), values.ravel())


def divergence_ratio(field: Tensor) -> float:
    """D = sqrt( sum (k.B)^2 / sum k^2 B^2 )."""
    modes = np.fft.fftn(field.numpy(), axes=(-3, -2, -1))
    k = lattice(tuple(field.shape[1:]))
    total = ((k**2).sum(0) * np.abs(modes) ** 2).sum()
    return float(np.sqrt((np.abs((k * modes).sum(0)) ** 2).sum() / total))


def stencil(field: Tensor) -> Tensor:
    """Centred-difference divergence."""
    return sum((f.roll(-1, axis) - f.roll(1, axis)) / 2 for axis, f in enumerate(field))  # type: ignore[return-value]


def test_amplify_scales_the_fluctuation_about_the_mean() -> None:
    field = turbulent()
    result = alter.amplify(field, 3.0)
    mean = field.mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(result.mean((1, 2, 3), keepdim=True), mean)
    torch.testing.assert_close(result - mean, 3 * (field - mean))


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("gain", [1.0, 1.2, 50.0])
def test_one_component_grows_in_every_shell_without_divergence(axis: int, gain: float) -> None:
    field = turbulent()
    result = alter.amplify_component(field, axis, gain)
    others = [i for i in range(3) if i != axis]
    assert torch.equal(result[others], field[others])
    ratio = shells(power(result[axis])) / shells(power(field[axis]))
    np.testing.assert_allclose(ratio[: CELLS // 2 + 1], gain, rtol=1e-9)
    assert result.mean((1, 2, 3)).sub(field.mean((1, 2, 3))).abs().max() < 1e-14
    # The divergence itself, not its ratio to a larger field.
    assert divergence_ratio(result) < 1e-14
    torch.testing.assert_close(stencil(result), stencil(field), atol=1e-12, rtol=0)


def test_one_component_grows_even_where_only_rounding_errors_can_carry_it() -> None:
    y, z = torch.meshgrid(*(2 * math.pi * torch.arange(CELLS).double() / CELLS,) * 2, indexing="ij")
    field = torch.zeros(3, *SPACE, dtype=torch.float64)
    field[1] = torch.cos(y + z) + 1e-7 * torch.randn(CELLS, generator=torch.Generator().manual_seed(0))
    field[2] = -torch.cos(y + z)
    result = alter.amplify_component(field, 1, 9.0)
    assert float(result[1].var() / field[1].var()) == pytest.approx(9.0, rel=1e-6)
    torch.testing.assert_close(stencil(result), stencil(field), atol=1e-12, rtol=0)


@pytest.mark.parametrize("space", [SPACE, (12, 16, 18), (15, 15, 15)])
def test_monopoles_keep_the_power_of_every_mode(space: tuple[int, ...]) -> None:
    field = turbulent(space)
    result = alter.add_monopoles(field, faults.MONOPOLES)
    np.testing.assert_allclose(power(result).sum(0), power(field).sum(0), rtol=1e-6, atol=1e-20)
    torch.testing.assert_close(result.mean((1, 2, 3)), field.mean((1, 2, 3)))
    assert divergence_ratio(field) < 1e-12
    assert divergence_ratio(result) == pytest.approx(math.sqrt(0.05), rel=1e-9)
    # Gradients are spread over the box, not piled up in one place.
    assert float(result.abs().max()) < 1.5 * float(field.abs().max())


def test_blur_damps_each_mode_by_its_gaussian_and_makes_nothing_negative() -> None:
    field = turbulent()
    result = alter.blur(field, 0.2)
    k = lattice(SPACE) * CELLS
    expected = power(field) * np.exp(-(k**2).sum(0) / (0.2 * CELLS) ** 2)
    np.testing.assert_allclose(power(result), expected, rtol=1e-6, atol=1e-20)
    torch.testing.assert_close(result.mean((1, 2, 3)), field.mean((1, 2, 3)))
    assert divergence_ratio(result) < 1e-12
    spike = torch.full(SPACE, 1e-3, dtype=torch.float64)
    spike[3, 4, 5] = 1.0
    assert float(alter.blur(spike, faults.BLUR).min()) > 0


def test_pile_up_changes_the_small_scales_only() -> None:
    field = turbulent()
    result = alter.pile_up(field, 4.0)
    ratio = shells(power(result).sum(0)) / np.maximum(shells(power(field).sum(0)), 1e-300)
    np.testing.assert_allclose(ratio[1 : 3 * CELLS // 8], 1.0, rtol=1e-9)
    np.testing.assert_allclose(ratio[3 * CELLS // 8 : CELLS // 2], 16.0, rtol=1e-9)
    assert divergence_ratio(result) < 1e-12


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_an_aligned_velocity_keeps_its_shells_and_follows_the_field(sign: float) -> None:
    b, v = turbulent(seed=0), turbulent(seed=1).flip(0) + 0.3
    result = alter.align(v, b, sign)
    torch.testing.assert_close(result.mean((1, 2, 3)), v.mean((1, 2, 3)))
    for component in range(3):
        before, after = (shells(power(f[component])) for f in (v, result))
        np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-20)
    fluctuations = [_about_zero(f) for f in (result, b)]
    aligned = (fluctuations[0] * fluctuations[1]).mean()
    most = sum(np.sqrt(shells(power(v[i])) * shells(power(b[i]))).sum() / 3 for i in range(3))
    assert float(aligned) == pytest.approx(sign * most, rel=1e-9)


def test_a_gathered_field_keeps_every_amplitude_and_is_one_clump() -> None:
    field = 1 + 0.3 * turbulent()[1]
    result = alter.gather(field, 3.0)
    np.testing.assert_allclose(power(result), power(field), rtol=1e-6, atol=1e-20)
    assert float(result.mean()) == pytest.approx(float(field.mean()), rel=1e-12)
    peak = np.unravel_index(int(result.argmax()), SPACE)
    assert peak == (3, 3, 3)
    assert float(result.min()) > 0
    assert float(result.max()) > 2 * float(field.max())


@pytest.mark.parametrize("space", [SPACE, (8, 16, 12)])
def test_an_imprint_changes_the_token_lattice_only(space: tuple[int, ...]) -> None:
    field = turbulent(space)
    result = alter.imprint(field, 4, 3.0)
    index = np.meshgrid(*(np.arange(n) for n in space), indexing="ij")
    on = np.all([i % (n // 4) == 0 for i, n in zip(index, space, strict=True)], axis=0)
    before, after = power(field).sum(0), power(result).sum(0)
    np.testing.assert_allclose(after, np.where(on, 9.0, 1.0) * before, rtol=1e-6, atol=1e-20)
    torch.testing.assert_close(result.mean((1, 2, 3)), field.mean((1, 2, 3)))
    assert divergence_ratio(result) < 1e-12


def test_a_hole_is_small_smooth_and_massless() -> None:
    density = 1 + 0.7 * turbulent()[1]
    density = density - density.min() + 0.2
    result = alter.dig_hole(density, depth=0.02)
    assert float(result.mean()) == pytest.approx(float(density.mean()), rel=1e-12)
    assert float(result.min()) == pytest.approx(-0.02 * float(density.mean()), rel=1e-9)
    assert int(result.argmin()) == int(density.argmin())
    assert 1 <= int((result < 0).sum()) <= 8
    small = (np.abs(lattice(SPACE) * CELLS) > 4.5).any(0)
    np.testing.assert_allclose(power(result)[small], power(density)[small], rtol=1e-6, atol=1e-20)


def frames() -> np.ndarray:
    """(T, 7, *SPACE): rho about 1, B about (1, 0, 0) and v about 0; B solenoidal."""
    mean = torch.zeros(7, 1, 1, 1, dtype=torch.float64)
    mean[:2] = 1.0
    start, end = (
        torch.cat([0.3 * turbulent(seed=s)[1:2], turbulent(seed=s + 2), turbulent(seed=s + 4)])
        for s in (0, 1)
    )
    angles = 0.2 * torch.arange(FRAMES)
    fields = [
        mean + torch.cos(a) * _about_zero(start) + torch.sin(a) * _about_zero(end) for a in angles
    ]
    return torch.stack(fields).float().numpy()


def _about_zero(field: Tensor) -> Tensor:
    return field - field.mean((1, 2, 3), keepdim=True)


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    """Thirteen frames of fields that turn slowly into others."""
    root: Path = tmp_path_factory.mktemp("data")
    write_well_file(root / "datasets/simulated/data/test/s0.hdf5", frames())
    (found,) = scan(root, "simulated", "test").simulations
    return found


@pytest.fixture
def window(simulation: Simulation) -> Window:
    return Window(simulation, 0, 0, 3, STEPS)


def rolled(name: str, window: Window, precision: str = "fp64") -> Source:
    with Frames(window.simulation) as frames:
        history = torch.stack([frames.read(i) for i in range(window.n_history)])
    return Start(load(name, [window.simulation]), window, history, Draw(None), precision).source()


def shown(name: str, window: Window, step: int, precision: str = "fp64") -> Tensor:
    source = rolled(name, window, precision)
    source(0)
    return source(step)


def truth(window: Window, step: int) -> Tensor:
    with Frames(window.simulation) as frames:
        return frames.read(window.frame(step)).double()


#: Controls with a fault in how they answer: they cannot start anywhere else (test_controls_dynamics).
ANSWERING = {"noise-branch", "planted-growth", "carried", "stirred"}
REPLAYS = sorted(set(CONTROLS) - ANSWERING)


@pytest.mark.parametrize("name", REPLAYS)
def test_every_replay_is_deterministic_and_can_start_at_any_step(name: str, window: Window) -> None:
    streamed = rolled(name, window, "fp32")
    frames = [streamed(step) for step in range(STEPS + 1)]
    assert all(frame.dtype == torch.float32 for frame in frames)
    torch.testing.assert_close(
        shown(name, window, 4, "fp32"), frames[4], rtol=0, atol=0, equal_nan=True
    )


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_is_listed_and_says_what_it_breaks(name: str, window: Window) -> None:
    control = CONTROLS[name]
    assert control.summary in registry.names()[f"control:{name}"]
    assert control.fires and not control.fires & control.implies
    computes = any(criterion.startswith("fp64_invariance") for criterion in control.fires)
    traits = load(name, [window.simulation]).traits
    assert ("responds" in traits) == (name in ANSWERING)
    if name in REPLAYS:
        assert traits == ({"dtype"} if computes else frozenset())


def test_fingerprints_differ(window: Window) -> None:
    prints = {load(name, [window.simulation]).fingerprint() for name in CONTROLS}
    assert len(prints) == len(CONTROLS)


def test_unknown_control_names_its_neighbours(window: Window) -> None:
    with pytest.raises(ModelError, match=r"unknown control 'blurr'.*blur"):
        load("blurr", [window.simulation])


def test_step1_error_is_a_frame_of_truth_at_step_1_only(window: Window) -> None:
    assert torch.equal(shown("step1-error", window, 1), truth(window, 3))
    assert torch.equal(shown("step1-error", window, 2), truth(window, 2))


def test_blow_up_grows_by_the_rate_and_spares_the_density(window: Window) -> None:
    for step in (1, STEPS):
        u, p = truth(window, step), shown("blow-up", window, step)
        growth = (p.flatten(1).var(1)[1:] / u.flatten(1).var(1)[1:]).log() / 2
        torch.testing.assert_close(growth, torch.full_like(growth, 0.08 * step))
        torch.testing.assert_close(p.flatten(1).mean(1), u.flatten(1).mean(1))
        assert torch.equal(p[0], u[0])


def test_one_component_grows_by_the_rate(window: Window) -> None:
    u, p = truth(window, STEPS), shown("one-component", window, STEPS)
    grown = shells(power(p[2])) / shells(power(u[2]))
    np.testing.assert_allclose(grown[: CELLS // 2 + 1], math.exp(0.16 * STEPS), rtol=1e-6)
    rest = [0, 1, 3, 4, 5, 6]
    assert torch.equal(p[rest], u[rest])


def test_a_weak_velocity_is_weak_and_nothing_else(window: Window) -> None:
    u, p = truth(window, 2), shown("weak-velocity", window, 2)
    torch.testing.assert_close(p[4:].flatten(1).std(1), 0.65 * u[4:].flatten(1).std(1))
    assert torch.equal(p[:4], u[:4])


def test_an_aligned_velocity_has_the_sign_that_the_truth_has_not(window: Window) -> None:
    def sigma(frame: Tensor) -> float:
        b, v = _about_zero(frame[B]), _about_zero(frame[MHD.slice("velocity")])
        return float(2 * (v * b).mean() / (v.square() + b.square()).mean())

    assert sigma(shown("aligned", window, 3)) * sigma(truth(window, 0)) < 0
    assert abs(sigma(shown("aligned", window, 3))) > 0.8
    assert torch.equal(shown("aligned", window, 3)[:4], truth(window, 3)[:4])


def test_a_void_is_empty_and_positive(window: Window) -> None:
    u, p = truth(window, 1), shown("void", window, 1)
    assert 0 < float(p[0].min()) < 2e-4 * float(u[0].mean())
    assert torch.equal(p[1:], u[1:])
    assert float(p[0].mean() / u[0].mean()) == pytest.approx(1, abs=1e-9)


def test_a_clump_and_a_comb_touch_their_own_fields_only(window: Window) -> None:
    u = truth(window, 3)
    clump, comb = shown("clump", window, 3), shown("comb", window, 3)
    assert torch.equal(clump[B], u[B])
    assert torch.equal(comb[0], u[0])
    for channel in (0, 4, 5, 6):
        np.testing.assert_allclose(power(clump[channel]), power(u[channel]), rtol=1e-5, atol=1e-14)
    assert float((comb[1:] - u[1:]).abs().max()) > 0


def test_drifts_reach_their_size_at_the_last_step_and_change_only_means(window: Window) -> None:
    u = truth(window, STEPS)
    mass, flux = shown("mass-drift", window, STEPS), shown("flux-drift", window, STEPS)
    assert float(mass[0].mean() / u[0].mean()) == pytest.approx(1.002, abs=1e-9)
    shift = (flux[B] - u[B]).flatten(1)
    strength = float(u[B].flatten(1).mean(1).norm())
    torch.testing.assert_close(shift, torch.full_like(shift, 0.01 * strength))
    for p in (mass, flux):
        torch.testing.assert_close(p.flatten(1).var(1), u.flatten(1).var(1))


def test_freeze_slows_down_between_frames_of_truth() -> None:
    clock = [0, 10, 15, 16, 49, 50]
    line = lambda step: torch.tensor([float(step)], dtype=torch.float64)  # noqa: E731
    times = [float(faults.freeze(line, MHD, step, 50)) for step in clock]
    assert times[:2] == [0.0, 10.0]
    assert times[2] == pytest.approx(10 + 5 * (1 - math.exp(-1)))
    pace = times[3] - times[2], times[5] - times[4]
    assert pace[1] / pace[0] == pytest.approx(math.exp(-34 / 5), rel=1e-6)
    assert times[-1] < 15


def test_negative_cells_and_nan_appear_where_they_should(window: Window) -> None:
    hollow = shown("negative-cells", window, 1)
    assert float(truth(window, 1)[0].min()) > 0 > float(hollow[0].min())
    assert torch.equal(hollow[1:], truth(window, 1)[1:])
    long = Window(window.simulation, 0, 0, 3, FRAMES - 3)
    assert bool(shown("nan", long, long.steps - 1).isfinite().all())
    assert int(shown("nan", long, long.steps).isnan().sum()) == 1
    assert faults.NAN_STEP == 10


def audited(name: str, window: Window) -> int:
    source = rolled(name, window)
    source(0)
    with torch.no_grad(), PrecisionAudit() as seen:
        source(1)
    return sum(seen.leaks.values())


def start_difference(name: str, window: Window) -> float:
    """delta(1) = rms(u64 - u32) / rms fluctuation."""
    double, single = (shown(name, window, 1, p).double() for p in ("fp64", "fp32"))
    fluctuation = double - double.mean((1, 2, 3), keepdim=True)
    return float((double - single).square().mean().sqrt() / fluctuation.square().mean().sqrt())


def test_cancellation_shows_at_the_start_and_leaks_nothing(window: Window) -> None:
    assert audited("cancellation", window) == 0
    assert 5e-5 < start_difference("cancellation", window) < 1e-2


def test_leak_is_seen_by_the_audit_alone(window: Window) -> None:
    assert audited("leak", window) > 0
    assert start_difference("leak", window) == 0


def test_rounding_decides_which_component_grows(window: Window) -> None:
    u = truth(window, STEPS).flatten(1).var(1)
    grown = {p: shown("rounding-branch", window, STEPS, p).flatten(1).var(1) / u for p in
             ("fp32", "fp64")}  # fmt: skip
    assert float(grown["fp64"][2]) > 20 and float(grown["fp32"][3]) > 20
    assert float(grown["fp64"][3]) == pytest.approx(1, abs=1e-6)
    assert float(grown["fp32"][2]) == pytest.approx(1, abs=1e-6)
    assert audited("rounding-branch", window) == 0
    assert start_difference("rounding-branch", window) < 1e-6
