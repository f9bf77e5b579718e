"""What a control is, and the three ways to make one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from harness.surrogates.base import Surrogate
from harness.surrogates.controls import dynamics
from harness.surrogates.controls.replays import Fault, Faulty
from harness.truth.window import Simulation

# What becomes of a state that is moved about instead of stepped on.
_STILL = ("step1_vrmse", "liveness")


@dataclass(frozen=True)
class Control:
    """One broken surrogate.

    summary: what is wrong with it, in one line.
    fires: the criteria it violates, `property` or `property[criterion]`, on every window.
    implies: criteria that a violation of those entails, or may entail.
    make: the surrogate, given the simulations of the protocol.
    """

    summary: str
    fires: frozenset[str]
    implies: frozenset[str]
    make: Callable[[Sequence[Simulation]], Surrogate]


def faulty(
    name: str,
    summary: str,
    fault: Fault,
    fires: Iterable[str],
    implies: Iterable[str] = (),
    kind: type[Faulty] = Faulty,
) -> tuple[str, Control]:
    """The truth with a fault, see `faults`."""

    def make(simulations: Sequence[Simulation]) -> Surrogate:
        return kind(simulations[0].layout, name, fault)

    return name, Control(summary, frozenset(fires), frozenset(implies), make)


def answering(
    name: str,
    summary: str,
    answer: dynamics.Answer,
    fires: Iterable[str],
    implies: Iterable[str] = (),
) -> tuple[str, Control]:
    """The truth, for as long as it is given the truth."""

    def make(simulations: Sequence[Simulation]) -> Surrogate:
        return dynamics.Answering(simulations[0].layout, name, answer)

    return name, Control(summary, frozenset(fires), frozenset(implies), make)


def moving(
    name: str,
    summary: str,
    kind: type[dynamics.Moving],
    fires: Iterable[str],
    implies: Iterable[str] = (),
) -> tuple[str, Control]:
    """A state that is moved about: no forecast, and most of it does not change."""

    def make(simulations: Sequence[Simulation]) -> Surrogate:
        return kind(simulations[0].layout)

    return name, Control(summary, frozenset(fires), frozenset((*implies, *_STILL)), make)
