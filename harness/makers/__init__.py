"""From a job to the data of its record: one maker for each kind of job.

A maker is given a `Setup` and returns what it measured; it knows nothing of the store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch
import xarray as xr

from harness import numerics
from harness.diagnostics.derived import derive
from harness.jobs import Job, Kind
from harness.makers import probes, rollouts
from harness.makers.setup import Setup
from harness.rollout import OnFrame
from harness.surrogates.base import Surrogate
from harness.truth.well import Frames

__all__ = ["MAKERS", "Setup", "make"]

MAKERS: Mapping[Kind, Callable[[Setup], xr.Dataset]] = {
    "truth": rollouts.truth,
    "rollout": rollouts.rollout,
    "twin": rollouts.twin,
    "branch": rollouts.branch,
    "audit": probes.audit,
    "equivariance": probes.equivariance,
    "growth_rate": probes.growth_rate,
}
#: kinds that `Measure` has measured whole, and that therefore have derived variables
_MEASURED = frozenset({"truth", "rollout", "twin"})


def make(
    job: Job,
    surrogate: Surrogate | None,
    device: torch.device,
    on_frame: OnFrame = lambda step, frame: None,
) -> xr.Dataset:
    """The data of a job's record, with what they are and how they were made as attributes.

    surrogate: the job's model, None for a truth record.
    on_frame: called with every step, and its predicted frame, of a job that rolls out.
    Raises whatever the truth or the model raises.
    """
    started = time.perf_counter()
    with numerics.strict(), torch.no_grad(), Frames(job.window.simulation) as frames:
        setup = Setup(job, surrogate, device, frames, on_frame)
        data = MAKERS[job.kind](setup).assign_attrs(setup.attributes())
    if job.kind in _MEASURED:
        data = derive(data)
    return data.assign_attrs(seconds=time.perf_counter() - started)
