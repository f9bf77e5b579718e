"""A benchmark in miniature: seconds instead of minutes, everything else is real.

Three simulations of travelling solenoidal waves on 8^3 cells in The Well's format, a protocol of
one window with 6 predicted frames, a surrogate that shifts the density, and a suite that judges it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.well_files import write_well_file

CELLS, FRAMES = 8, 10

PROTOCOL = """\
dataset = "toy"
split = "test"
fields = ["density", "magnetic_field", "velocity"]
n_history = 3
starts = [0]
steps = 6
ensemble = ["test"]
inertial_range = [1, 3]
reproduces = "nothing: a test"
description = "Travelling waves."
"""

SURROGATE = """\
import torch
from harness.surrogates.reference import Replay
from harness.fields import MHD

OFFSET = {offset}

class Shift(Replay):
    '''The truth with its density shifted by OFFSET.'''
    traits = frozenset({{"responds"}})

    def __init__(self):
        super().__init__(MHD)

    def begin(self, window, draw):
        replay = super().begin(window, draw)

        def step(history, number):
            frame = replay(history, number).clone()
            {body}
            frame[0] += OFFSET
            return frame

        return step
"""

SUITE = '''\
from harness.jobs import rollout
from harness.properties import property_test


@property_test(reads=[rollout()], criteria=("mean", "maximum"), control="control:nan")
def test_offset(record, criterion, judge, note):
    """The density stays at one."""
    shift = (record.pred - record.truth)[criterion].sel(channel="rho")
    note["last"] = float(shift[-1])
    judge(shift, at_most=0.5, unit="offset")


@property_test(reads=[rollout()], needs={"pressure"}, control="control:nan")
def test_pressure(record, judge):
    """The pressure is positive."""
    judge(record.pred["minimum"].sel(channel="p"), at_most=0.0)


@property_test(reads=[rollout()], population=True)
def test_offsets(records, note):
    """How the simulations scatter."""
    for case, record in records:
        note[case.window.simulation.name] = float(record.pred["mean"][-1, 0])
'''


def waves(seed: int, length: int = FRAMES, cells: int | None = None) -> np.ndarray:
    """(length, 7, n, n, n): rho, B with a guide field along x, v; waves with rotating phases."""
    n = cells or CELLS
    rng = np.random.default_rng(seed)
    axis = 2 * np.pi * np.arange(n) / n
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"))
    frames = np.zeros((length, 7, n, n, n))
    frames[:, 0] = 1.0
    frames[:, 1] = 1.0
    for _ in range(12):
        k = rng.integers(-2, 3, size=3)
        if not k.any():
            continue
        phase, speed = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.6)
        b, v = np.cross(k, rng.normal(size=3)), rng.normal(size=3)
        angle = np.tensordot(k, grid, 1)
        for t in range(length):
            wave = np.cos(angle + phase + speed * t)
            frames[t, 0] += 0.02 * rng.normal() * wave
            frames[t, 1:4] += 0.1 * b[:, None, None, None] * wave
            frames[t, 4:7] += 0.1 * v[:, None, None, None] * wave
    return frames.astype(np.float32)


def build(folder: Path, offset: float = 0.0, body: str = "pass") -> Path:
    """Write data, protocol, surrogate, suite and settings under `folder`; returns it."""
    for seed in range(3):
        path = folder / f"data/datasets/toy/data/test/wave{seed}.hdf5"
        write_well_file(path, waves(seed), dataset_name="toy", parameters={"Ma": 0.7})
    (folder / "toy.toml").write_text(PROTOCOL)
    (folder / "suites").mkdir()
    (folder / "suites" / "test_toy.py").write_text(SUITE)
    (folder / "conftest.py").write_text('pytest_plugins = ["harness.plugin"]\n')
    (folder / "pytest.ini").write_text("[pytest]\njunit_family = xunit1\n")
    write_surrogate(folder, offset, body)
    return folder


def write_surrogate(folder: Path, offset: float, body: str = "pass") -> None:
    """The model under test; `body` is one statement run before the shift at every step."""
    (folder / "toy.py").write_text(SURROGATE.format(offset=offset, body=body))


def arguments(folder: Path) -> list[str]:
    """The options that judge the toy."""
    return [
        "--model", "toy.py:Shift", "--protocol", "toy.toml", "--data", str(folder / "data"),
        "--reports", str(folder / "reports"), "--baselines", str(folder / "baselines"),
        "--device", "cpu", "-ra", "-p", "no:cacheprovider", "-p", "no:hypothesispytest",
    ]  # fmt: skip
