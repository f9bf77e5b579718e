"""How a physical property is declared: a decorator that only describes, and knows no pytest.

    @property_test(reads=[rollout()], needs={"magnetic_field"}, criteria=("spectral", "stencil"))
    def test_div_b_ratio(record, criterion, judge): ...

The plugin runs the function once per model, window and criterion.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from harness.jobs import Request

ATTRIBUTE = "__harness_property__"
Function = TypeVar("Function", bound=Callable[..., None])


@dataclass(frozen=True)
class Property:
    """A physical statement and what is needed to judge it.

    name: the function's name without `test_`.  statement: first paragraph of its docstring.
    reads: the records the test reads, in the order in which `record` delivers them.
    needs: fields the data must have.  asks: traits the model must have.
    criteria: one test case, and one baseline entry, for each; ("",) for a single criterion.
    population: judged once per model and protocol, over all its windows.
    """

    name: str
    statement: str
    reads: tuple[Request, ...]
    needs: frozenset[str]
    asks: frozenset[str]
    criteria: tuple[str, ...]
    population: bool


def property_test(
    *,
    reads: Sequence[Request],
    needs: Iterable[str] = (),
    asks: Iterable[str] = (),
    criteria: Sequence[str] = ("",),
    population: bool = False,
) -> Callable[[Function], Function]:
    """Declare a test function as a property; ValueError if it states nothing."""

    def declare(function: Function) -> Function:
        statement = inspect.getdoc(function)
        if not statement:
            raise ValueError(f"{function.__name__}: the docstring is the physical statement")
        declared = Property(
            name=function.__name__.removeprefix("test_"),
            statement=" ".join(statement.split("\n\n")[0].split()),
            reads=tuple(reads),
            needs=frozenset(needs),
            asks=frozenset(asks),
            criteria=tuple(criteria),
            population=population,
        )
        setattr(function, ATTRIBUTE, declared)
        return function

    return declare


def declared(function: object) -> Property | None:
    """The declaration of a test function, None for an ordinary test."""
    return getattr(function, ATTRIBUTE, None)
