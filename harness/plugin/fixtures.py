"""What a property test can ask for: `case`, `criterion`, `record`, `readings`, `records`,
`ensemble`, `protocol`, `judge` and `note`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping

import pytest

from harness.jobs import Request
from harness.plan import Case
from harness.plugin import session as sessions
from harness.plugin.collection import case_of, entry_name, property_of, suite_of
from harness.plugin.finding import Judge, finding_of
from harness.plugin.session import Session
from harness.properties import Property
from harness.record import Record
from harness.statistics import Ensemble
from harness.surrogates.base import STOCHASTIC
from harness.truth.protocols import Protocol
from harness.truth.window import Simulation

#: needs of a property that its data meets by boundaries, not by a field
BOUNDARIES = frozenset({"periodic", "closed"})


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    """The model, window and criterion of this test case."""
    return request.param


@pytest.fixture
def declaration(request: pytest.FixtureRequest) -> Property:
    """What this test declares."""
    declared = property_of(request.node)
    assert declared is not None
    return declared


@pytest.fixture
def criterion(case: Case) -> str:
    """The criterion that this test case judges."""
    return case.criterion


@pytest.fixture
def physics(request: pytest.FixtureRequest) -> Session:
    """The run: plan, engine, options."""
    return sessions.of(request.config)


@pytest.fixture
def protocol(case: Case, physics: Session) -> Protocol:
    """The recipe the window comes from."""
    return next(p for p in physics.plan.protocols if p.name == case.protocol)


@pytest.fixture
def record(
    request: pytest.FixtureRequest, declaration: Property, case: Case, physics: Session
) -> Record:
    """The record that the property declares to read, for this case.

    Skips, as not applicable, where the data lacks a field or the model a trait.
    """
    assert case.window is not None
    _require(declaration, case, physics, case.window.simulation)
    (found,) = _read(request.node, declaration.requests(case.criterion), case, physics)
    return found


class Readings(Mapping[Request, Record]):
    """The records that a property declares to read for one case, each made when it is looked up.

    A request that means nothing for the case's data (the solver, on data of others) is not there.
    """

    def __init__(self, item: pytest.Item, requests: tuple[Request, ...], case: Case, run: Session):
        assert case.window is not None
        self._requests = tuple(r for r in requests if r.applies(case.window))
        self._item, self._case, self._run = item, case, run

    def __getitem__(self, request: Request) -> Record:
        if request not in self._requests:
            raise KeyError(f"this property does not declare to read {request}")
        (found,) = _read(self._item, (request,), self._case, self._run)
        return found

    def __iter__(self) -> Iterator[Request]:
        return iter(self._requests)

    def __len__(self) -> int:
        return len(self._requests)


@pytest.fixture
def readings(
    request: pytest.FixtureRequest, declaration: Property, case: Case, physics: Session
) -> Readings:
    """For a property of one window that reads several records: readings[rollout(draw=1)].

    Skips as `record` does.
    """
    assert case.window is not None
    _require(declaration, case, physics, case.window.simulation)
    return Readings(request.node, declaration.requests(case.criterion), case, physics)


@pytest.fixture
def records(
    request: pytest.FixtureRequest, declaration: Property, case: Case, physics: Session
) -> list[tuple[Case, Record]]:
    """For a population property: the record of every window of the model and protocol.

    Of a pooled one: of every window of the run on the protocol's simulations.
    """
    plan = physics.plan
    windows = [(case.protocol, window) for window in plan.windows[case.protocol]]
    if declaration.pooled:
        if (other := plan.pooled_with(case.protocol)) is not None:
            pytest.skip(f"not applicable: {other} has the same simulations, and pools their windows")
        windows = plan.pool(case.protocol)
    _require(declaration, case, physics, windows[0][1].simulation)
    found = []
    for protocol, window in windows:
        one = Case(case.model, protocol, window, case.criterion)
        (read,) = _read(request.node, declaration.requests(case.criterion), one, physics)
        found.append((one, read))
    return found


@pytest.fixture
def ensemble(case: Case, physics: Session) -> Ensemble:
    """Truth of all simulations with this window's parameters: the source of widths."""
    return physics.ensemble(case)


@pytest.fixture
def judge(request: pytest.FixtureRequest, declaration: Property, case: Case, physics: Session) -> Judge:
    """Call it once: judge(figure, at_most=limit, unit="D")."""
    item = request.node
    finding = finding_of(item)
    finding.entry = physics.expectation(case, suite_of(item), entry_name(item, case))
    name = declaration.name + (f"[{case.criterion}]" if case.criterion else "")
    gating = bool(request.config.getoption("against"))
    # What a population test would find by chance is what its p says.
    proven = declaration.population or case.criterion in declaration.controls
    return Judge(name, finding, _diverged_at(request), gating, proven)


@pytest.fixture
def note(request: pytest.FixtureRequest) -> dict[str, float | str | None]:
    """Figures recorded beside the verdict: note["persistence"] = 0.33."""
    return finding_of(request.node).values


def _diverged_at(request: pytest.FixtureRequest) -> int | None:
    if "record" not in request.fixturenames:
        return None
    record: Record = request.getfixturevalue("record")
    return record.diverged_at


def _require(declaration: Property, case: Case, physics: Session, simulation: Simulation) -> None:
    if lacking := sorted(declaration.needs - simulation.offers):
        fields = [name for name in lacking if name not in BOUNDARIES]
        because = [f"the data has no {', '.join(fields)}"] if fields else []
        because += [_unlike(name, simulation) for name in lacking if name in BOUNDARIES]
        pytest.skip(f"not applicable: {'; '.join(because)}")
    traits, asked = physics.engine.identity(case.model).traits, declaration.asks[case.criterion]
    if not physics.plan.options.seeded and STOCHASTIC in asked & traits:
        pytest.skip("not applicable: this run draws no random numbers (--draw none)")
    lacking = sorted(asked - traits)
    if lacking:
        pytest.skip(f"not applicable: {case.model.label} lacks the trait {', '.join(lacking)}")


def _unlike(name: str, simulation: Simulation) -> str:
    """Why a box is not periodic, or not closed."""
    if set(simulation.boundaries) == {"periodic"}:
        return f"the cells are not cubic (spacing {', '.join(f'{h:g}' for h in simulation.spacing)})"
    return f"the box is not {name} (boundaries {', '.join(simulation.boundaries)})"


def _read(
    item: pytest.Item, requests: tuple[Request, ...], case: Case, physics: Session
) -> list[Record]:
    found = physics.records(requests, case)
    known = finding_of(item).records
    known += [record.key for record in found if record.key not in known]
    return found


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """A property test that ends well must have judged or recorded something."""
    result = yield
    if case_of(pyfuncitem) is not None:
        finding = finding_of(pyfuncitem)
        if finding.verdict is None and not finding.values:
            raise RuntimeError("this property judged nothing: call judge(...) once")
    return result
