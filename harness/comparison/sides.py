"""What can be compared: the models of a run, and baselines, measured or published."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from harness.baselines import PUBLISHED, Baseline, BaselineError
from harness.paths import slug
from harness.results import Expectation, Run, TestResult, Verdict, complaint
from harness.suggest import unknown

PREFIX = "published:"


class CompareError(ValueError):
    """Sides that cannot be had, or cannot be compared: says what differs, and how to mend it."""


class Key(NamedTuple):
    """One judged case, the same on every side."""

    protocol: str
    property: str
    criterion: str
    simulation: str | None
    window: int | None


@dataclass(frozen=True, eq=False)
class Side:
    """One model's judged cases.

    label: how it is called among the others.  source: where it comes from, in words; detail: when
    and of which weights, where that is known.
    conditions: protocol -> what both sides must share (steps, precision, draw).
    data: protocol -> digest of the data, where it is known.
    recorded: entries of a baseline instead of a run's results.
    """

    model: str
    label: str
    source: str
    conditions: Mapping[str, Mapping[str, object]]
    data: Mapping[str, str]
    tests: Mapping[Key, TestResult]
    recorded: bool = False
    detail: str = ""


def load(text: str, baselines: Path) -> list[Side]:
    """The sides that `text` names, one per model.

    text: a run folder, RUN:MODEL for one of its models, a baseline folder (BASELINES/MODEL or
    BASELINES/MODEL/PROTOCOL), or the name of a model with a baseline, with or without "published:".
    baselines: the folder of all baselines.  Raises CompareError.
    """
    if text.startswith(PREFIX):
        return [_named(text.removeprefix(PREFIX), baselines)]
    path = Path(text)
    if _is_run(path):
        return _run(path)
    folder, colon, model = text.rpartition(":")
    if colon and _is_run(Path(folder)):
        sides = _run(Path(folder))
        found = [side for side in sides if side.model == model]
        if not found:
            raise CompareError(unknown(f"model of {folder}", model, [side.model for side in sides]))
        return found
    if path.is_dir():
        protocols = [path] if any(path.glob("test_*.json")) else sorted(path.glob("*/"))
        return [_baseline(protocols, path)]
    return [_named(text, baselines)]


def distinct(sides: list[Side]) -> list[Side]:
    """The sides with labels that tell them apart: the source is added where models are alike."""
    models = [side.model for side in sides]
    labelled = [
        replace(side, label=f"{side.model} ({side.source})") if models.count(side.model) > 1 else side
        for side in sides
    ]
    labels = [side.label for side in labelled]
    return [
        replace(side, label=f"{side.label} {number}") if labels.count(side.label) > 1 else side
        for number, side in enumerate(labelled, 1)
    ]


def _is_run(path: Path) -> bool:
    return (path / "results.json").is_file()


def _run(folder: Path) -> list[Side]:
    try:
        run = Run.load(folder)
    except (OSError, ValidationError) as error:
        raise CompareError(complaint(folder, error)) from error
    origin = run.provenance
    conditions = {
        "steps": origin.steps or "protocol",
        "precision": origin.precision,
        "draw": "none" if origin.draws == "none" else "seeded",
    }
    sides = []
    for model in run.models:
        own = [test for test in run.tests if test.model == model.name]
        keyed = {Key(t.protocol, t.property, t.criterion, t.simulation, t.window): t for t in own}
        sides.append(
            Side(
                model=model.name,
                label=model.name,
                source=f"run {run.name}",
                conditions={protocol: conditions for protocol in run.protocols},
                data=origin.data,
                tests=keyed,
            )
        )
    return sides


def _named(name: str, baselines: Path) -> Side:
    folder = baselines / slug(name)
    if not folder.is_dir():
        known = sorted(path.name for path in baselines.glob("*/"))
        raise CompareError(
            f"{unknown('run or baseline', name, known)}; runs are folders under reports/"
        )
    return _baseline(sorted(folder.glob("*/")), folder)


def _baseline(protocols: list[Path], folder: Path) -> Side:
    conditions: dict[str, Mapping[str, object]] = {}
    tests: dict[Key, TestResult] = {}
    model, citations = "", list[str]()
    for path in protocols:
        baseline = Baseline(path.parent.parent, path.parent.name, path.name)
        model = baseline.model
        try:
            if baseline.published is not None:
                citations.append(baseline.published.citation)
            for file in sorted(path.glob("*.json")):
                if file.stem == PUBLISHED:
                    continue
                conditions.setdefault(path.name, baseline.conditions(file.stem) or {})
                for name, entry in baseline.expectations(file.stem).items():
                    test = _test(model, path.name, file.stem, name, entry)
                    tests[_key(test)] = test
        except BaselineError as error:
            raise CompareError(str(error)) from error
    if not tests:
        raise CompareError(
            f"{folder} holds neither a run (results.json) nor a baseline (PROTOCOL/test_*.json)"
        )
    origins = dict.fromkeys(t.baseline.source for t in tests.values() if t.baseline)
    measured = [origin for origin in origins if origin.startswith("measured")]
    detail = measured[0] if len(measured) == 1 else ""
    return Side(model, model, _cited(citations), conditions, {}, tests, recorded=True, detail=detail)


def _cited(citations: list[str]) -> str:
    """The works that a model's protocols cite; each names its own protocol in brackets at its end."""
    works = [text.rpartition(" (")[0] or text for text in citations]
    several = len(set(citations)) > 1
    return "; ".join(dict.fromkeys(works if several else citations)) or "baseline"


def _key(test: TestResult) -> Key:
    return Key(test.protocol, test.property, test.criterion, test.simulation, test.window)


_ENTRY = re.compile(r"test_(?P<property>\w+)(?:\[(?P<place>.*)\])?")
_PLACE = re.compile(r"(?P<simulation>.+)-w(?P<window>\d+)(?::(?P<criterion>.*))?")


def _test(model: str, protocol: str, suite: str, name: str, entry: Expectation) -> TestResult:
    """A baseline's entry as the result of a test: `test_mass[s0-w0]`, `test_x[s0-w0:shape]`."""
    parts = _ENTRY.fullmatch(name)
    if parts is None:
        raise CompareError(f"baseline {model}/{protocol}/{suite}: {name!r} names no test case")
    place = _PLACE.fullmatch(parts["place"] or "")
    return TestResult(
        nodeid=f"suites/{suite}.py::{name}",
        suite=suite,
        property=parts["property"],
        criterion=(place["criterion"] or "") if place else (parts["place"] or ""),
        model=model,
        protocol=protocol,
        simulation=place["simulation"] if place else None,
        window=int(place["window"]) if place else None,
        outcome="expected" if entry.verdict == "violated" else entry.verdict,
        verdict=_verdict(entry),
        values={name: fact.value for name, fact in entry.facts.items()},
        baseline=entry,
    )


def _verdict(entry: Expectation) -> Verdict | None:
    if entry.figure is None or entry.limit is None:
        return None
    unlimited = 0.0 if entry.figure == 0 else math.inf  # the margin where the limit is zero
    return Verdict(
        figure=entry.figure,
        limit=entry.limit,
        margin=entry.figure / entry.limit if entry.limit else unlimited,
        unit="",
        step=entry.step,
        diverged_at=None if math.isfinite(entry.figure) else entry.step,
    )
