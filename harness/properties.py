"""How a physical property is declared: a decorator that only describes, and knows no pytest.

    @property_test(reads=[rollout()], needs={"magnetic_field"}, criteria=("spectral", "stencil"))
    def test_div_b_ratio(record, criterion, judge): ...

The plugin runs the function once per model, window and criterion.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from harness.jobs import Request

ATTRIBUTE = "__harness_property__"
Function = TypeVar("Function", bound=Callable[..., None])


@dataclass(frozen=True)
class Property:
    """A physical statement and what is needed to judge it.

    name: the function's name without `test_`.  statement: first paragraph of its docstring.
    formula: the other paragraphs, which say how the statistic is computed.
    reads: criterion -> the records its test case reads.
    needs: fields the data must have.  asks: traits the model must have.
    criteria: one test case, and one baseline entry, for each; ("",) for a single criterion.
    population: judged once per model and protocol, over all its windows.
    """

    name: str
    statement: str
    formula: str
    reads: Mapping[str, tuple[Request, ...]]
    needs: frozenset[str]
    asks: frozenset[str]
    criteria: tuple[str, ...]
    population: bool

    def requests(self, criterion: str) -> tuple[Request, ...]:
        """What the test case of one criterion reads."""
        return self.reads[criterion]


def property_test(
    *,
    reads: Sequence[Request] | Mapping[str, Sequence[Request]],
    needs: Iterable[str] = (),
    asks: Iterable[str] = (),
    criteria: Sequence[str] = ("",),
    population: bool = False,
) -> Callable[[Function], Function]:
    """Declare a test function as a property; ValueError if it states nothing.

    reads: requests for every criterion alike, or one list per criterion (then `criteria` is left
    out: the keys are the criteria).
    """
    if isinstance(reads, Mapping):
        per_criterion = {name: tuple(requests) for name, requests in reads.items()}
    else:
        per_criterion = {name: tuple(reads) for name in criteria}

    def declare(function: Function) -> Function:
        docstring = inspect.getdoc(function)
        if not docstring:
            raise ValueError(f"{function.__name__}: the docstring is the physical statement")
        statement, _, formula = docstring.partition("\n\n")
        declared = Property(
            name=function.__name__.removeprefix("test_"),
            statement=" ".join(statement.split()),
            formula=" ".join(formula.split()),
            reads=per_criterion,
            needs=frozenset(needs),
            asks=frozenset(asks),
            criteria=tuple(per_criterion),
            population=population,
        )
        setattr(function, ATTRIBUTE, declared)
        return function

    return declare


def declared(function: object) -> Property | None:
    """The declaration of a test function, None for an ordinary test."""
    return getattr(function, ATTRIBUTE, None)
