"""Jobs: what a test reads, described by small frozen values.

A test declares requests (`reads=[rollout()]`); bound to a model and a window they become jobs.
A job holds no tensors, and its key is the digest of everything that decides its outcome.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal

import torch

from harness import numerics
from harness.paths import ROOT
from harness.surrogates.base import Draw
from harness.surrogates.registry import ModelSpec
from harness.truth.window import Simulation, Window

Kind = Literal["truth", "rollout", "twin", "audit"]


@dataclass(frozen=True)
class Request:
    """What a test wants to read, for whatever case it is run on."""

    kind: Kind
    draw: int = 0


def rollout(draw: int = 0) -> Request:
    """The surrogate against the truth, over the whole window."""
    return Request("rollout", draw)


def twin() -> Request:
    """The surrogate in float32 against itself in float64, in lockstep with the same draws."""
    return Request("twin")


def audit() -> Request:
    """Operators below double precision in one float64 step."""
    return Request("audit")


@dataclass(frozen=True)
class Job:
    """One thing to compute.  `model` is None for a truth record."""

    kind: Kind
    window: Window
    model: ModelSpec | None = None
    precision: str = "fp32"
    draw: Draw = field(default_factory=Draw)
    keep_fields: bool = False

    def __str__(self) -> str:
        simulation = f"{self.window.simulation.dataset}/{self.window.simulation.name}"
        if self.model is None:
            return f"{self.kind} {simulation}"
        return f"{self.kind} {self.model.label} on {simulation}-w{self.window.index}"


def truth_job(simulation: Simulation) -> Job:
    """Every frame of a simulation, measured alone: the source of the widths W."""
    return Job("truth", Window(simulation, 0, 0, 1, simulation.n_frames - 1))


def bind(
    request: Request,
    model: ModelSpec,
    window: Window,
    precision: str,
    seeded: bool,
    keep_fields: bool = False,
) -> Job:
    """A request for one model and window.  seeded=False asks the model for no randomness."""
    draw = Draw(request.draw if seeded else None)
    job = Job(request.kind, window, model, precision, draw)
    if request.kind == "rollout":
        return replace(job, keep_fields=keep_fields)
    # A twin steps fp32 and fp64 whatever the run's precision is; an audit is float64 by definition.
    return replace(job, precision="fp32+fp64" if request.kind == "twin" else "fp64")


@cache
def source_digest() -> str:
    """SHA-256 over the harness modules whose code decides what a record holds."""
    package = ROOT / "harness"
    files = [
        *sorted((package / "diagnostics").glob("*.py")),
        *(package / name for name in ("audit.py", "engine.py", "fields.py", "interventions.py")),
        *(package / name for name in ("jobs.py", "numerics.py", "rollout.py")),
        *(package / "truth" / name for name in ("well.py", "schema.py", "hdf5.py")),
    ]
    digest = hashlib.sha256()
    for file in files:
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()


def key(job: Job, surrogate: tuple[str, str] | None, device: torch.device) -> str:
    """SHA-256 of all that decides a job's record; never a path, never a name.

    surrogate: (fingerprint of weights and config, digest of its class's source), None for truth.
    """
    window = job.window
    parts = {
        "kind": job.kind,
        "surrogate": surrogate,
        "interventions": job.model.interventions if job.model else (),
        "data": window.simulation.data_id,
        "window": (window.start, window.n_history, window.steps, window.simulation.shape),
        "precision": job.precision,
        "draw": job.draw.seed,
        "fields": job.keep_fields,
        "flags": numerics.flags(job.precision),
        "torch": torch.__version__,
        "device": device.type,
        "source": source_digest(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
