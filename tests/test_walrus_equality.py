"""The adapter against the published notebook, both running Polymathic's model on the same draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.audit import PrecisionAudit
from harness.stepping import Draw, Stepper
from harness.surrogates.walrus import Walrus
from harness.surrogates.walrus.normalisation import samplewise
from harness.surrogates.walrus.surrogate import stepper
from tests import walrus_example as example
from tests import walrus_notebook as notebook

CPU = torch.device("cpu")
#: grid, frames of history, steps, draw; at 16 points a patch is one cell, and only blocks are rolled
CASES = [
    ((16, 16, 16), 3, 2, 3),
    ((16, 16, 16), 6, 1, None),
    ((64, 16, 16), 3, 2, 3),
    ((64, 16, 16), 3, 1, None),
    ((64, 16, 16), 6, 1, 3),
    ((64, 64, 64), 3, 1, 3),
    ((64, 64, 64), 6, 1, None),
]


def published(model: Walrus, draw: Draw, history: Tensor, steps: int, revin: Any = None) -> Tensor:
    """The notebook's frames; the model as it was loaded, checkpointing and all."""
    module = model.to(CPU, history.dtype).module
    jitter = draw.seed is not None
    module.jitter_patches = module.patch_jitterer.jitter_patches = jitter
    return notebook.rollout(module, draw, history, steps, revin)


def rolled(step: Stepper, history: Tensor, steps: int, channels_last: bool) -> Tensor:
    """The adapter's frames; the history lies in memory as in the notebook, or channels first."""
    frames = []
    for number in range(1, steps + 1):
        with torch.no_grad():
            frames.append(step(history, number))
        history = torch.cat([history[1:], frames[-1][None]])
        if channels_last:
            history = history.permute(0, 2, 3, 4, 1).contiguous().permute(0, 4, 1, 2, 3)
    return torch.stack(frames)


def every_frame(model: Walrus, shape: tuple[int, ...], draw: Draw) -> Stepper:
    """The adapter decoding every frame as the notebook does, not only the last: then bits agree."""
    prepared, arguments = model._prepare(example.window(shape, model.n_history), draw)
    prepared.causal_in_time = True
    return stepper(prepared, arguments, samplewise, draw)


@notebook.needs_notebook
@pytest.mark.parametrize(("shape", "n_history", "steps", "seed"), CASES, ids=str)
def test_frames_equal_the_notebooks(
    shape: tuple[int, ...], n_history: int, steps: int, seed: int | None, tmp_path: Path
) -> None:
    model = example.tiny(tmp_path, n_history)
    draw = Draw(seed)
    history = example.history(shape, n_history).float()
    expected = published(model, draw, history, steps)
    as_used = model.begin(example.window(shape, n_history), draw)
    frames = rolled(as_used, history.contiguous(), steps, channels_last=False)
    difference = float((frames - expected).abs().max() / expected.abs().max())
    print(f"{shape}, {n_history} frames, {steps} steps, draw {seed}: as used {difference:.1e}")
    assert difference <= 1e-6
    exact = rolled(every_frame(model, shape, draw), history, steps, channels_last=True)
    assert torch.equal(exact, expected)
    moved = (expected[0] - history[-1]).abs().max()
    assert moved > 1e-2  # the network does something


@notebook.needs_notebook
def test_the_comparison_can_fail(tmp_path: Path) -> None:
    """Another draw is far from equal."""
    model = example.tiny(tmp_path)
    history = example.history((64, 16, 16)).float()
    expected = published(model, Draw(3), history, 1)
    other = rolled(model.begin(example.window((64, 16, 16)), Draw(4)), history, 1, True)
    assert (other - expected).abs().max() > 1e-4 * expected.abs().max()


@notebook.needs_notebook
def test_the_published_rollout_cast_to_float64_is_not_float64(tmp_path: Path) -> None:
    """What docs/walrus.md lists: statistics, the answer, positions and buckets, and the state."""
    model = example.tiny(tmp_path).to(CPU, torch.float64)
    history = example.history((64, 16, 16))
    with torch.no_grad(), PrecisionAudit() as seen:
        frame = notebook.rollout(model.module, Draw(0), history, 1)
    assert frame.dtype == torch.float32
    assert {"aten::sqrt", "aten::_to_copy", "aten::linspace", "aten::log"} <= seen.leaks.keys()
    step = model.begin(example.window((64, 16, 16)), Draw(0))
    with torch.no_grad(), PrecisionAudit() as own:
        assert step(history, 1).dtype == torch.float64
    assert not own.leaks
    print(f"{sum(seen.leaks.values())} of {seen.calls} calls, the adapter's 0 of {own.calls}")
