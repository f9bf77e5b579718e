"""How a physical property is declared: a decorator that only describes, and knows no pytest.

    @property_test(reads=[rollout()], needs={"magnetic_field"}, criteria=("spectral", "stencil"))
    def test_div_b_ratio(record, criterion, judge): ...

The plugin runs the function once per model, window and criterion.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal, TypeVar

from harness.jobs import Request

ATTRIBUTE = "__harness_property__"
#: how the paragraph of a docstring begins that names the literature
SOURCES = "Sources: "
Function = TypeVar("Function", bound=Callable[..., None])

#: What a property costs beyond the one rollout that every run makes: nothing, about as much as a
#: rollout, or several times as much.  Each is a marker: `pytest suites/ -m "not expensive"`.
Cost = Literal["cheap", "moderate", "expensive"]
#: "all", or only the first of every simulation: the simulation is the statistical unit, and a dear
#: property learns more from another simulation than from another window.
Windows = Literal["all", "first"]


@dataclass(frozen=True, eq=False)
class Property:
    """A physical statement and what is needed to judge it.

    name: the function's name without `test_`.  statement: first paragraph of its docstring.
    formula: the other paragraphs, which say how the statistic is computed, less the literature.
    reads: criterion -> the records its test case reads.
    needs: what the data must offer (`Simulation.offers`): fields, "periodic", "closed".
    asks: criterion -> traits the model must have.
    criteria: one test case, and one baseline entry, for each; ("",) for a single criterion.
    population: judged once per model and protocol, over all its windows.
    pooled: a population's windows are those of all protocols of the run with its simulations.
    windows: of each simulation, that are judged.  cost: class of cost.
    controls: criterion -> the broken surrogate that shows it can fail, in the grammar of `--model`.
        A criterion without one may record figures, but is never judged.
    """

    name: str
    statement: str
    formula: str
    reads: Mapping[str, tuple[Request, ...]]
    needs: frozenset[str]
    asks: Mapping[str, frozenset[str]]
    criteria: tuple[str, ...]
    population: bool
    pooled: bool
    windows: Windows
    cost: Cost
    controls: Mapping[str, str]

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
    pooled: bool = False,
    windows: Windows = "all",
    cost: Cost = "cheap",
    control: str | Mapping[str, str] | None = None,
) -> Callable[[Function], Function]:
    """Declare a test function as a property.

    Raises ValueError if it states nothing, or if nothing shows that it can fail.

    reads: requests for every criterion alike, or one list per criterion (then `criteria` is left
    out: the keys are the criteria).  asks: likewise.
    control: the surrogate that shows that the property can fail, for every criterion alike or by
    criterion, e.g. "control:blow-up" or "my_models.py:Broken".
    """
    if isinstance(reads, Mapping):
        per_criterion = {name: tuple(requests) for name, requests in reads.items()}
    else:
        per_criterion = {name: tuple(reads) for name in criteria}
    if isinstance(asks, Mapping):
        traits = {name: frozenset(asks.get(name, ())) for name in per_criterion}
    else:
        traits = dict.fromkeys(per_criterion, frozenset(asks))
    if isinstance(control, str):
        controls = dict.fromkeys(per_criterion, control)
    else:
        controls = dict(control or {})

    def declare(function: Function) -> Function:
        docstring = inspect.getdoc(function)
        if not docstring:
            raise ValueError(f"{function.__name__}: the docstring is the physical statement")
        if not population and not controls:
            raise ValueError(
                f"{function.__name__}: no control shows that it can fail; name a surrogate that "
                'breaks it, e.g. control="control:blow-up" (`harness models` lists them)'
            )
        if strange := sorted(controls.keys() - per_criterion.keys()):
            raise ValueError(f"{function.__name__}: control of unknown criteria {', '.join(strange)}")
        statement, *rest = docstring.split("\n\n")
        formula = " ".join(part for part in rest if not part.startswith(SOURCES))
        declared = Property(
            name=function.__name__.removeprefix("test_"),
            statement=" ".join(statement.split()),
            formula=" ".join(formula.split()),
            reads=per_criterion,
            needs=frozenset(needs),
            asks=traits,
            criteria=tuple(per_criterion),
            population=population,
            pooled=pooled,
            windows=windows,
            cost=cost,
            controls=controls,
        )
        setattr(function, ATTRIBUTE, declared)
        return function

    return declare


def load(path: Path) -> ModuleType:
    """A test file as a module, its functions without a run; raises what its code raises."""
    spec = importlib.util.spec_from_file_location(f"suite_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def collect(folder: Path) -> list[Property]:
    """The properties that the test files of a folder declare, file by file."""
    found = []
    for path in sorted(folder.glob("test_*.py")):
        found += [p for p in map(declared, vars(load(path)).values()) if p is not None]
    return found


def declared(function: object) -> Property | None:
    """The declaration of a test function, None for an ordinary test."""
    return getattr(function, ATTRIBUTE, None)
