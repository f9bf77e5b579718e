"""Reference surrogates: what no model at all, and a perfect one, would score.

`oracle` and `solver` must pass whatever applies to them; `stranger` is perfect but decorrelated,
and so measures false alarms, which the other two cannot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from torch import Tensor

from harness.fields import MHD, FieldLayout
from harness.stepping import Draw, Stepper
from harness.surrogates.base import TRAITS, Surrogate, Weightless
from harness.truth.files import EMBEDDED
from harness.truth.well import Frames
from harness.truth.window import Simulation, Window


def _digest(*parts: object) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()


class Persistence(Weightless):
    """The last input frame, for ever: the error to beat at step 1."""

    traits = TRAITS

    def begin(self, window: Window, draw: Draw) -> Stepper:
        """Gives the newest frame of the history back."""
        return lambda history, step: history[-1].clone()

    def fingerprint(self) -> str:
        """There is one persistence."""
        return _digest("persistence")


class Replay(Weightless):
    """Frames of the truth instead of a prediction; answers to nothing, computes in no precision.

    simulation(window) -> the simulation whose frames are shown: the window's own (`oracle`) or
    another one (`stranger`).  Subclasses alter the frames (`harness.surrogates.controls`).
    """

    traits: frozenset[str] = frozenset()

    def simulation(self, window: Window) -> Simulation:
        """Whose frames are shown."""
        return window.simulation

    def begin(self, window: Window, draw: Draw) -> Stepper:
        """Reads the frame that belongs to the step."""
        simulation = self.simulation(window)

        def step_to(history: Tensor, step: int) -> Tensor:
            # Opened per step: a stepper may be dropped at any time, and an open file with it.
            with Frames(simulation, self.fields) as frames:
                return frames.read(window.frame(step)).to(self._device, self._dtype)

        return step_to

    def fingerprint(self) -> str:
        """The class says it all: the data id is part of the record's key."""
        return _digest(type(self).__qualname__)


class Stranger(Replay):
    """A perfect, decorrelated surrogate: the same steps of another simulation, equal parameters.

    shift: distance in the list of simulations that share the window's parameters (cyclic).
    """

    def __init__(self, fields: FieldLayout, simulations: Sequence[Simulation], shift: int = 1) -> None:
        super().__init__(fields)
        self._simulations, self._shift = tuple(simulations), shift

    def simulation(self, window: Window) -> Simulation:
        """The simulation `shift` places on; ValueError if there is no other one."""
        kin = [s for s in self._simulations if s.parameters == window.simulation.parameters]
        other = kin[(kin.index(window.simulation) + self._shift) % len(kin)]
        if other == window.simulation:
            raise ValueError(
                f"stranger needs a second simulation with the parameters of "
                f"{window.simulation.name}, there are {len(kin)}"
            )
        return other

    def fingerprint(self) -> str:
        """The other simulations' data ids and the shift."""
        return _digest("stranger", self._shift, *(s.data_id for s in self._simulations))


class EmbeddedSolver(Weightless):
    """The embedded truth's own integrator, restarted from every stored frame."""

    traits = TRAITS

    def __init__(self) -> None:
        super().__init__(MHD)

    def begin(self, window: Window, draw: Draw) -> Stepper:
        """One frame spacing of the solver per step."""
        from harness.truth.simulate import stored_solver

        if window.simulation.dataset != EMBEDDED:
            raise ValueError("solver integrates the embedded truth only (protocol `simulated`)")
        solver = stored_solver(window.simulation.shape, self._device, self._dtype)
        return lambda history, step: solver(history[-1])

    def fingerprint(self) -> str:
        """Settings and version of the solver."""
        from harness.truth.simulate import solver_id

        return solver_id()


#: name -> surrogate, given the simulations of the protocol
LOADERS: dict[str, Callable[[Sequence[Simulation]], Surrogate]] = {
    "persistence": lambda simulations: Persistence(simulations[0].layout),
    "oracle": lambda simulations: Replay(simulations[0].layout),
    "solver": lambda simulations: EmbeddedSolver(),
    "stranger": lambda simulations: Stranger(simulations[0].layout, simulations),
}


def load(name: str, simulations: Sequence[Simulation]) -> Surrogate:
    """The reference called `name`; `stranger:K` is the simulation K places on.

    Raises ValueError where K is no whole number from 1 on.
    """
    kind, colon, places = name.partition(":")
    if not colon:
        return LOADERS[kind](simulations)
    if not places.isdecimal() or int(places) < 1:
        raise ValueError(f"{name!r}: after the colon comes a whole number from 1 on, as in stranger:2")
    return Stranger(simulations[0].layout, simulations, int(places))
