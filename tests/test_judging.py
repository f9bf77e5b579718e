"""One rule of judgement: worst margin, non-finite is a violation, baselines compare margins."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from harness import judging
from harness.results import Expectation


def curve(values: list[float]) -> xr.DataArray:
    return xr.DataArray(values, dims="step", coords={"step": range(len(values))})


def test_the_worst_margin_wins_not_the_largest_figure() -> None:
    value = xr.DataArray(
        [[9.0, 9.0], [1.0, 0.5], [1.5, 0.9]],
        dims=("step", "channel"),
        coords={"step": [0, 1, 2], "channel": ["rho", "B_x"]},
    )
    limit = xr.DataArray([2.0, 0.6], dims="channel", coords={"channel": ["rho", "B_x"]})
    verdict = judging.judge(value, limit, "s")
    assert (verdict.figure, verdict.limit, verdict.step, verdict.where) == (0.9, 0.6, 2, "B_x")
    assert verdict.margin == pytest.approx(1.5)
    assert verdict.steps == (1, 2)  # step 0 is the input, not a prediction


def test_either_sign_of_a_departure_counts() -> None:
    assert judging.judge(curve([0, -3, 1]), 2.0).figure == 3.0


def test_nan_is_a_violation_at_its_first_step() -> None:
    verdict = judging.judge(curve([0, 0.1, math.nan, 0.1, math.nan]), 1.0)
    assert (verdict.figure, verdict.step) == (math.inf, 2)
    assert not judging.kept(verdict)
    assert "is not finite at step 2" in judging.describe("x", verdict)


def test_a_diverged_rollout_violates_from_then_on_whatever_the_figure() -> None:
    verdict = judging.judge(curve([0, 0.1, 0.1, 0.1]), 1.0, diverged_at=2)
    assert (verdict.figure, verdict.step, verdict.diverged_at) == (math.inf, 2, 2)


def test_a_limit_from_the_truth_may_end_with_the_rollout() -> None:
    limit = curve([1.0, 1.5, 2.0, math.nan])
    verdict = judging.judge(curve([0, 0.1, 0.1, math.nan]), limit, diverged_at=3)
    assert (verdict.figure, verdict.limit, verdict.step) == (math.inf, 2.0, 3)
    for at_1, taken in ((math.nan, 0.0), (0.5, 0.5)):
        first = judging.judge(curve([0, math.nan]), curve([1.0, at_1]), diverged_at=1)
        assert (first.figure, first.limit, first.step) == (math.inf, taken, 1)
    with pytest.raises(ValueError, match="not finite"):
        judging.judge(curve([0, 0.1, 0.1]), curve([1.0, math.nan, 1.0]), diverged_at=2)


def test_scalar_figures_and_zero_limits() -> None:
    assert judging.kept(judging.judge(0.0, 0.0))
    assert not judging.kept(judging.judge(1e-9, 0.0))
    assert judging.judge(0.3, 0.5).step is None


def test_above_a_limit_of_zero_the_largest_figure_is_the_worst() -> None:
    verdict = judging.judge(curve([0, 0.1, 0.7, 0.4]), 0.0)
    assert (verdict.figure, verdict.step, verdict.margin) == (0.7, 2, math.inf)
    places = xr.DataArray(
        [[0, 0], [0.1, 0.3]], dims=("step", "channel"), coords={"channel": ["a", "b"]}
    )
    assert judging.judge(places.assign_coords(step=[0, 1]), 0.0).where == "b"
    lost = judging.judge(curve([0, 0.1, math.nan, math.nan]), 0.0)
    assert (lost.figure, lost.step) == (math.inf, 2)


def test_a_limit_that_is_no_number_is_an_error_not_a_pass() -> None:
    with pytest.raises(ValueError, match="not finite"):
        judging.judge(curve([0, 1.0]), math.nan)


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=30), st.floats(1e-3, 1e3))
def test_kept_means_every_step_is_within_the_limit(values: list[float], limit: float) -> None:
    verdict = judging.judge(curve(values), limit)
    assert judging.kept(verdict) == bool((np.abs(values[1:]) / limit <= 1).all())
    assert max(verdict.curve) == verdict.figure


def entry(figure: float, limit: float = 1.0, **more: float) -> Expectation:
    return judging.expectation(judging.judge(figure, limit), "test").model_copy(update=more)


@pytest.mark.parametrize(
    ("today", "recorded", "expected"),
    [
        (0.5, None, "passed"),
        (2.0, None, "violated"),
        (2.0, 2.0, "expected"),
        (2.09, 2.0, "expected"),  # within 5 %
        (2.2, 2.0, "regression"),
        (1.2, 2.0, "expected"),  # better, still broken
        (0.9, 2.0, "repaired"),
        (2.0, 0.5, "violated"),
        (0.5, 0.5, "passed"),
        (0.55, 0.5, "passed"),
        (0.65, 0.5, "regression"),
        (0.009, 0.001, "passed"),  # below one hundredth of the limit
        (math.inf, 2.0, "regression"),
        (2.0, math.inf, "expected"),
    ],
)
def test_outcome_table(today: float, recorded: float | None, expected: str) -> None:
    known = None if recorded is None else entry(recorded)
    assert judging.outcome(judging.judge(today, 1.0), known) == expected


def test_margins_are_compared_when_the_worst_place_has_moved() -> None:
    # 3 against a limit of 1 is worse than a recorded 6 against 4, although 3 < 6.
    assert judging.outcome(judging.judge(3.0, 1.0), entry(6.0, 4.0)) == "regression"


def test_an_earlier_divergence_is_worse() -> None:
    late = judging.expectation(judging.judge(curve([0, 1] * 20), 2.0, diverged_at=30), "test")
    for step, expected in ((10, "regression"), (29, "expected"), (35, "expected")):
        today = judging.judge(curve([0, 1] * 20), 2.0, diverged_at=step)
        assert judging.outcome(today, late) == expected


def test_a_kept_figure_may_come_a_tenth_of_its_limit_nearer_unless_it_is_held_to_its_record() -> None:
    loose, held = (judging.judge(0.5, 1.0, held=held) for held in (False, True))
    assert judging.tolerance(loose) == pytest.approx(0.1)
    assert judging.tolerance(held) == pytest.approx(0.025)
    broken = judging.judge(2.0, 1.0)
    assert judging.tolerance(broken) == pytest.approx(0.1)  # 5 % of it
    assert judging.tolerance(judging.judge(1.05, 1.0)) == pytest.approx(0.0525)
