"""What happened to one case between two sides: a fact, since both saw the same trajectory."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from harness import judging
from harness.results import Expectation, TestResult, Verdict

#: broken: kept before, violated now.  repaired: the other way round.  worse, better: the same
#: verdict, but the figure has moved beyond the tolerance.
Change = Literal["broken", "worse", "same", "better", "repaired"]
CHANGES: tuple[Change, ...] = ("broken", "worse", "same", "better", "repaired")

#: Outcomes that leave no figure because something failed, not because nothing was to be judged.
FAILED = ("error", "missing")


class Found(NamedTuple):
    """A change, or why there is none to speak of."""

    change: Change | None
    reason: str = ""


def change(
    before: TestResult, after: TestResult, facts: Expectation | None, worse_than: float
) -> Found:
    """What became of a case.

    Figures are compared in units of their limits, as the worst place may have moved to a channel
    with another limit; where a limit is zero, as they are.  Worse: beyond the first by more than
    `worse_than` of it, or by 1 % of the limit where it is small.  Of two divergences the earlier
    one is worse, by more than a tenth.  A case that failed without a figure counts as broken.

    facts: a published entry's values, for cases that have no published figure.
    """
    if after.outcome in FAILED:
        if before.outcome in FAILED:
            return Found(None, f"no figure on either side: {after.outcome}")
        return Found("broken", f"no figure: {after.message or after.outcome}")
    if before.outcome in FAILED:
        return Found(None, f"no figure before: {before.message or before.outcome}")
    if before.verdict is not None and after.verdict is not None:
        return Found(_of_figures(before.verdict, after.verdict, worse_than))
    verdicts = _kept(before), _kept(after)
    if None not in verdicts and verdicts[0] != verdicts[1]:
        return Found("broken" if verdicts[0] else "repaired")
    if facts is not None and (found := _of_facts(before, after, facts, worse_than)) is not None:
        return Found(found, "by the published facts")
    if None not in verdicts:
        return Found("same", "the verdict alone is known")
    unjudged = [test.outcome for test in (before, after) if _kept(test) is None]
    if len(set(unjudged)) == 2:
        return Found(None, f"{unjudged[0]} before, {unjudged[1]} now")
    return Found(None, f"{unjudged[0]} on {'both sides' if len(unjudged) == 2 else 'one side'}")


def _kept(test: TestResult) -> bool | None:
    if test.verdict is not None:
        return judging.kept(test.verdict)
    return {"passed": True, "expected": False, "violated": False}.get(test.outcome)


def _of_figures(before: Verdict, after: Verdict, worse_than: float) -> Change:
    if judging.kept(before) != judging.kept(after):
        return "broken" if judging.kept(before) else "repaired"
    if _is_worse(before, after, worse_than):
        return "worse"
    return "better" if _is_worse(after, before, worse_than) else "same"


def _is_worse(before: Verdict, after: Verdict, worse_than: float) -> bool:
    if not math.isfinite(after.figure):
        return math.isfinite(before.figure) or _earlier(before, after)
    if not math.isfinite(before.figure):
        return False
    first, second = before.margin, after.margin
    if first is None or second is None or not math.isfinite(first + second):
        return after.figure > (1 + worse_than) * before.figure
    return second > first + max(worse_than * first, judging.LIMIT_TOLERANCE)


def _earlier(before: Verdict, after: Verdict) -> bool:
    first, second = judging.ended(before), judging.ended(after)
    return first is not None and second is not None and second < math.floor(0.9 * first)


def _of_facts(
    before: TestResult, after: TestResult, entry: Expectation, worse_than: float
) -> Change | None:
    """By noted values that a publication holds, within its own spread; None where none has a side."""
    moves: set[Change] = set()
    for name, fact in entry.facts.items():
        first, second = _value(before, name), _value(after, name)
        if fact.worse is None or math.isnan(first) or math.isnan(second):
            continue
        slack = max(fact.tolerance or 0.0, worse_than * abs(first))
        if first == second or abs(second - first) <= slack:
            moves.add("same")
        else:
            moves.add("worse" if (second > first) == (fact.worse == "higher") else "better")
    gravest: tuple[Change, ...] = ("worse", "better", "same")
    return next((found for found in gravest if found in moves), None)


def _value(test: TestResult, name: str) -> float:
    """A noted number; NaN if there is none.  A noted None never happened: it is infinitely late."""
    value = test.values.get(name, math.nan)
    return math.inf if value is None else math.nan if isinstance(value, str) else value
