"""Why tests ended without a figure: one cause often fells many of them, and is told once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from harness.report.text import counted
from harness.results import TestResult

#: Outcomes without a figure that somebody has to mend.
FAILED = ("error", "missing")
#: Characters told of a cause in a sentence; the page's tables and the log hold it whole.
LENGTH = 240

#: `RolloutError: rollout fno-mini on well/s0-w1 failed before: `: the place, not the cause.
_PLACE = re.compile(r"^(?:[\w.]*RolloutError: )?(?:[^:]+ on [^:]+-w\d+(?: failed before)?: )+")


def cause(test: TestResult) -> str:
    """The message of a test without a figure, less the window in which it came up; may be empty."""
    return _PLACE.sub("", test.message)


def told(tests: Iterable[TestResult]) -> str:
    """`49 tests ended without a figure: KeyError: 'rho'`; empty where every test has one.

    The most frequent cause stands for all of them, with its count where there are others.
    """
    failed = [test for test in tests if test.outcome in FAILED]
    if not failed:
        return ""
    text = f"{counted(len(failed), 'test')} ended without a figure"
    why, n = Counter(map(cause, failed)).most_common(1)[0]
    if not why or n == 1 < len(failed):
        return text
    share = "" if n == len(failed) else f", {n} of them"
    short = why if len(why) <= LENGTH else f"{why[:LENGTH]}\N{HORIZONTAL ELLIPSIS}"
    return f"{text}{share}: {short.rstrip('. ')}"
