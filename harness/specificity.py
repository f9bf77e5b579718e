"""Sensitivity and specificity: what the controls of a run tripped, against what they had to.

A *subject* is a surrogate whose verdicts are known beforehand: a broken one must trip what it
`fires` on every window and may trip what it `implies`; `oracle` and `solver` may trip nothing;
`stranger`, the truth of another simulation, is wrong at step 1 and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.paths import slug
from harness.results import Run, TestResult
from harness.summary import name
from harness.surrogates.controls import CONTROLS

#: What a subject does to a criterion: it must trip it on every window, may trip it, or must not.
Duty = Literal["must", "may", "never"]

STRANGER = "stranger"
#: subject -> criteria it must trip, and criteria it may
POSITIVE: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "oracle": (frozenset(), frozenset()),
    "solver": (frozenset(), frozenset()),
    STRANGER: (frozenset(), frozenset({"step1_vrmse"})),
}


@dataclass(frozen=True)
class Cell:
    """One subject under one criterion: the windows it violates, of those that were judged."""

    duty: Duty
    violated: tuple[str, ...]
    judged: tuple[str, ...]

    @property
    def as_it_should(self) -> bool:
        """Whether the subject did what its duty is; true where nothing was judged."""
        if self.duty == "must":
            return len(self.violated) == len(self.judged)
        return self.duty == "may" or not self.violated


@dataclass(frozen=True)
class Matrix:
    """Subjects (rows, controls first) by criteria (columns); a cell that was never judged is absent.

    errors: test cases that gave no figure.
    """

    subjects: tuple[str, ...]
    criteria: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]
    errors: tuple[str, ...]

    def alarms(self) -> tuple[int, int, int, int]:
        """False alarms of the strangers: (alarms, verdicts, simulations with one, simulations)."""
        own = [
            cell
            for (subject, _), cell in self.cells.items()
            if subject.startswith(STRANGER) and cell.duty == "never"
        ]
        fired = [window for cell in own for window in cell.violated]
        judged = [window for cell in own for window in cell.judged]
        return (len(fired), len(judged), len(_simulations(fired)), len(_simulations(judged)))

    def unproven(self) -> list[str]:
        """Criteria that no control had to trip, and tripped: nothing shows that they can fail."""
        fired = {c for (_, c), cell in self.cells.items() if cell.duty == "must" and cell.judged}
        return [criterion for criterion in self.criteria if criterion not in fired]

    def faults(self) -> list[str]:
        """Everything that is not as it should be, a sentence each."""
        wrong = [f"no verdict: {error}" for error in self.errors]
        for (subject, criterion), cell in self.cells.items():
            if cell.as_it_should:
                continue
            if cell.duty == "must":
                silent = sorted(set(cell.judged) - set(cell.violated))
                wrong.append(f"{subject} does not trip {criterion} on {', '.join(silent)}")
            elif not subject.startswith(STRANGER):
                wrong.append(f"{subject} also trips {criterion} on {', '.join(cell.violated)}")
        alarms, judged, *_ = self.alarms()
        if alarms * 200 > judged:
            wrong.append(f"stranger: {alarms} false alarms in {judged} verdicts, 1 in 200 allowed")
            wrong += [
                f"{subject} trips {criterion} on {', '.join(cell.violated)}"
                for (subject, criterion), cell in self.cells.items()
                if subject.startswith(STRANGER) and not cell.as_it_should
            ]
        return wrong + [f"no control shows that {c} can fail" for c in self.unproven()]


def matrix(run: Run) -> Matrix:
    """What the subjects of a run did; tests of other models are left out.

    Raises ValueError where the run holds no subject.
    """
    duties = {slug(f"control:{n}"): (c.fires, c.implies) for n, c in CONTROLS.items()} | dict(POSITIVE)
    found: dict[tuple[str, str], list[TestResult]] = {}
    errors = []
    for test in run.tests:
        if _kind(test.model) not in duties:
            continue
        if test.outcome in ("error", "missing"):
            errors.append(test.nodeid)
        elif test.verdict is not None:
            found.setdefault((test.model, name(test)), []).append(test)
    if not found and not errors:
        raise ValueError(
            f"run {run.name} judges no control; make one with: "
            'pytest suites/ --no-baselines --model "control:*,oracle,solver,stranger"'
        )
    subjects = sorted({subject for subject, _ in found}, key=lambda s: (_kind(s) in POSITIVE, s))
    criteria = tuple(dict.fromkeys(criterion for _, criterion in found))
    cells = {
        (subject, criterion): _cell(tests, _duty(duties[_kind(subject)], criterion))
        for (subject, criterion), tests in found.items()
    }
    return Matrix(tuple(subjects), criteria, cells, tuple(errors))


def _kind(model: str) -> str:
    """`stranger-2`, the simulation two places on, is a stranger like any other."""
    return STRANGER if model.startswith(f"{STRANGER}-") else model


def _duty(declared: tuple[frozenset[str], frozenset[str]], criterion: str) -> Duty:
    fires, implies = declared
    return "must" if criterion in fires else "may" if criterion in implies else "never"


def _cell(tests: Sequence[TestResult], duty: Duty) -> Cell:
    judged = [f"{t.simulation}-w{t.window}" for t in tests]
    violated = [w for w, t in zip(judged, tests, strict=True) if t.outcome == "violated"]
    return Cell(duty, tuple(violated), tuple(judged))


def _simulations(windows: Sequence[str]) -> set[str]:
    return {window.rpartition("-w")[0] for window in windows}
