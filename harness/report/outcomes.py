"""How an outcome looks and what it means, and which outcomes make a run fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from harness import results
from harness.results import Outcome, Run, TestResult


@dataclass(frozen=True)
class Look:
    """An outcome's label and plural, the shade of its swatch, and its meaning in one sentence.

    The symbol is `#o-<outcome>` of the page.
    """

    outcome: Outcome
    label: str
    plural: str
    shade: str
    meaning: str

    def counted(self, n: int) -> str:
        """`1 error`, `2 errors`."""
        return f"{n} {self.label if n == 1 else self.plural}"


#: The most serious first: tables, counts and legends use this order.
LOOKS: tuple[Look, ...] = (
    Look(
        "error", "error", "errors", "none", "No figure: the rollout or the test itself failed."
    ),
    Look(
        "missing", "missing", "missing", "none",
        "Collected but never reported: its worker died, or the run was stopped.",
    ),
    Look(
        "regression", "regression", "regressions", "b3",
        "Worse than its baseline records, beyond the tolerance.",
    ),
    Look("violated", "violated", "violated", "b3", "Criterion broken, and not recorded as broken."),
    Look(
        "repaired", "repaired", "repaired", "k2",
        "Recorded as broken, kept today: the baseline needs an update.",
    ),
    Look(
        "unrecorded", "unrecorded", "unrecorded", "b2",
        "Broken where the published baseline holds no figure: not red.",
    ),
    Look(
        "expected", "expected failure", "expected failures", "b2",
        "Broken, and no worse than its baseline records.",
    ),
    Look(
        "recorded", "recorded", "recorded", "none",
        "Figures without a verdict: nothing to judge by, or never judged.",
    ),
    Look("passed", "passed", "passed", "k2", "Criterion kept."),
    Look(
        "not-applicable", "not applicable", "not applicable", "none",
        "Model or data lack what the property needs.",
    ),
)  # fmt: skip

LOOK: dict[str, Look] = {look.outcome: look for look in LOOKS}

_RANK = {look.outcome: rank for rank, look in enumerate(LOOKS)}


def seriousness(test: TestResult) -> tuple[int, float, float]:
    """Sort key: the most serious outcome first, within it the worst first."""
    margin, figure = worst(test)
    return _RANK[test.outcome], -margin, -figure


def worst(test: TestResult) -> tuple[float, float]:
    """Sort key by margin, and by figure where margins are infinite, above a limit of zero."""
    verdict = test.verdict
    if verdict is None or verdict.margin is None:
        return float("-inf"), 0.0
    return verdict.margin, verdict.figure


def red_outcomes(run: Run) -> frozenset[str]:
    """The outcomes that make this run fail: they depend on what it was asked for."""
    origin = run.provenance
    return results.red_outcomes(gated=origin.against is not None, recorded=origin.recorded)


def is_red(test: TestResult, run: Run) -> bool:
    """Whether this test makes the run fail."""
    return test.outcome in red_outcomes(run)


def broken(test: TestResult) -> bool:
    """Whether the test has a figure and the figure breaks its criterion, expected or not."""
    margin = test.verdict.margin if test.verdict else None
    return margin is not None and not margin <= 1


def unreported(run: Run) -> tuple[str, ...]:
    """Node ids of collected tests without a result, sorted."""
    silent = {test.nodeid for test in run.tests if test.outcome == "missing"}
    return tuple(sorted(silent | set(run.missing)))


def counts(run: Run) -> list[tuple[Look, int]]:
    """How many tests had each outcome, the most serious first, outcomes without a test left out."""
    found = Counter(count_outcomes(run.tests))
    found["missing"] = len(unreported(run))
    return [(look, found[look.outcome]) for look in LOOKS if found[look.outcome]]


def count_outcomes(tests: Iterable[TestResult]) -> Counter[str]:
    """Outcome -> number of tests."""
    return Counter(test.outcome for test in tests)
