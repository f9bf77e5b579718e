"""Prints what a kept criterion does not say: how wide W is, and what random phases do to it.

    python docs/widths.py

The figures that protocols.md and `suites/test_intermittency.py` quote, on the embedded truth: exp(W) of
variances and of E_B/E_K, the factor by which a frame may be wrong; and the share of truth frames that
break a criterion of intermittency once the phases of every field are random.  Phases are those of
white noise, one for all channels of a frame, so that spectra and cross spectra stay as they are.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness import jobs, paths, plan
from harness.diagnostics import series
from harness.diagnostics.derived import derive
from harness.engine import Engine
from harness.makers.setup import Setup
from harness.plan import Options
from harness.record import Record, Store
from harness.rollout import read_truth, roll
from harness.statistics import Ensemble, departure
from harness.truth.well import Frames
from harness.truth.window import Simulation

INTERMITTENCY = {
    "kurtosis": series.ln_kurtosis,
    "scaling": series.relative_exponent,
    "skewness": series.ln_density_skewness,
}


def random_phases(frame: Tensor, seed: int) -> Tensor:
    """A frame (C, *space) with the phases of one field of white noise added to those of its modes."""
    noise = torch.randn(frame.shape[1:], generator=torch.Generator().manual_seed(seed))
    space = tuple(range(-noise.dim(), 0))
    phase = torch.fft.rfftn(noise, dim=space)
    phase /= phase.abs()
    phase.view(-1)[0] = 1.0
    return torch.fft.irfftn(torch.fft.rfftn(frame, dim=space) * phase, s=noise.shape, dim=space)


def scrambled(simulation: Simulation, seed: int) -> Record:
    """Every frame of a simulation beside itself with random phases."""
    job = jobs.truth_job(simulation)
    device, steps = torch.device("cpu"), job.window.steps
    with Frames(simulation) as frames:
        setup = Setup(job, None, device, frames, lambda step, frame: None)
        truth = read_truth(frames, job.window, device, torch.float32)
        sources = {
            "truth": truth,
            "prediction": lambda step: random_phases(truth(step), 10_000 * seed + step),
        }
        every = range(steps + 1)
        data = roll(sources, steps, setup.measure(torch.float32), structure=every)
        return Record("", derive(data.assign_attrs(setup.attributes())))


def main() -> None:
    """Print both."""
    made = plan.make(Options(models=("persistence",), protocols=("simulated",)))
    engine = Engine(Store(paths.cache() / "records"), torch.device("cpu"), made.simulations)
    simulations = made.kin("simulated", made.windows["simulated"][0].simulation)
    truth = Ensemble(tuple(engine.record(jobs.truth_job(simulation)) for simulation in simulations))
    for statistic in (series.ln_variance, series.ln_fluctuation_ratio):
        width = truth.width(statistic).value
        names = width["channel"].values if "channel" in width.dims else ["E_B/E_K"]
        for name, factor in zip(names, np.exp(np.atleast_1d(width.values)), strict=True):
            print(f"a kept criterion lets {name} be wrong by a factor of {factor:.2f}")
    records = [scrambled(simulation, seed) for seed, simulation in enumerate(simulations)]
    for name, statistic in INTERMITTENCY.items():
        width = truth.width(statistic).value
        broken = [(~(abs(departure(r, statistic)) <= width)) for r in records]
        frames = np.concatenate([b.any([d for d in b.dims if d != "step"]).values for b in broken])
        print(f"random phases break {name} in {frames.mean():.1%} of {len(frames)} frames")


if __name__ == "__main__":
    main()
