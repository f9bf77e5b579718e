"""How a physical property is declared: a decorator that only describes, and knows no pytest.

    @property_test(reads=[rollout()], needs={"magnetic_field"}, criteria=("spectral", "stencil"))
    def test_div_b_ratio(record, criterion, judge): ...

The plugin runs the function once per model, window and criterion.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from harness.jobs import Request

ATTRIBUTE = "__harness_property__"
Function = TypeVar("Function", bound=Callable[..., None])

#: What a property costs beyond the one rollout that every run makes: nothing, about as much as a
#: rollout, or several times as much.  Each is a marker: `pytest suites/ -m "not expensive"`.
Cost = Literal["cheap", "moderate", "expensive"]
#: "all", or only the first of every simulation: the simulation is the statistical unit, and a dear
#: property learns more from another simulation than from another window.
Windows = Literal["all", "first"]


@dataclass(frozen=True)
class Property:
    """A physical statement and what is needed to judge it.

    name: the function's name without `test_`.  statement: first paragraph of its docstring.
    reads: criterion -> the records its test case reads.
    needs: what the data must offer (`Simulation.offers`): fields, "periodic", "closed".
    asks: criterion -> traits the model must have.
    criteria: one test case, and one baseline entry, for each; ("",) for a single criterion.
    population: judged once per model and protocol, over all its windows.
    windows: of each simulation, that are judged.  cost: class of cost.
    """

    name: str
    statement: str
    reads: Mapping[str, tuple[Request, ...]]
    needs: frozenset[str]
    asks: Mapping[str, frozenset[str]]
    criteria: tuple[str, ...]
    population: bool
    windows: Windows
    cost: Cost

    def requests(self, criterion: str) -> tuple[Request, ...]:
        """What the test case of one criterion reads."""
        return self.reads[criterion]


def property_test(
    *,
    reads: Sequence[Request] | Mapping[str, Sequence[Request]],
    needs: Iterable[str] = (),
    asks: Iterable[str] | Mapping[str, Iterable[str]] = (),
    criteria: Sequence[str] = ("",),
    population: bool = False,
    windows: Windows = "all",
    cost: Cost = "cheap",
) -> Callable[[Function], Function]:
    """Declare a test function as a property; ValueError if it states nothing.

    reads: requests for every criterion alike, or one list per criterion (then `criteria` is left
    out: the keys are the criteria).  asks: likewise.
    """
    if isinstance(reads, Mapping):
        per_criterion = {name: tuple(requests) for name, requests in reads.items()}
    else:
        per_criterion = {name: tuple(reads) for name in criteria}
    if isinstance(asks, Mapping):
        traits = {name: frozenset(asks.get(name, ())) for name in per_criterion}
    else:
        traits = dict.fromkeys(per_criterion, frozenset(asks))

    def declare(function: Function) -> Function:
        statement = inspect.getdoc(function)
        if not statement:
            raise ValueError(f"{function.__name__}: the docstring is the physical statement")
        declared = Property(
            name=function.__name__.removeprefix("test_"),
            statement=" ".join(statement.split("\n\n")[0].split()),
            reads=per_criterion,
            needs=frozenset(needs),
            asks=traits,
            criteria=tuple(per_criterion),
            population=population,
            windows=windows,
            cost=cost,
        )
        setattr(function, ATTRIBUTE, declared)
        return function

    return declare


def declared(function: object) -> Property | None:
    """The declaration of a test function, None for an ordinary test."""
    return getattr(function, ATTRIBUTE, None)
