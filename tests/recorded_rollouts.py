"""Frames that have the study's recorded figures: truth like MHD_64's, and what Walrus made of it.

The study published series, not frames.  Here every channel is its mean and a mixture of random
fields, scaled so that variance, mean density, VRMSE at step 1 and div B over the truth's at step 50 are
the recorded ones; what is predicted after step 1 is not solenoidal.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from harness.fields import MHD
from harness.published import facts
from harness.published.arrays import Run
from tests.well_files import write_well_file

FRAMES, HISTORY = 100, 3
#: mixtures of the fields of `_fields`: what truth is made of turns by this angle a frame
TURN, FLOOR = 0.45, 0.03


def _fields(n: int) -> np.ndarray:
    """(4, channel, n, n, n): random fields of variance 1 and mean 0, orthogonal channel by channel.

    In the first two a component does not vary along its own axis, so B made of them is solenoidal.
    """
    rng = np.random.default_rng(0)
    k = np.sqrt(sum(axis**2 for axis in np.meshgrid(*[np.fft.fftfreq(n, 1 / n)] * 3, indexing="ij")))
    amplitude = np.where(k > 0, np.maximum(k, 1.0) ** (-11 / 6), 0.0)  # energy ~ k^(-5/3)
    noise = rng.normal(size=(4, MHD.n_channels, n, n, n))
    fields = np.fft.ifftn(np.fft.fftn(noise, axes=(2, 3, 4)) * amplitude, axes=(2, 3, 4)).real
    for channel in range(MHD.n_channels):
        along = (channel - 1) % 3 if channel else 0
        fields[:2, channel] = fields[:2, channel].mean(axis=1 + along, keepdims=True)
        flat = fields[:, channel].reshape(4, -1)
        flat -= flat.mean(axis=1, keepdims=True)
        directions, _ = np.linalg.qr(flat.T)
        fields[:, channel] = directions.T.reshape(fields[:, channel].shape) * n**1.5
    return fields


def _frame(fields: np.ndarray, variance: np.ndarray, mass: float, weights: np.ndarray) -> np.ndarray:
    """(channel, n, n, n): means, and the fields mixed by weights that are scaled to norm 1."""
    means = np.zeros(MHD.n_channels)
    means[:2] = mass, 1.0  # the guide field lies along x
    mixed = np.tensordot(weights / np.linalg.norm(weights), fields, 1)
    return means[:, None, None, None] + np.sqrt(variance)[:, None, None, None] * mixed


def _of_truth(step: int) -> np.ndarray:
    return np.array([np.cos(TURN * step), np.sin(TURN * step), FLOOR, 0.0])


def _divergence(frame: np.ndarray) -> float:
    """rms of the centred div B over mean |B|."""
    b = frame[1:4]
    divergence = sum((np.roll(b[i], -1, i) - np.roll(b[i], 1, i)) / 2 for i in range(3))
    return float(np.sqrt(np.mean(divergence**2)) / np.sqrt((b**2).sum(0)).mean())


def _monopoles(fields: np.ndarray, run: Run, trajectory: int, step: int) -> np.ndarray:
    """Weights with which div B over the truth's is the recorded one at a step, by bisection."""
    variance, mass = run.variance[trajectory], run.mass[trajectory, step]
    frame = int(run.first_frame[trajectory]) + step - 1
    wanted = run.div_b[trajectory, step] / run.truth_div_b[trajectory, step]
    wanted *= _divergence(_truth_frame(fields, run, run.simulation[trajectory], frame))
    low, high = 0.0, np.pi / 2
    for _ in range(40):
        angle = (low + high) / 2
        weights = np.array([np.cos(angle), 0.0, np.sin(angle), 0.0])
        found = _divergence(_frame(fields, variance[step], mass, weights))
        low, high = (angle, high) if found < wanted else (low, angle)
    return weights


def _truth_frame(fields: np.ndarray, run: Run, simulation: int, frame: int) -> np.ndarray:
    """A frame of a simulation, as the latest window that has begun needs it."""
    own = np.flatnonzero(run.simulation == simulation)
    begun = own[run.first_frame[own] - HISTORY <= frame]
    trajectory = max(begun, key=lambda t: run.first_frame[t]) if len(begun) else own[0]
    step = frame - int(run.first_frame[trajectory]) + 1
    # Step 1 has the variance of its prediction, so that VRMSE is an angle.
    variance = run.variance[trajectory, int(step > 0)]
    mass = run.truth_mass[trajectory, min(max(step, 0), run.steps)]
    return _frame(fields, variance, mass, _of_truth(step))


def truth(root: Path, run: Run, n: int = 8) -> None:
    """ROOT/datasets/MHD_64/data/test, one file a simulation of the run, on n^3 cells."""
    fields = _fields(n)
    for simulation in np.unique(run.simulation):
        frames = np.stack([_truth_frame(fields, run, simulation, t) for t in range(FRAMES)], dtype="f4")
        ms = run.ms[np.flatnonzero(run.simulation == simulation)[0]]
        path = root / "datasets/MHD_64/data/test" / f"MHD_Ma_0.7_Ms_{ms:g}.hdf5"
        write_well_file(path, frames, dataset_name="MHD_64", parameters={"Ma": 0.7, "Ms": ms})


def predicted(folder: Path, run: Run, n: int = 8) -> None:
    """Saved rollouts of the run, one file a window, for `--model saved:FOLDER`."""
    fields = _fields(n)
    for trajectory in range(run.trajectories):
        frames = np.empty((run.steps, MHD.n_channels, n, n, n), "f4")
        cosine = 1 - run.vrmse[trajectory, 1] ** 2 / 2  # of the angle between two equal variances
        first = cosine * _of_truth(1) / np.linalg.norm(_of_truth(1))
        first[3] = np.sqrt(1 - cosine**2)
        for step in range(1, run.steps + 1):
            weights = first if step == 1 else np.array([0.2, 0.2, 1.0, 0.0])
            if step == facts.AT:
                weights = _monopoles(fields, run, trajectory, step)
            variance, mass = run.variance[trajectory, step], run.mass[trajectory, step]
            frames[step - 1] = _frame(fields, variance, mass, weights)
        write_well_file(folder / f"{run.case(trajectory)}.hdf5", frames, dataset_name="MHD_64")


def scale(folder: Path, case: str, channel: str, factor: float, since: int) -> None:
    """Multiply the fluctuations of one channel of one saved rollout from a step on."""
    names = ("density", "magnetic_field", "velocity")
    field = names[{"r": 0, "B": 1, "v": 2}[channel[0]]]
    with h5py.File(folder / f"{case}.hdf5", "r+") as file:
        data = file[f"t{0 if field == 'density' else 1}_fields/{field}"]
        part = (
            0,
            slice(since - 1, None),
            ...,
            *([] if field == "density" else ["xyz".index(channel[2])]),
        )
        values = data[part]
        means = values.mean(axis=(1, 2, 3), keepdims=True)
        data[part] = means + factor * (values - means)
