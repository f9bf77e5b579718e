"""Controls whose fault lies in how they answer: perfect on the truth, and broken as they say."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from harness.fields import MHD
from harness.probes.growth import leading_growth, mean_rate
from harness.probes.noise import InputNoise
from harness.probes.scales import sigma
from harness.rollout import Start
from harness.stepping import Draw, Stepper
from harness.surrogates.controls import dynamics, load
from harness.truth.well import Frames, scan
from harness.truth.window import Window
from tests import toy
from tests.well_files import write_well_file


@pytest.fixture
def window(tmp_path: Path) -> Window:
    path = tmp_path / "datasets/simulated/data/test/wave0.hdf5"
    write_well_file(path, toy.waves(0), parameters={"Ma": 0.7})
    (simulation,) = scan(tmp_path, "simulated", "test").simulations
    return Window(simulation, 0, 0, 3, 6)


def history(window: Window) -> Tensor:
    with Frames(window.simulation) as frames:
        return torch.stack([frames.read(i) for i in range(window.n_history)])


def rolled(name: str, window: Window, start: Tensor) -> list[Tensor]:
    source = Start(load(name, [window.simulation]), window, start, Draw(None), "fp32").source()
    return [source(step) for step in range(window.steps + 1)]


def step_of(name: str, window: Window, precision: str = "fp64") -> Stepper:
    surrogate = load(name, [window.simulation])
    return Start(surrogate, window, history(window), Draw(None), precision).stepper()


@pytest.mark.parametrize("name", ["noise-branch", "planted-growth"])
def test_given_the_truth_they_are_the_truth(name: str, window: Window) -> None:
    for step, frame in enumerate(rolled(name, window, history(window))):
        with Frames(window.simulation) as frames:
            assert torch.equal(frame, frames.read(window.frame(step)))


def test_the_least_noise_starts_the_branch_and_nothing_else_changes(window: Window) -> None:
    truth = rolled("noise-branch", window, history(window))
    noisy = rolled("noise-branch", window, InputNoise(1e-6).add(history(window)))
    for step in range(1, window.steps + 1):
        others = [0, 1, 2, 4, 5, 6]
        assert torch.equal(noisy[step][others], truth[step][others])
        growth = float(noisy[step][3].var() / truth[step][3].var())
        assert growth == pytest.approx(100 ** (step / window.steps), rel=0.05)


def test_the_planted_growth_is_found_with_its_rate_and_direction(window: Window) -> None:
    start = history(window)[-1:].double()
    # More steps than the window has: beyond its last step the simulation has frames no more.
    long = Window(window.simulation, 0, 0, 1, 9)
    start = history(long).double()
    with torch.no_grad():
        found = leading_growth(step_of("planted-growth", long), start, 9)
    rate, _ = mean_rate(found.rates[-3:])
    assert rate == pytest.approx(dynamics.PLANTED, rel=0.1)
    unit, mode = sigma(start[-1]), dynamics.planted_mode(start[0])
    grown = found.direction[-1]
    cosine = float((grown[2] * mode).sum() / (grown[2].norm() * mode.norm()))
    assert abs(cosine) > 0.9
    assert int(found.shares[-1].argmax()) == 2
    assert math.isfinite(float((grown / unit).norm()))


def test_moves_are_exact(window: Window) -> None:
    frame = history(window)[-1]
    carried = step_of("carried", window, "fp32")(frame[None], 1)
    assert torch.equal(carried.roll(-dynamics.CARRY, -2), frame)
    stir = step_of("stirred", window, "fp32")
    once, twice = stir(frame[None], 1), stir(stir(frame[None], 1)[None], 2)
    assert torch.equal(twice, frame)  # left, then right
    assert torch.equal(once[:5], frame[:5])
    torch.testing.assert_close(once[5:].square().sum(0), frame[5:].square().sum(0))
    first = slice(0, dynamics.BLOCK)
    assert torch.equal(once[5, first].abs(), frame[6, first].abs())
    second = slice(dynamics.BLOCK, 2 * dynamics.BLOCK)
    ratio = once[5] / frame[6]
    assert float(ratio[first].mean()) == pytest.approx(-float(ratio[second].mean()))


def test_they_are_what_they_say(window: Window) -> None:
    traits = {n: load(n, [window.simulation]).traits for n in ("noise-branch", "carried", "stirred")}
    assert traits["noise-branch"] == {"responds"}
    assert "autonomous" in traits["carried"] & traits["stirred"]
    assert load("carried", [window.simulation]).fields == MHD
