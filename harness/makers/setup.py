"""What a maker works with: a job, the model, the device and the truth's frames."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from harness import numerics
from harness.diagnostics.measure import Measure
from harness.jobs import Job
from harness.makers import box
from harness.rollout import OnFrame, Start
from harness.surrogates.base import Surrogate
from harness.truth.well import Frames
from harness.truth.window import Window


@dataclass(frozen=True, eq=False)
class Setup:
    """One job and what it runs on.

    surrogate: the job's model, None for a truth record.  frames: the open file of its window.
    """

    job: Job
    surrogate: Surrogate | None
    device: torch.device
    frames: Frames
    on_frame: OnFrame

    @property
    def window(self) -> Window:
        """The job's window."""
        return self.job.window

    @cached_property
    def guide(self) -> tuple[float, ...]:
        """Mean magnetic field of the truth at step 0, see `box.guide_field`."""
        return box.guide_field(self.window, self.frames)

    def start(self, precision: str | None = None) -> Start:
        """The model on the window's input frames, varied as the job says; in the job's precision,
        or another.
        """
        assert self.surrogate is not None and self.job.model is not None
        return Start(
            self.surrogate,
            self.window,
            self._history(),
            self.job.draw,
            precision or self.job.precision,
            self.job.model.interventions,
        )

    def _history(self) -> torch.Tensor:
        """The window's input frames (n, C, *space), varied as the job says."""
        window, job = self.window, self.job
        frames = [self.frames.read(window.start + i) for i in range(window.n_history)]
        history = torch.stack(frames).to(self.device)
        if job.noise is not None:
            history = job.noise.add(history)
        if job.symmetry:
            turn = box.turn(job.symmetry, window, self.frames)
            history = turn(history, window.simulation.layout)
        return history

    def measure(self, dtype: torch.dtype) -> Measure:
        """All diagnostics of the window's frames, in this working precision."""
        simulation = self.window.simulation
        return Measure(
            simulation.layout,
            simulation.shape,
            self.guide,
            device=self.device,
            dtype=dtype,
            periodic="periodic" in simulation.offers,
        )

    def attributes(self) -> dict[str, Any]:
        """What the data are and how they were made, as the attributes of a record.

        token_stride: what the model declares, 0 where it declares none (`Surrogate`).
        """
        job, simulation = self.job, self.window.simulation
        return {
            "kind": job.kind,
            "simulation": simulation.name,
            "model": job.model.label if job.model else "truth",
            "precision": job.precision,
            "guide": json.dumps(self.guide),
            "token_stride": getattr(self.surrogate, "token_stride", None) or 0,
            "device": str(self.device),
            "cells": int(torch.tensor(simulation.shape).prod()),
            "flags": json.dumps(numerics.flags(job.precision)),
            "torch": str(torch.__version__),
        }
