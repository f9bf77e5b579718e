"""Where the article's words and its arrays differ.

The words are paraphrased; every number on the arrays' side is computed here from the recorded
series, except for what the study's own code says of how a number was made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.published import arrays, facts
from harness.published.arrays import Run
from harness.published.tables import over
from harness.statistics.aggregates import AGGREGATIONS, aggregate


@dataclass(frozen=True)
class Difference:
    """One statement and what the recorded series say of it."""

    article: str
    arrays: str


def of_walrus() -> list[Difference]:
    """The differences that concern `walrus-pt`."""
    early = arrays.runs()["walrus-pt", "mhd64-early"]
    paper = arrays.runs()["walrus-pt", "mhd64-paper"]
    return [
        _sample(early),
        _one_component(early, paper),
        _divergence(paper),
        _truth_like(early),
        _aggregated(paper),
        _density(early),
        _pile_up(early),
        _energy_ratio(early),
        _seeds(),
        _double(),
    ]


def of_fno() -> list[Difference]:
    """The differences that concern the three FNOs."""
    run = arrays.runs()["fno-ft", "mhd64-early"]
    growth = (run.variance[:, -1] / run.variance[:, 0]).max(axis=1)
    rates = [found.rate.rate for found in facts.of_run(run)]
    grown = sum(rate > 0.01 for rate in rates)
    return [
        Difference(
            "The three FNO baselines remain bounded.",
            f"fno-ft does not: every rollout has a channel whose variance grows {growth.min():.0f} to "
            f"{growth.max():.0f} times, and {grown} of {run.trajectories} still grow at the end, by up "
            f"to {max(rates):.2f} e-folds per step. fno-scratch and fno-pretrained are bounded.",
        )
    ]


def _sample(early: Run) -> Difference:
    n = len(np.unique(early.simulation))
    return Difference(
        f"Ten test trajectories at M_A = 0.7 (n = {early.trajectories}).",
        f"{n} simulations, two windows each (first predicted frames "
        f"{early.first_frame[0]} and {early.first_frame[1]}): the independent sample is {n}, of "
        f"{n} different M_s.",
    )


def _one_component(early: Run, paper: Run) -> Difference:
    found = [f for run in (early, paper) for f in facts.of_run(run)]
    both = [f.case for f in found if f.basin == "both"]
    return Difference(
        "Every rollout amplifies exactly one of B_y and B_z.",
        f"True of {len(found) - len(both)} of {len(found)} rollouts; {' and '.join(both)} of the early "
        "windows amplify both more than tenfold.",
    )


def _divergence(paper: Run) -> Difference:
    worst = int(np.argmin(paper.vrmse[:, -1]))
    at50, last = paper.vrmse[worst, 50], paper.vrmse[worst, -1]
    return Difference(
        "Every trajectory diverges, in both evaluation windows.",
        f"Every early rollout does; in the paper window {paper.case(worst)} saturates: VRMSE "
        f"{at50:.2f} at step 50, {last:.2f} at step {paper.steps}.",
    )


def _truth_like(early: Run) -> Difference:
    change = np.abs(np.diff(np.log(early.variance), axis=1))
    growth = early.variance[:, -1] / early.variance[:, 0]
    calm = (growth < 3) & (growth > 1 / 3)
    slower = [
        np.median(change[t, -5:, calm[t]]) / np.median(change[t, :5, calm[t]])
        for t in range(early.trajectories)
    ]
    return Difference(
        "Guide field, density and velocity remain truth-like throughout.",
        "Their variances do, because they stop moving: from steps 1-5 to steps 46-50 the change of ln "
        f"var per step of the channels that do not grow falls to {np.median(slower):.0e} of its value "
        f"(median over rollouts; {min(slower):.0e} to {max(slower):.0e}).",
    )


def _aggregated(paper: Run) -> Difference:
    values = over(paper, 21, 60)
    shown = ", ".join(f"{name} {float(aggregate(values, name)):.4g}" for name in AGGREGATIONS)
    return Difference(
        "The zero-shot T21-60 median is 18.25.",
        f"One array, four numbers: {shown}. The Walrus evaluation code takes the time mean of each "
        "trajectory first.",
    )


def _density(early: Run) -> Difference:
    last = early.variance[:, -1, 0]
    return Difference(
        "Truth-like density variance is about 0.86.",
        f"That is a mean over M_s from 0.5 to 7; at step 50 the predicted one is "
        f"{last.min():.3f} to {last.max():.2f} by rollout, median {np.median(last):.2f}.",
    )


def _pile_up(early: Run) -> Difference:
    last = early.variance[:, -1, facts.ACROSS["y"]]
    share = last.max() / last.sum()
    return Difference(
        "High-k modes grow 50 times more than low-k ones: the low/high ratio falls from 150 to 3.",
        "Taken from fields averaged over trajectories, and of B_y only: one rollout, "
        f"{early.case(int(last.argmax()))}, holds {share:.0%} of its variance. Per rollout it is "
        "not recorded.",
    )


def _energy_ratio(early: Run) -> Difference:
    ratio = (early.energy_b / early.energy_k)[:, 50]
    return Difference(
        "E_B/E_K reaches 3.5e9 at step 50.",
        f"A mean that the largest rollout carries: mean {ratio.mean():.2g}, median "
        f"{np.median(ratio):.2g}, range {ratio.min():.2g} to {ratio.max():.2g}.",
    )


def _seeds() -> Difference:
    spread, last = facts.spread(), arrays.draws()["variance"][:, -1, facts.ACROSS["y"]]
    return Difference(
        "Five 1e-6 perturbations of the input select one basin.",
        "The five runs also differ in their patch jitter, which was not seeded: variances differ by "
        f"{spread.step1:.1%} at step 1 already, B_y by {last.max() / last.min():.0f} times at step 50, "
        f"lambda by {spread.rate:.3f} (standard deviation). No flip in 5 bounds the flip rate at 0.45.",
    )


def _double() -> Difference:
    return Difference(
        "Inference in FP64 diverges alike, so the failure is not numerical.",
        "The published code casts history and output to float32 at every step: the state was never "
        "float64. A reproduction must keep it so, and may find otherwise.",
    )
