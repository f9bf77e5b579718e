"""What a record is named by: the digest of everything that decides it; never a path, never a name."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

import torch

from harness import numerics
from harness.jobs import Job
from harness.paths import ROOT


def source_files() -> tuple[Path, ...]:
    """The harness's files whose code decides what a record holds; a model's own are its own digest."""
    package = ROOT / "harness"
    return (
        *sorted((package / "diagnostics").glob("*.py")),
        *sorted((package / "interventions").glob("*.py")),
        *sorted((package / "makers").glob("*.py")),
        *sorted((package / "probes").glob("*.py")),
        *(
            package / f"{name}.py"
            for name in ("audit", "fields", "jobs", "numerics", "rollout", "tape")
        ),
        package / "stepping.py",  # every random number comes from a Draw
        *(package / "truth" / f"{name}.py" for name in ("hdf5", "schema", "well", "window")),
    )


@cache
def source_digest() -> str:
    """SHA-256 over the content of `source_files`."""
    digest = hashlib.sha256()
    for file in source_files():
        digest.update(file.read_bytes())
    return digest.hexdigest()


def key(job: Job, surrogate: tuple[str, str] | None, device: torch.device) -> str:
    """SHA-256 of all that decides a job's record.

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
        "noise": (job.noise.scale, job.noise.seed) if job.noise else None,
        "symmetry": job.symmetry,
        "fields": job.keep_fields,
        "flags": numerics.flags(job.precision),
        "torch": torch.__version__,
        "device": device.type,
        "source": source_digest(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
