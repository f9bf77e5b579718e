"""What a test case has found so far, and the judge that decides it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import xarray as xr

from harness import judging
from harness.judging import Regression, Violation
from harness.results import Expectation, Outcome, Verdict
from harness.statistics import Width

FINDING = pytest.StashKey["Finding"]()


@dataclass
class Finding:
    """What a test case has found so far; the report is made from it."""

    verdict: Verdict | None = None
    outcome: Outcome | None = None
    message: str = ""
    entry: Expectation | None = None
    values: dict[str, float | str | None] = field(default_factory=dict)
    records: list[str] = field(default_factory=list)


def finding_of(item: pytest.Item) -> Finding:
    """The item's finding, empty at first."""
    return item.stash.setdefault(FINDING, Finding())


@dataclass
class Judge:
    """Judges one figure against one limit, exactly once per test."""

    name: str
    finding: Finding
    diverged_at: int | None = None
    gating: bool = False
    proven: bool = True

    def __call__(
        self,
        figure: xr.DataArray | float,
        at_most: Width | xr.DataArray | float,
        unit: str = "",
        basis: str = "",
        held: bool = False,
    ) -> None:
        """The criterion |figure| <= at_most at every step; raises Violation or Regression.

        The whole curve over `step` is judged, and its worst margin reported (`judging.judge`).
        A `Width` brings its own basis.  What the test has noted by now is held against the facts
        of a published baseline.
        """
        __tracebackhide__ = True
        if self.finding.verdict is not None:
            raise RuntimeError("judge is called exactly once per test: split the criteria")
        if not self.proven:
            raise RuntimeError(
                f"{self.name} is judged, but no control shows that it can fail: name one in "
                'property_test(control={"criterion": "control:blow-up"})'
            )
        if isinstance(at_most, Width):
            at_most, basis = at_most.value, at_most.basis
        verdict = judging.judge(figure, at_most, unit, basis, self.diverged_at, held)
        found = self.finding
        found.verdict = verdict
        found.outcome = judging.outcome(verdict, found.entry)
        found.message = judging.describe(self.name, verdict, found.entry)
        unlike = judging.contradictions(found.entry, found.values, self.gating)
        if unlike and found.outcome != "repaired":
            found.outcome = "regression"
            found.message = f"{'; '.join(unlike)}; {found.message}"
        if found.outcome == "regression":
            raise Regression(found.message)
        if found.outcome in ("violated", "expected", "unrecorded"):
            raise Violation(found.message)
