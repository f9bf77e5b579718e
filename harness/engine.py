"""Runs jobs: from the store, else under a lock, else rolls out.  One rollout is alive at a time."""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import h5py
import numpy as np
import torch
import xarray as xr

from harness import numerics, probing
from harness.audit import PrecisionAudit
from harness.diagnostics.derived import derive
from harness.diagnostics.measure import Measure
from harness.jobs import Job, key
from harness.probes.moments import Moments
from harness.probing import guide_field
from harness.record import Record, Store
from harness.rollout import (
    Rolled,
    Source,
    input_frames,
    one_step,
    read_truth,
    roll,
    structure_steps,
)
from harness.surrogates import registry
from harness.surrogates.base import STOCHASTIC, Draw, Stepper, Surrogate
from harness.surrogates.registry import ModelSpec
from harness.truth.well import Frames
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
            with numerics.strict(), torch.no_grad():
                return MAKERS[job.kind](self, job)
        except torch.cuda.OutOfMemoryError as error:
            failure = RolloutError(f"{job}: out of GPU memory on {self.device}: {error}")
        except Exception as error:
            failure = RolloutError(f"{job}: {type(error).__name__}: {error}")
            failure.__cause__ = error
        finally:
            _free()
        self._failures[name] = failure
        raise failure

    def _measure(self, job: Job, guide: tuple[float, ...]) -> Measure:
        simulation = job.window.simulation
        dtype = torch.float64 if job.kind == "twin" else torch.float32
        periodic = "periodic" in simulation.offers
        return Measure(
            simulation.layout,
            simulation.shape,
            guide,
            device=self.device,
            dtype=dtype,
            periodic=periodic,
        )

    def _history(self, job: Job, frames: Frames) -> torch.Tensor:
        """The window's input frames, varied as the job says."""
        window, layout = job.window, job.window.simulation.layout
        history = torch.stack([frames.read(window.start + i) for i in range(window.n_history)])
        history = history.to(self.device)
        if job.noise is not None:
            history = job.noise.add(history)
        if job.symmetry:
            history = probing.turn(job.symmetry, window, frames)(history, layout)
        return history

    def _rolled(self, job: Job, frames: Frames, precision: str) -> Rolled:
        assert job.model is not None
        surrogate, names = self.surrogate(job.model), job.model.interventions
        history = self._history(job, frames)
        return Rolled(surrogate, job.window, history, job.draw, precision, names)

    def _one_step(self, job: Job, history: torch.Tensor, draw: Draw) -> Stepper:
        assert job.model is not None
        surrogate, names = self.surrogate(job.model), job.model.interventions
        return one_step(surrogate, job.window, history, draw, job.precision, names)

    def _roll(
        self, job: Job, sources: Sequence[Source], sides: Sequence[str], frames: Frames
    ) -> xr.Dataset:
        steps = job.window.steps
        started = time.perf_counter()
        guide = guide_field(job.window, frames)
        with self._keeper(job) as keep:

            def on_step(step: int, frame: torch.Tensor) -> None:
                keep(step, frame)
                self._on_step(job, step, steps)

            brief = job.kind == "branch"
            layout = job.window.simulation.layout
            measure = Moments(layout) if brief else self._measure(job, guide)
            structure = _structure_steps(job) if measure.structure_variables else ()
            data = roll(sources, sides, steps, measure, on_step, job.kind == "rollout", structure)
        data = self._signed(data, job, guide, started)
        return data if brief else derive(data)

    def _signed(
        self, data: xr.Dataset, job: Job, guide: tuple[float, ...], started: float
    ) -> xr.Dataset:
        """The data with what they are and how they were made."""
        return data.assign_attrs(
            kind=job.kind,
            simulation=job.window.simulation.name,
            model=job.model.label if job.model else "truth",
            precision=job.precision,
            guide=json.dumps(guide),
            token_stride=self._token_stride(job),
            device=str(self.device),
            cells=int(torch.tensor(job.window.simulation.shape).prod()),
            flags=json.dumps(numerics.flags(job.precision)),
            torch=str(torch.__version__),
            seconds=time.perf_counter() - started,
        )

    def _token_stride(self, job: Job) -> int:
        """What the job's model declares, 0 where it declares none (`surrogates.base.Surrogate`)."""
        model = self.surrogate(job.model) if job.model else None
        return getattr(model, "token_stride", None) or 0

    @contextmanager
    def _keeper(self, job: Job) -> Iterator[Callable[[int, torch.Tensor], None]]:
        """Writes every predicted frame of a job beside its record, one by one, if it asks for it."""
        if not job.keep_fields:
            yield lambda step, frame: None
            return
        target = self.store.fields(self.key(job))
        temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
        window = job.window
        shape = (window.steps + 1, window.simulation.layout.n_channels, *window.simulation.shape)
        try:
            with h5py.File(temporary, "w") as file:
                frames = file.create_dataset("frames", shape, "f4", fillvalue=np.nan)
                frames.attrs["channels"] = window.simulation.layout.channels

                def keep(step: int, frame: torch.Tensor) -> None:
                    frames[step] = frame.float().cpu().numpy()

                yield keep
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


