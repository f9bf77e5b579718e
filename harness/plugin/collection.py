"""Collection: which cases a property is judged on, in which order, and which may fail."""

from __future__ import annotations

import pytest

from harness import cost
from harness.judging import Violation, describe_entry
from harness.plan import Case
from harness.plugin import session as sessions
from harness.properties import Cost, Property, declared

CASE = "case"
COSTS: dict[Cost, str] = {
    "cheap": "reads what every run makes",
    "moderate": "takes about another rollout",
    "expensive": "takes several rollouts",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test case per model, window and criterion of a declared property."""
    declaration = declared(metafunc.function)
    if declaration is None:
        return
    plan = sessions.of(metafunc.config).plan
    cases = plan.cases(declaration.criteria, declaration.population, declaration.windows)
    if CASE not in metafunc.fixturenames:
        metafunc.fixturenames.append(CASE)
    metafunc.parametrize(CASE, cases, indirect=True, ids=str)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the classes of cost as markers."""
    for marker, meaning in COSTS.items():
        config.addinivalue_line("markers", f"{marker}: a physical property that {meaning}")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a property with its class of cost, before `-m` selects."""
    declaration = property_of(item)
    if declaration is not None:
        item.add_marker(declaration.cost)


def case_of(item: pytest.Item) -> Case | None:
    """The case of a property's item, None for an ordinary test."""
    callspec = getattr(item, "callspec", None)
    value = callspec.params.get(CASE) if callspec is not None else None
    return value if isinstance(value, Case) else None


def property_of(item: pytest.Item) -> Property | None:
    """The declaration behind an item."""
    return declared(getattr(item, "function", None))


def suite_of(item: pytest.Item) -> str:
    """Stem of the item's module: the name of its baseline file."""
    return item.path.stem


def entry_name(item: pytest.Item, case: Case) -> str:
    """Name of an item's baseline entry: without model and protocol, which name the folder."""
    place = str(case).removeprefix(f"{case.model.label}:{case.protocol}").removeprefix("/")
    function = getattr(item, "originalname", item.name)
    return f"{function}[{place.removeprefix(':')}]" if place else str(function)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort by rollout, model by model, populations last; mark what baselines expect to fail."""
    if not any(case_of(item) for item in items):
        return
    session = sessions.of(config)
    rank = {case.group: i for i, case in enumerate(session.plan.every_case())}

    def order(item: pytest.Item) -> int:
        case = case_of(item)
        return rank[case.group] if case else -1

    items.sort(key=order)
    gating = bool(config.getoption("against"))
    for item in items:
        case = case_of(item)
        if case is None:
            continue
        entry = session.expectation(case, suite_of(item), entry_name(item, case))
        if entry is not None and entry.verdict != "passed":
            # Strict, so that a repaired failure is noticed; a published baseline that holds no
            # figure expects nothing, and under --against a repair is good news.
            strict = entry.verdict == "violated" and not gating
            item.add_marker(
                pytest.mark.xfail(
                    strict=strict, raises=Violation, reason=f"baseline: {describe_entry(entry)}"
                )
            )


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """With --collect-only -v: what the run would cost."""
    cases = [(p, c) for i in items if (c := case_of(i)) is not None and (p := property_of(i))]
    if not (config.option.collectonly and config.option.verbose > 0 and cases):
        return []
    run = sessions.of(config)
    engine = run.engine
    rows = cost.estimate(run.plan, cases, lambda m: engine.identity(m).traits, engine.is_stored)
    header, cells = cost.table(rows)
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (header, *cells)
    ]
