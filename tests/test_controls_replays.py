"""Controls that replay the truth with a fault: each breaks what it says, and nothing else."""

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
from harness.surrogates.spec import ModelError
from harness.truth.well import Frames, scan
from harness.truth.window import Simulation, Window
from tests.turbulent_fields import CELLS, about_zero, power, shells, turbulent
from tests.well_files import write_well_file

B = MHD.slice("magnetic_field")
STEPS = 6
FRAMES = 13


def frames() -> np.ndarray:
    """(T, 7, *SPACE): rho about 1, B about (1, 0, 0) and v about 0; B solenoidal."""
    mean = torch.zeros(7, 1, 1, 1, dtype=torch.float64)
    mean[:2] = 1.0
    start, end = (
        torch.cat([0.3 * turbulent(seed=s)[1:2], turbulent(seed=s + 2), turbulent(seed=s + 4)])
        for s in (0, 1)
    )
    angles = 0.2 * torch.arange(FRAMES)
    fields = [mean + torch.cos(a) * about_zero(start) + torch.sin(a) * about_zero(end) for a in angles]
    return torch.stack(fields).float().numpy()


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
        b, v = about_zero(frame[B]), about_zero(frame[MHD.slice("velocity")])
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
