"""All of a comparison: facts per case, counts per criterion, survival, and inference beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from harness.comparison import pairing
from harness.comparison.changes import CHANGES, Change, change
from harness.comparison.inference import Inference, decide, infer, infer_values
from harness.comparison.sides import Key, Side
from harness.judging import step_of
from harness.results import TestResult, Verdict
from harness.statistics.survival import first_violation, logrank


class _Model(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="strings", extra="forbid", frozen=True)


class Party(_Model):
    """One side: its label in the tables, the model, and where it comes from."""

    label: str
    model: str
    source: str


class Figure(_Model):
    """One side's figure of a case, where its margin is worst."""

    figure: float
    limit: float | None
    margin: float | None
    step: int | None
    where: str | None


class Case(_Model):
    """One criterion on one window, on both sides.

    difference: figure after minus before, None where one is missing or both diverge.
    change: None where there is nothing to compare; reason says why.
    noted: values that both sides note beside the figure, before and after.
    """

    simulation: str | None
    window: int | None
    before: Figure | None
    after: Figure | None
    difference: float | None
    change: Change | None
    reason: str
    noted: dict[str, tuple[float | str | None, float | str | None]] = {}


class Criterion(_Model):
    """All cases of one criterion under one protocol, and what they say of other simulations."""

    protocol: str
    property: str
    criterion: str
    unit: str
    statement: str
    cases: tuple[Case, ...]
    inference: Inference

    def title(self) -> str:
        """`div_b_ratio[spectral]`."""
        return f"{self.property}[{self.criterion}]" if self.criterion else self.property

    def counts(self) -> dict[Change, int]:
        """How many cases changed in each way."""
        found = Counter(case.change for case in self.cases)
        return {name: found[name] for name in CHANGES}


class Survival(_Model):
    """First step that violates bounded_rollout, per window: before, after; None if none does.

    p: log-rank test over simulations, None below 8 of them.
    """

    protocol: str
    horizon: int
    ends: dict[str, tuple[int | None, int | None]]
    p: float | None


class Comparison(_Model):
    """One side against the reference."""

    reference: Party
    other: Party
    worse_than: float
    criteria: tuple[Criterion, ...]
    survival: tuple[Survival, ...] = ()
    only_reference: int = 0
    only_other: int = 0
    notes: tuple[str, ...] = ()

    def counts(self) -> dict[Change, int]:
        """How many cases changed in each way."""
        tallies = [criterion.counts() for criterion in self.criteria]
        return {name: sum(tally[name] for tally in tallies) for name in CHANGES}


class Comparisons(_Model):
    """Several sides, each against the first: what `--json` writes.

    failed: whether any case changed in a way of `fail_on`.
    """

    schema_version: Literal[1] = 1
    fail_on: tuple[Change, ...]
    failed: bool
    comparisons: tuple[Comparison, ...]


def compare(reference: Side, other: Side, worse_than: float) -> Comparison:
    """What became of every case between two sides.

    worse_than: relative change of a figure that counts, 0.05 for 5 %.  Raises CompareError where
    the sides are unlike.
    """
    keys = pairing.common(reference, other)
    groups: dict[tuple[str, str, str], list[Key]] = {}
    for key in keys:
        groups.setdefault(key[:3], []).append(key)
    criteria = {
        " ".join(group): _criterion(group, own, reference, other, worse_than)
        for group, own in groups.items()
        if any(side.tests[k].outcome != "recorded" for k in own for side in (reference, other))
    }
    decided = decide({name: one.inference for name, one in criteria.items()})
    return Comparison(
        reference=_party(reference),
        other=_party(other),
        worse_than=worse_than,
        criteria=tuple(
            one.model_copy(update={"inference": decided[name]}) for name, one in criteria.items()
        ),
        survival=tuple(
            found
            for protocol in dict.fromkeys(key.protocol for key in keys)
            if (found := _survival(protocol, keys, reference, other)) is not None
        ),
        only_reference=len(reference.tests) - len(keys),
        only_other=len(other.tests) - len(keys),
        notes=tuple(_notes(keys, reference, other)),
    )


def _party(side: Side) -> Party:
    source = f"{side.source}, {side.detail}" if side.detail else side.source
    return Party(label=side.label, model=side.model, source=source)


