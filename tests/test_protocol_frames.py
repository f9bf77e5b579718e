"""Protocols to the frame, seen from inside: what a model is fed, and what it is compared with."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.engine import Engine
from harness.jobs import Job
from harness.record import Store
from harness.surrogates import registry
from harness.truth import protocols
from harness.truth.well import scan
from tests.well_files import write_well_file

#: The published recipes: protocol -> (frames fed, frames predicted) of every window, first to last
FRAMES = {
    "mhd64-early": [((0, 2), (3, 52)), ((47, 49), (50, 99))],
    "mhd64-paper": [((14, 16), (17, 76))],
    "mhd64-t100": [((0, 2), (3, 99))],
    "well-t17=MHD_64": [((11, 16), (17, 76))],
}
#: a module and nothing else; it says what it was fed, in units of frames
MODULE = """
import torch
from torch import nn

FED = []

class Net(nn.Module):
    n_history = {n_history}

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, history):
        FED.append(history[:, 0].mean(dim=(1, 2, 3)).round().int().tolist())
        return self.gain * history[-1]
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MHD_64 of one simulation, whose density in frame i is i."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    frames = np.random.default_rng(0).normal(0, 1e-3, (100, 7, 4, 4, 4)).astype("f4")
    frames[:, 0] += np.arange(100, dtype="f4")[:, None, None, None]
    path = tmp_path / "datasets/MHD_64/data/test/MHD_Ma_0.7_Ms_0.5.hdf5"
    write_well_file(path, frames, dataset_name="MHD_64", parameters={"Ma": 0.7, "Ms": 0.5})
    return tmp_path


@pytest.mark.parametrize("name", FRAMES)
def test_a_model_is_fed_and_compared_with_these_frames(root: Path, name: str) -> None:
    protocol = protocols.load(name)
    found = scan(root, "MHD_64", "test", dict(protocol.where))
    cut = protocols.windows(protocol, found).windows
    assert len(cut) == len(FRAMES[name])
    for window, (fed, predicted) in zip(cut, FRAMES[name], strict=True):
        n = fed[1] - fed[0] + 1
        file = root / f"net{window.index}.py"
        file.write_text(MODULE.format(n_history=n))
        (spec,) = registry.resolve([f"{file}:Net"])
        engine = Engine(Store(root / "records"), torch.device("cpu"), found.simulations)
        record = engine.record(Job("rollout", window, spec))
        module = engine.surrogate(spec).module
        history = sys.modules[type(module).__module__].FED[0]
        assert history == list(range(fed[0], fed[1] + 1))
        truth = record.truth["mean"].sel(channel="rho").values.round().astype(int).tolist()
        assert truth == list(range(fed[1], predicted[1] + 1))  # step 0 is the last frame fed
        assert truth[1] == predicted[0]


def test_a_module_with_one_frame_starts_from_the_same_state(root: Path) -> None:
    (root / "net.py").write_text(MODULE.format(n_history=1))
    (spec,) = registry.resolve([f"{root / 'net.py'}:Net"])
    protocol = protocols.load("mhd64-paper")
    found = scan(root, "MHD_64", "test", dict(protocol.where))
    (window,) = protocols.windows(protocol, found).windows
    engine = Engine(Store(root / "records"), torch.device("cpu"), found.simulations)
    record = engine.record(Job("rollout", window, spec))
    assert record.pred["mean"].sel(channel="rho").values.round().tolist() == [16] * 61
