"""Runs jobs: from the store, else under a lock, else rolls out.  One rollout is alive at a time."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch
import xarray as xr
from torch import Tensor

from harness import makers, numerics
from harness.jobs import Job
from harness.keys import key
from harness.record import Record, Store, WriteFrame
from harness.surrogates import registry
from harness.surrogates.base import Surrogate
from harness.surrogates.spec import ModelSpec
from harness.truth.window import Simulation

#: what a caller sees of the progress: the job, steps done, steps in all
OnStep = Callable[[Job, int, int], None]


class RolloutError(RuntimeError):
    """A job that could not be done: names the job, the sizes and the cause."""


@dataclass(frozen=True)
class Identity:
    """What is known of a model once it has been loaded."""

    fingerprint: str
    source: str
    n_history: int
    parameters: int | None
    traits: frozenset[str]


@dataclass
class Done:
    """One record handed out during this session."""

    job: Job
    record: Record
    from_store: bool
    seconds: float


class Engine:
    """Makes records.  Holds one surrogate, the last used, and no frames between jobs.

    simulations: everything the protocols of the run refer to (replays look things up there).
    """

    def __init__(
        self,
        store: Store,
        device: torch.device,
        simulations: Sequence[Simulation],
        on_step: OnStep = lambda job, step, steps: None,
    ) -> None:
        self.store = store
        self.device = device
        self.done: dict[str, Done] = {}
        self._simulations = tuple(simulations)
        self._on_step = on_step
        self._held: tuple[ModelSpec, Surrogate] | None = None
        self.identities: dict[ModelSpec, Identity] = {}
        self._keys: dict[Job, str] = {}
        self._failures: dict[str, Exception] = {}

    def surrogate(self, spec: ModelSpec) -> Surrogate:
        """The loaded model; the one held before is dropped first, so one is in memory at a time."""
        bare = replace(spec, interventions=())
        if self._held is None or self._held[0] != bare:
            self._held = None
            _free()
            self._held = (bare, registry.load(bare, self._simulations))
        return self._held[1]

    def identity(self, spec: ModelSpec) -> Identity:
        """Digests and size of a model; loads it the first time."""
        if spec not in self.identities:
            surrogate = self.surrogate(spec)
            module = getattr(surrogate, "module", None)
            self.identities[spec] = Identity(
                surrogate.fingerprint(),
                registry.source_digest(surrogate),
                surrogate.n_history,
                sum(p.numel() for p in module.parameters()) if module is not None else None,
                frozenset(surrogate.traits),
            )
        return self.identities[spec]

    def key(self, job: Job) -> str:
        """The job's name in the store."""
        if job not in self._keys:
            model = self.identity(job.model) if job.model else None
            digests = (model.fingerprint, model.source) if model else None
            with numerics.strict():
                self._keys[job] = key(job, digests, self.device)
        return self._keys[job]

    def is_stored(self, job: Job) -> bool:
        """Whether the store holds the job's record already."""
        return self.store.path(self.key(job)).exists()

    def record(self, job: Job) -> Record:
        """The job's record: this session's, else the store's, else made now under the key's lock.

        Raises RolloutError; a job that failed once in this session fails again at once.
        """
        name = self.key(job)
        if name in self.done:
            return self.done[name].record
        if name in self._failures:
            raise RolloutError(f"{job} failed before: {self._failures[name]}") from self._failures[name]
        record = self.store.get(name)
        started, made = time.perf_counter(), False
        if record is None:
            with self.store.lock(name):
                record = self.store.get(name)
                if record is None:
                    record, made = self.store.put(name, self._make(job, name)), True
        self.done[name] = Done(job, record, not made, time.perf_counter() - started)
        return record

    def _make(self, job: Job, name: str) -> xr.Dataset:
        try:
            return self._data(job, name)
        except torch.cuda.OutOfMemoryError as error:
            failure = RolloutError(f"{job}: out of GPU memory on {self.device}: {error}")
        except Exception as error:
            failure = RolloutError(f"{job}: {type(error).__name__}: {error}")
            failure.__cause__ = error
        finally:
            _free()
        self._failures[name] = failure
        raise failure

    def _data(self, job: Job, name: str) -> xr.Dataset:
        """What the record will hold; every predicted frame goes beside it if the job asks for it."""
        surrogate = self.surrogate(job.model) if job.model else None
        window = job.window
        kept: AbstractContextManager[WriteFrame | None] = nullcontext()
        if job.keep_fields:
            shape = (window.steps + 1, window.simulation.layout.n_channels, *window.simulation.shape)
            kept = self.store.write_fields(name, shape, window.simulation.layout.channels)
        with kept as write:

            def on_frame(step: int, frame: Tensor) -> None:
                if write is not None:
                    write(step, frame.float().cpu().numpy())
                self._on_step(job, step, window.steps)

            return makers.make(job, surrogate, self.device, on_frame)


def _free() -> None:
    """Failed frames keep tensors alive through traceback cycles; collect them before the next job."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
