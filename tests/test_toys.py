"""Two surrogates that look alike when they blow up; interventions say which mechanism is at work."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from harness.diagnostics.structure import growth_rate
from harness.fields import MHD
from harness.rollout import Start
from harness.stepping import Draw
from harness.surrogates import registry
from harness.surrogates.toys import TOYS
from harness.truth import well
from harness.truth.spectral import resample
from harness.truth.window import Window
from tests import toy
from tests.well_files import write_well_file

B_Y = 2
STEPS = 50
#: over two increments g = 1.3 grows by x with x^4 = g^2 (x^2 + 1) / 2
FEEDBACK = math.log((1.3**2 + math.sqrt(1.3**4 + 8 * 1.3**2)) / 4) / 2


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Window:
    """Waves with |k_i| <= 2 on 16^3 cells, where N/4 = 4."""
    root = tmp_path_factory.mktemp("truth")
    frames = resample(torch.from_numpy(toy.waves(0, STEPS + 3)).double(), 16).float().numpy()
    path = root / "datasets/toy/data/test/wave0.hdf5"
    write_well_file(path, frames, dataset_name="toy", parameters={"Ma": 0.7})
    return Window(well.scan(root, "toy", "test").simulations[0], 0, 0, 3, STEPS)


def roll(name: str, window: Window, *arms: str) -> tuple[float, np.ndarray, np.ndarray]:
    """lambda of B_y; var(t = last) / var(0) and rms of the last over that of the first increment."""
    from harness.truth.well import Frames

    with Frames(window.simulation) as frames:
        history = torch.stack([frames.read(i) for i in range(3)])
    rolled = Start(TOYS[name](MHD), window, history, Draw(), "fp32", arms).source()
    frames = [history[1], *(rolled(step) for step in range(STEPS + 1))]
    flat = torch.stack(frames).double().flatten(2)
    variance = flat.var(2, correction=0).numpy()[1:]
    pace = flat.diff(dim=0).square().mean(2).sqrt().numpy()
    return growth_rate(variance[:, [B_Y]]).rate, variance[-1] / variance[0], pace[-1] / pace[0]


def test_both_grow_in_one_component_and_the_feedback_freezes_the_others(window: Window) -> None:
    others = [0, 1, 3, 4, 5, 6]
    rate, growth, pace = roll("lattice", window)
    assert rate == pytest.approx(math.log(1.3), rel=0.02)
    assert growth[B_Y] > 1e5
    assert growth[others].max() < 10
    assert pace[others].min() > 0.1
    rate, growth, pace = roll("feedback", window)
    assert rate == pytest.approx(FEEDBACK, rel=0.02)
    assert growth[B_Y] > 1e5
    assert growth[others].max() < 10
    assert pace[others].max() < 2e-3


@pytest.mark.parametrize("arm", ["divfree", "lowpass", "notch"])
def test_what_takes_out_the_imprint_cures_the_lattice_and_not_the_feedback(
    arm: str, window: Window
) -> None:
    rate, growth, _ = roll("lattice", window, arm)
    assert abs(rate) < 0.05
    assert growth[B_Y] < 10
    rate, growth, pace = roll("feedback", window, arm)
    assert rate == pytest.approx(FEEDBACK, rel=0.1)
    assert growth[B_Y] > 1e4
    assert pace[4:].max() < 2e-3


def test_clamp_cures_the_feedback_and_not_the_lattice(window: Window) -> None:
    rate, growth, pace = roll("feedback", window, "clamp")
    assert abs(rate) < 0.05
    assert growth.max() < 10
    assert pace.min() > 0.2
    # Here it turns exponential growth into linear growth: the imprint is still there.
    _, growth, _ = roll("lattice", window, "clamp")
    assert growth[B_Y] > 100


@pytest.mark.parametrize("arm", ["project-v", "restore"])
def test_a_placebo_changes_neither(arm: str, window: Window) -> None:
    assert roll("lattice", window, arm)[0] == pytest.approx(math.log(1.3), rel=0.02)
    assert roll("feedback", window, arm)[0] == pytest.approx(FEEDBACK, rel=0.02)


def test_they_are_models_like_any_other(window: Window) -> None:
    (spec,) = registry.resolve(["toy:feedback+clamp"])
    assert registry.load(spec, [window.simulation]).n_history == 3
    lattice, feedback = (TOYS[name](MHD) for name in TOYS)
    assert lattice.fingerprint() != feedback.fingerprint()
    assert {"toy:lattice", "toy:feedback"} <= registry.names().keys()