def _structure_steps(job: Job) -> Sequence[int]:
    """Every step of a truth record, so that W knows every frame; some of a rollout; none of a twin."""
    steps = job.window.steps
    if job.kind == "truth":
        return range(steps + 1)
    return structure_steps(steps) if job.kind == "rollout" else ()


def _truth(engine: Engine, job: Job) -> xr.Dataset:
    with Frames(job.window.simulation) as frames:
        truth = read_truth(frames, job.window, engine.device, torch.float32)
        return engine._roll(job, [truth], ["truth"], frames)


def _rollout(engine: Engine, job: Job) -> xr.Dataset:
    with Frames(job.window.simulation) as frames:
        dtype = numerics.DTYPES[job.precision]
        truth = read_truth(frames, job.window, engine.device, dtype)
        rolled = engine._rolled(job, frames, job.precision)
        return engine._roll(job, [truth, rolled], ["truth", "prediction"], frames)


def _twin(engine: Engine, job: Job) -> xr.Dataset:
    with Frames(job.window.simulation) as frames:
        double = engine._rolled(job, frames, "fp64")
        single = engine._rolled(job, frames, "fp32")
        sources: list[Source] = [double, lambda step: single(step).double()]
        return engine._roll(job, sources, ["fp64", "fp32"], frames)


def _audit(engine: Engine, job: Job) -> xr.Dataset:
    with Frames(job.window.simulation) as frames:
        rolled = engine._rolled(job, frames, "fp64")
        rolled(0)
        with PrecisionAudit() as seen:
            rolled(1)
    return xr.Dataset(
        {"low_precision_calls": ((), sum(seen.leaks.values())), "calls": ((), seen.calls)},
        attrs={"leaks": json.dumps(dict(seen.leaks)), "kind": "audit"},
    )


def _branch(engine: Engine, job: Job) -> xr.Dataset:
    with Frames(job.window.simulation) as frames:
        rolled = engine._rolled(job, frames, job.precision)
        return engine._roll(job, [rolled], ["prediction"], frames)


def _equivariance(engine: Engine, job: Job) -> xr.Dataset:
    assert job.model is not None
    started = time.perf_counter()
    with Frames(job.window.simulation) as frames:
        surrogate, given = engine.surrogate(job.model), engine._history(job, frames)
        advance, redrawn = engine._one_step(job, given, job.draw), None
        if STOCHASTIC in surrogate.traits and job.draw.seed is not None:
            redrawn = engine._one_step(job, given, Draw(job.draw.seed + 1))
        history = input_frames(surrogate, given, job.precision)
        data = probing.equivariance(job.window, frames, history, advance, redrawn)
        return engine._signed(data, job, guide_field(job.window, frames), started)


def _growth_rate(engine: Engine, job: Job) -> xr.Dataset:
    assert job.model is not None
    started = time.perf_counter()
    with Frames(job.window.simulation) as frames:
        surrogate, given = engine.surrogate(job.model), engine._history(job, frames)
        advance = engine._one_step(job, given, job.draw)
        history = input_frames(surrogate, given, job.precision)
        differentiable = "differentiable" in surrogate.traits
        data = probing.growth_rate(job.window, frames, history, advance, differentiable)
        return engine._signed(data, job, guide_field(job.window, frames), started)


MAKERS: dict[str, Callable[[Engine, Job], xr.Dataset]] = {
    "truth": _truth,
    "rollout": _rollout,
    "twin": _twin,
    "audit": _audit,
    "branch": _branch,
    "equivariance": _equivariance,
    "growth_rate": _growth_rate,
}


def _free() -> None:
    """Failed frames keep tensors alive through traceback cycles; collect them before the next job."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
