"""Intervals cover as often as they say: shown by simulation, not assumed."""

from __future__ import annotations

import numpy as np
import pytest

from harness.statistics import intervals
from harness.statistics.aggregates import aggregate
from harness.statistics.intervals import Interval, interval, population_figures

MEDIAN = 1.0  # of the standard log-normal distribution


def samples(n: int, repetitions: int) -> np.ndarray:
    return np.random.default_rng([7, n]).lognormal(size=(repetitions, n, 1))


@pytest.mark.parametrize("n", [2, 6, 16])
def test_the_range_covers_the_median_as_often_as_it_says(n: int) -> None:
    drawn = samples(n, 20_000)[..., 0]
    covered = float(((drawn.min(1) <= MEDIAN) & (drawn.max(1) >= MEDIAN)).mean())
    assert covered == pytest.approx(intervals.range_coverage(n), abs=0.01)
    found = interval(list(drawn[0][:, None])) if n < intervals.LEAST else None
    if found is not None:
        assert (found.low, found.high) == (drawn[0].min(), drawn[0].max())
        assert (found.method, found.n) == ("range", n)
        assert found.coverage == 1 - 2.0 ** (1 - n)


@pytest.mark.parametrize(("n", "low", "high"), [(6, 0.89, 0.965), (16, 0.91, 0.975)])
def test_bca_covers_the_median(
    n: int, low: float, high: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nominal 95 %.  At n = 6 nobody gets it: there the range, which is exact, stands instead."""
    monkeypatch.setattr(intervals, "LEAST", 2)
    monkeypatch.setattr(intervals, "RESAMPLES", 499)
    found = [interval(list(sample)) for sample in samples(n, 400)]
    assert {one.method for one in found} == {"BCa"}
    covered = np.mean([one.low <= MEDIAN <= one.high for one in found])
    assert low <= covered <= high


def test_bca_is_scipys() -> None:
    """Against scipy's own bootstrap of the same values, not of their numbers."""
    from scipy import stats

    values = samples(16, 1)[0, :, 0]
    theirs = stats.bootstrap(
        (values,), np.median, method="BCa", n_resamples=intervals.RESAMPLES,
        rng=np.random.default_rng(intervals.SEED),
    ).confidence_interval  # fmt: skip
    ours = interval([np.array([value]) for value in values])
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs), rel=1e-12)


def test_windows_of_one_simulation_are_no_evidence() -> None:
    """Ten copies of each simulation's window leave the interval as wide as it was."""
    values = samples(12, 1)[0]
    once = interval(list(values))
    tenfold = interval([np.repeat(value, 10) for value in values])
    assert (tenfold.low, tenfold.high) == pytest.approx((once.low, once.high))
    independent = interval([value for value in np.repeat(values, 10, axis=0)])
    assert independent.high - independent.low < 0.5 * (once.high - once.low)


def test_an_aggregate_of_unequal_simulations() -> None:
    """Simulations may have lost a window; each is drawn with those it has."""
    rng = np.random.default_rng(3)
    clusters = [rng.lognormal(size=(1 + (i == 4), 5)) for i in range(9)]
    found = interval(clusters, lambda e: aggregate(e, "pooled-median"))
    middle = aggregate(np.concatenate(clusters), "pooled-median")
    assert found.method == "BCa" and found.low < middle < found.high
    short = interval(clusters[:3], lambda e: aggregate(e, "pooled-median"))
    assert short.low == min(np.median(c) for c in clusters[:3])


def test_infinite_figures_widen_the_interval_and_stay_infinite() -> None:
    values = [1.0, 2, 3, 4, 5, 6, np.inf, np.inf, np.inf]
    found = interval([np.array([value]) for value in values])
    assert found.method == "percentile"
    assert np.isfinite(found.low) and found.high == np.inf
    assert interval([np.array([value]) for value in values[4:]]).high == np.inf


def test_equal_figures_have_no_width() -> None:
    assert interval([np.array([3.0])] * 9) == Interval(3.0, 3.0, 0.95, "percentile", 9)


def test_what_an_interval_says_of_itself() -> None:
    assert str(Interval(0, 1, 0.96875, "range", 6)) == (
        "range of 6 simulations, covers the median with 96.88 %"
    )
    assert str(Interval(0, 1, 0.95, "BCa", 16)) == "95 % BCa bootstrap over 16 simulations"


def test_no_figure_has_no_interval() -> None:
    with pytest.raises(ValueError, match="at least one simulation"):
        interval([])
    with pytest.raises(ValueError, match="NaN"):
        interval([np.array([np.nan])])


def test_population_figures() -> None:
    few = population_figures([3.0, 1.0, np.nan])
    assert few == {"n": 3.0, "median": 3.0, "lowest": 1.0, "highest": np.inf, "coverage": 0.75}
    many = population_figures(list(range(1, 10)))
    assert many["median"] == 5.0 and many["interval"] == "95 % BCa bootstrap over 9 simulations"
    assert 1 <= float(many["interval_low"] or 0) < 5 < float(many["interval_high"] or 0) <= 9
