"""Survival curves, and what a comparison can decide."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.statistics.detectability import (
    can_decide,
    holm,
    minimum_detectable_effect,
    sign_test,
    smallest_p,
)
from harness.statistics.survival import first_violation, logrank, survival


def test_first_violation() -> None:
    assert first_violation([1, 2, 3], [0.1, 1.2, 0.3], [1, 1, 1]) == 2
    assert first_violation([1, 2, 3], [0.1, math.nan, 0.3], [1, 1, 1]) == 2
    assert first_violation([1, 2, 3], [1.0, 1.0, 1.0], [1, 1, 1]) is None


def test_without_censoring_the_curve_is_the_share_left() -> None:
    curve = survival([10, 20, 20, 40], horizon=50)
    assert curve.steps == (10, 20, 40)
    assert curve.share == pytest.approx((0.75, 0.25, 0.0))
    assert (curve.median, curve.n) == (20, 4)


def test_those_that_last_are_censored_not_dead() -> None:
    curve = survival([42, None, None, None], horizon=50)
    assert curve.share[-1] == pytest.approx(0.75)
    assert curve.median is None
    with pytest.raises(ValueError, match="at least one rollout"):
        survival([], 50)


def test_logrank_by_hand() -> None:
    """All of `a` end at step 10, `b` lasts: observed 8 ends of `a` where 4 are expected."""
    expected, variance = 8 * 8 / 16, 8 * 8 * 8 * (16 - 8) / (16**2 * 15)
    p = stats.norm.sf(abs(8 - expected) / math.sqrt(variance)) * 2
    assert logrank([10] * 8, [None] * 8, 50) == pytest.approx(p, rel=1e-9)


def test_logrank_says_nothing_below_eight_simulations_or_without_an_end() -> None:
    assert logrank([10] * 7, [None] * 8, 50) is None
    assert logrank([None] * 8, [None] * 8, 50) is None


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == [True, False, False, True]
    assert holm([0.02, 0.04]) == [True, True] and holm([0.03, 0.04]) == [False, False]
    assert holm([0.06]) == [False] and holm([]) == []


def test_the_sign_test_counts_signs() -> None:
    assert sign_test([1.0] * 6) == smallest_p(6) == 0.03125
    assert sign_test([math.inf, 2, -1, 0]) == stats.binomtest(2, 3).pvalue
    assert sign_test([0.0, 0.0]) == 1.0
    # two rollouts that both end at once have rates whose difference is no number, and no sign
    assert sign_test([math.nan] * 8) == 1.0
    assert sign_test([math.nan, 2, -1, 3]) == stats.binomtest(2, 3).pvalue


def test_whether_any_decision_can_be_reached_is_known_beforehand() -> None:
    assert not can_decide(6, 1)  # below 8 simulations there is no verdict
    assert can_decide(8, 6) and not can_decide(8, 7)
    assert can_decide(10, 25) and not can_decide(10, 26)


@pytest.mark.parametrize("n", [3, 6, 16])
def test_the_minimum_detectable_effect_is_found_in_four_of_five_repetitions(n: int) -> None:
    scatter = np.resize([-1.0, 1.0], n) * 1.0
    scatter = scatter / scatter.std(ddof=1)
    effect = minimum_detectable_effect(scatter.tolist())
    assert effect is not None
    drawn = np.random.default_rng(n).normal(effect, 1.0, size=(20_000, n))
    t = drawn.mean(1) / (drawn.std(1, ddof=1) / math.sqrt(n))
    power = float((t > stats.t.ppf(0.975, n - 1)).mean())
    assert power == pytest.approx(0.8, abs=0.015)


def test_no_effect_can_be_named_for_one_simulation_or_an_infinite_difference() -> None:
    assert minimum_detectable_effect([1.0]) is None
    assert minimum_detectable_effect([1.0, math.inf, 2.0]) is None
    assert minimum_detectable_effect([0.0, 0.0]) == 0.0
