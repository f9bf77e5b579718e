"""Negative controls: surrogates made from truth with one planted fault each.

A property that no control can make fail proves nothing, and a control that trips a property it
does not break shows a false alarm.  So each control names what it must trip and what it may:
`fires` <= tripped <= `fires` | `implies`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.suggest import unknown
from harness.surrogates.base import Surrogate
from harness.surrogates.controls import faults
from harness.surrogates.controls.replays import Fault, Faulty, FaultyArithmetic
from harness.truth.window import Simulation


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


def _control(
    name: str,
    summary: str,
    fault: Fault,
    fires: Sequence[str],
    implies: Sequence[str] = (),
    kind: type[Faulty] = Faulty,
) -> tuple[str, Control]:
    def make(simulations: Sequence[Simulation]) -> Surrogate:
        return kind(simulations[0].layout, name, fault)

    return name, Control(summary, frozenset(fires), frozenset(implies), make)


CONTROLS: Mapping[str, Control] = dict([])


def load(name: str, simulations: Sequence[Simulation]) -> Surrogate:
    """The control called `name`; ModelError, with the nearest names, if there is none."""
    # The registry lists the controls, so it cannot be imported before them.
    from harness.surrogates.registry import ModelError

    if name not in CONTROLS:
        raise ModelError(unknown("control", name, CONTROLS))
    return CONTROLS[name].make(simulations)
