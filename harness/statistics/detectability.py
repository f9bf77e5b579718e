"""What a paired comparison of n simulations can decide, and what it cannot.

One difference per simulation, tested by the sign test: it assumes nothing about the differences'
distribution, and takes infinite ones.  Its smallest p is known before anything is measured, so a
comparison that cannot decide says so instead of printing p-values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special, stats

from harness.statistics.intervals import LEAST

ALPHA = 0.05
POWER = 0.8


def smallest_p(n: int) -> float:
    """The smallest two-sided p that a sign test of n simulations can reach: 2^(1-n)."""
    return 2.0 ** (1 - n)


def can_decide(n: int, criteria: int, alpha: float = ALPHA) -> bool:
    """Whether Holm's correction over `criteria` tests can reject any with n simulations.

    Its first threshold is alpha / criteria: a test whose smallest p lies above it never rejects.
    """
    return n >= LEAST and smallest_p(n) <= alpha / criteria


def sign_test(differences: Sequence[float]) -> float:
    """Two-sided p that positive and negative differences are equally likely.

    Zeros are left out, and so is NaN, the difference of two infinities, which has no sign either.
    """
    values = np.asarray(differences, dtype=float)
    positive, negative = int((values > 0).sum()), int((values < 0).sum())
    if not positive + negative:
        return 1.0
    return float(stats.binomtest(positive, positive + negative).pvalue)


def holm(p: Sequence[float], alpha: float = ALPHA) -> list[bool]:
    """Which hypotheses Holm's step-down procedure rejects (Holm 1979, Scand. J. Stat. 6, 65).

    The i-th smallest of m p-values, counted from 0, is held to alpha / (m - i), up to the first
    that fails.
    """
    rejected = [False] * len(p)
    for rank, index in enumerate(np.argsort(p, kind="stable")):
        if p[index] > alpha / (len(p) - rank):
            break
        rejected[index] = True
    return rejected


def minimum_detectable_effect(
    differences: Sequence[float], alpha: float = ALPHA, power: float = POWER
) -> float | None:
    """The mean difference that a paired t test would find in a share `power` of repetitions.

    For differences that scatter as these do, with standard deviation s (ddof 1) over n
    simulations: effect = delta s / sqrt(n), where T of the non-central t distribution with n - 1
    degrees of freedom and non-centrality delta exceeds t_(1 - alpha/2, n-1) with probability
    `power`.  No correction for several criteria.

    Returns it in the unit of the differences; None below 2 simulations or where one is not finite.
    """
    n = len(differences)
    if n < 2 or not np.isfinite(differences).all():
        return None
    threshold = stats.t.ppf(1 - alpha / 2, n - 1)
    shift = float(special.nctdtrinc(n - 1, 1 - power, threshold))
    return shift * float(np.std(differences, ddof=1)) / math.sqrt(n)
