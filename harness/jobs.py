"""Jobs: what a test reads, described by small frozen values.

A test declares requests (`reads=[rollout()]`); bound to a model and a window they become jobs.
A job holds no tensors; `harness.keys` says what its record is named by.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from harness.probes import growth
from harness.probes.noise import InputNoise
from harness.probes.symmetry import expected_number
from harness.stepping import Draw
from harness.surrogates.spec import ModelSpec
from harness.truth.files import EMBEDDED
from harness.truth.window import Simulation, Window

Kind = Literal["truth", "rollout", "twin", "audit", "branch", "equivariance", "growth_rate"]
Probe = Literal["equivariance", "growth_rate"]

#: The truth's own integrator, which a property can read as a reference.
SOLVER = ModelSpec("solver")


@dataclass(frozen=True)
class Request:
    """What a test wants to read, for whatever case it is run on."""

    kind: Kind
    draw: int = 0
    noise: float = 0.0
    symmetry: str = ""
    solver: bool = False

    def applies(self, window: Window) -> bool:
        """Whether there is such a thing: the solver integrates the embedded truth only."""
        return not self.solver or window.simulation.dataset == EMBEDDED


def rollout(draw: int = 0) -> Request:
    """The surrogate against the truth, over the whole window."""
    return Request("rollout", draw)


def twin() -> Request:
    """The surrogate in float32 against itself in float64, in lockstep with the same draws."""
    return Request("twin")


def audit() -> Request:
    """Operators below double precision in one float64 step."""
    return Request("audit")


def branch(draw: int = 0, noise: float = 0.0, symmetry: str = "") -> Request:
    """The surrogate alone, from a varied start or with another draw: means and variances only.

    draw: number of the model's draw; the rollout's own is 0.  noise: standard deviation of white
    noise on the input frames, in units of each channel's sigma, of the seed `draw`'s number names
    where only the noise is varied.  symmetry: a family of `probes.symmetry`: start from the input
    turned by the first symmetry of that family.
    """
    return Request("branch", draw, noise, symmetry)


def probe(kind: Probe) -> Request:
    """An experiment on the surrogate, see `harness.probes`."""
    return Request(kind)


def of_solver(request: Request) -> Request:
    """The same of the truth's own integrator; read where there is one, on the embedded truth."""
    return replace(request, solver=True)


@dataclass(frozen=True)
class Job:
    """One thing to compute.  `model` is None for a truth record.

    noise, symmetry: what was done to the input frames first.
    """

    kind: Kind
    window: Window
    model: ModelSpec | None = None
    precision: str = "fp32"
    draw: Draw = field(default_factory=Draw)
    keep_fields: bool = False
    noise: InputNoise | None = None
    symmetry: str = ""

    def __str__(self) -> str:
        simulation = f"{self.window.simulation.dataset}/{self.window.simulation.name}"
        if self.model is None:
            return f"{self.kind} {simulation}"
        varied = [
            *([f"draw {self.draw.seed}"] if self.draw.seed else []),
            *([f"noise {self.noise.scale:g}"] if self.noise else []),
            *([self.symmetry] if self.symmetry else []),
        ]
        kind = f"{self.kind} ({', '.join(varied)})" if varied else self.kind
        return f"{kind} {self.model.label} on {simulation}-w{self.window.index}"

    @property
    def forwards(self) -> int:
        """Evaluations of the model that the job takes, about: a derivative counts as two."""
        steps = self.window.steps
        return {
            "truth": 0,
            "rollout": steps,
            "twin": 2 * steps,
            "audit": 1,
            "branch": steps,
            "equivariance": 1 + expected_number(self.window.simulation.layout),
            "growth_rate": 2 * min(growth.ITERATIONS, steps),
        }[self.kind]


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
    noise = InputNoise(request.noise) if request.noise else None
    job = Job(request.kind, window, SOLVER if request.solver else model, precision, draw)
    job = replace(job, noise=noise, symmetry=request.symmetry)
    if request.kind == "rollout":
        return replace(job, keep_fields=keep_fields)
    # A twin steps fp32 and fp64 whatever the run's precision is; an audit is float64 by definition.
    fixed = {"twin": "fp32+fp64", "audit": "fp64"}
    return replace(job, precision=fixed.get(request.kind, precision))
