"""Named aggregations: on one array of errors they differ by their recipe alone."""

from __future__ import annotations

import numpy as np
import pytest

from harness.statistics.aggregates import AGGREGATIONS, aggregate

#: three trajectories over four steps; the last one blows up
ERRORS = np.array([[1.0, 1, 1, 9], [2, 2, 4, 8], [2, 4, 16, 1e6]])


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("median-of-time-means", 4.0),  # means 3, 4, 250005.5
        ("pooled-median", 3.0),  # 1 1 1 2 2 2 | 4 4 8 9 16 1e6
        ("median-of-medians", 3.0),  # medians 1, 3, 10
        ("geometric-mean", (9 * 2 * 2 * 4 * 8 * 2 * 4 * 16 * 1e6) ** (1 / 12)),
    ],
)
def test_by_hand(recipe: str, expected: float) -> None:
    assert aggregate(ERRORS, recipe) == pytest.approx(expected, rel=1e-12)


def test_a_blow_up_tells_the_recipes_apart() -> None:
    """Six quiet and six growing rollouts: the same array, figures apart by their recipe alone."""
    rates = np.array([0.0] * 6 + [0.2, 0.25, 0.3, 0.3, 0.35, 0.4])[:, None]
    errors = np.exp(rates * np.arange(40))
    assert aggregate(errors, "pooled-median") == 1.0  # quiet rollouts and the growing ones' step 0
    assert aggregate(errors, "geometric-mean") == pytest.approx(np.exp(19.5 * 1.8 / 12), rel=1e-12)
    growing = np.exp(0.2 * np.arange(40))
    expected = (1 + growing.mean()) / 2, (1 + np.median(growing)) / 2
    found = aggregate(errors, "median-of-time-means"), aggregate(errors, "median-of-medians")
    assert found == pytest.approx(expected, rel=1e-12)
    assert found[0] > 2 * found[1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_counts_as_infinite(bad: float) -> None:
    errors = ERRORS.copy()
    errors[2, 3] = bad
    assert aggregate(errors, "median-of-time-means") == 4.0
    assert aggregate(errors, "pooled-median") == 3.0
    assert aggregate(errors, "geometric-mean") == np.inf
    errors[1, 1:] = bad
    assert aggregate(errors, "median-of-time-means") == np.inf
    assert aggregate(errors, "median-of-medians") == 10.0  # medians 1, inf, 10


def test_exact_zeros_do_not_hide_a_divergence() -> None:
    assert aggregate(np.array([[0.0, 0.0]]), "geometric-mean") == 0.0
    assert aggregate(np.array([[0.0, np.inf]]), "geometric-mean") == np.inf


@pytest.mark.parametrize("recipe", AGGREGATIONS)
def test_leading_axes_are_kept(recipe: str) -> None:
    batch = np.stack([ERRORS, 2 * ERRORS])
    assert aggregate(batch, recipe) == pytest.approx(aggregate(ERRORS, recipe) * np.array([1, 2]))


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="no aggregation 'mean': median-of-time-means"):
        aggregate(ERRORS, "mean")
    with pytest.raises(ValueError, match="nothing to aggregate"):
        aggregate(ERRORS[:, :0], "pooled-median")