def _criterion(
    group: tuple[str, str, str],
    keys: Sequence[Key],
    reference: Side,
    other: Side,
    worse_than: float,
) -> Criterion:
    tests = [(reference.tests[key], other.tests[key]) for key in keys]
    judged = [
        (key.simulation, before.verdict, after.verdict)
        for key, (before, after) in zip(keys, tests, strict=True)
        if key.simulation and before.verdict and after.verdict
    ]
    verdicts = [test.verdict for pair in tests for test in pair if test.verdict]
    cases = tuple(
        _case(key, before, after, reference, other, worse_than)
        for key, (before, after) in zip(keys, tests, strict=True)
    )
    return Criterion(
        protocol=group[0],
        property=group[1],
        criterion=group[2],
        unit=next((v.unit for v in verdicts if v.unit), ""),
        statement=next((t.statement for pair in tests for t in pair if t.statement), ""),
        cases=cases,
        inference=infer(judged) if judged else infer_values(most_noted(cases)[1]),
    )


def most_noted(cases: Sequence[Case]) -> tuple[str, list[tuple[str, float, float]]]:
    """The number that most cases note on both sides: its name, (simulation, before, after) of each."""
    values: dict[str, list[tuple[str, float, float]]] = {}
    for case in cases:
        for name, (before, after) in case.noted.items():
            if case.simulation and isinstance(before, float) and isinstance(after, float):
                values.setdefault(name, []).append((case.simulation, before, after))
    return max(values.items(), key=lambda item: len(item[1]), default=("", []))


def _case(
    key: Key,
    before: TestResult,
    after: TestResult,
    reference: Side,
    other: Side,
    worse_than: float,
) -> Case:
    facts = [
        test.baseline
        for side, test in ((reference, before), (other, after))
        if side.recorded and test.baseline and test.baseline.facts
    ]
    found = change(before, after, facts[0] if facts else None, worse_than)
    figures = _figure(before.verdict), _figure(after.verdict)
    difference = None
    if before.verdict and after.verdict:
        moved = after.verdict.figure - before.verdict.figure
        difference = moved if moved == moved else None  # two divergences: NaN
    shared = [n for n in facts[0].facts if n in before.values and n in after.values] if facts else []
    return Case(
        simulation=key.simulation,
        window=key.window,
        before=figures[0],
        after=figures[1],
        difference=difference,
        change=found.change,
        reason=found.reason,
        noted={n: (before.values.get(n), after.values.get(n)) for n in shared},
    )


def _figure(verdict: Verdict | None) -> Figure | None:
    if verdict is None:
        return None
    return Figure(
        figure=verdict.figure,
        limit=verdict.limit,
        margin=verdict.margin,
        step=step_of(verdict),
        where=verdict.where,
    )


def _survival(protocol: str, keys: Sequence[Key], reference: Side, other: Side) -> Survival | None:
    """When the rollouts leave their bounds, where both sides hold the curves."""
    ends: dict[str, tuple[int | None, int | None]] = {}
    first: dict[str, list[tuple[int | None, int | None]]] = {}
    horizon = 0
    for key in keys:
        if (key.protocol, key.property) != (protocol, "bounded_rollout"):
            continue
        verdicts = reference.tests[key].verdict, other.tests[key].verdict
        if not all(v is not None and v.steps for v in verdicts):
            return None
        pair = tuple(first_violation(v.steps, v.curve, v.limit_curve) for v in verdicts if v)
        ends[f"{key.simulation}-w{key.window}"] = (pair[0], pair[1])
        first.setdefault(str(key.simulation), []).append((pair[0], pair[1]))
        horizon = max(horizon, *(v.steps[-1] for v in verdicts if v))
    if not ends:
        return None
    p = logrank(_earliest(first, 0), _earliest(first, 1), horizon)
    return Survival(protocol=protocol, horizon=horizon, ends=ends, p=p)


def _earliest(
    windows: Mapping[str, Sequence[tuple[int | None, int | None]]], side: int
) -> list[int | None]:
    """Per simulation the end of one side: it lasts until the first of its windows fails."""
    ends = [[pair[side] for pair in pairs] for pairs in windows.values()]
    return [min((end for end in own if end is not None), default=None) for own in ends]


def _notes(keys: Sequence[Key], reference: Side, other: Side) -> list[str]:
    notes = []
    for key in keys:
        bases = [t.verdict.basis for t in (reference.tests[key], other.tests[key]) if t.verdict]
        if len(bases) == 2 and all(bases) and bases[0] != bases[1] and "truth frames" in bases[0]:
            notes.append(
                f"limits of {key.property} have unlike sources ({bases[0]}; {bases[1]}): "
                "margins are compared, each against its own"
            )
    missing = [p for p in reference.conditions if p not in other.conditions]
    missing += [p for p in other.conditions if p not in reference.conditions]
    notes += [f"protocol {name} is on one side only, and left out" for name in missing]
    return list(dict.fromkeys(notes))
