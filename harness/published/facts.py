"""What the recorded series say of each rollout, by the formulas that judge a run of today."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.diagnostics import structure
from harness.fields import MHD
from harness.published import arrays
from harness.published.arrays import Array, Run

#: name and channel of the components across the guide field, which lies along x in MHD_64
ACROSS = {"y": MHD.channels.index("B_y"), "z": MHD.channels.index("B_z")}


#: The step at which div B, errors and field strengths are quoted.
AT = 50


@dataclass(frozen=True)
class Facts:
    """One rollout of the study.

    case: "Ma0.7_Ms0.5-w0".  step1: VRMSE[seed] at step 1.  basin, onset, rate: `structure`'s events
    over the whole recorded rollout; onset by channel, infinite where there is none.
    survival: first step at which any channel has grown tenfold, infinite if none does.  (Against
    the widths W it cannot be had: the study recorded no variance of the truth.)
    div_b, vrmse, rms_b: rms(div B)/mean abs(B), VRMSE[seed] and sqrt(2 E_B) at step 50.
    """

    case: str
    first_frame: int
    step1: float
    basin: str
    onset: dict[str, float]
    rate: structure.Rate
    survival: float
    div_b: float
    div_b_over_truth: float
    vrmse: float
    rms_b: float


def of_run(run: Run) -> list[Facts]:
    """The facts of every rollout of a run, in the study's order."""
    return [_facts(run, trajectory) for trajectory in range(run.trajectories)]


def _facts(run: Run, trajectory: int) -> Facts:
    variance = run.variance[trajectory]
    onset = [math.inf if step is None else float(step) for step in structure.onset(variance)]
    return Facts(
        case=run.case(trajectory),
        first_frame=int(run.first_frame[trajectory]),
        step1=float(run.vrmse[trajectory, 1]),
        basin=structure.basin(variance, ACROSS),
        onset=dict(zip(MHD.channels, onset, strict=True)),
        rate=structure.growth_rate(variance),
        survival=min(onset),
        div_b=float(run.div_b[trajectory, AT]),
        div_b_over_truth=float(run.div_b[trajectory, AT] / run.truth_div_b[trajectory, AT]),
        vrmse=float(run.vrmse[trajectory, AT]),
        rms_b=float(np.sqrt(2 * run.energy_b[trajectory, AT])),
    )


@dataclass(frozen=True)
class Spread:
    """How far reruns of one rollout lie apart that differ in their draw only (n = 5).

    step1: largest relative range of a channel's variance at step 1.
    rate: standard deviation of lambda.  onset: range of the onset, steps.  basins: all that occur.
    div_b: relative range at step 50.
    decades: standard deviation of log10 var of the growing component at step 50: the reason why no
    amplitude is asserted there.
    """

    step1: float
    rate: float
    onset: float
    basins: tuple[str, ...]
    div_b: float
    decades: float


def spread() -> Spread:
    """The spread of the five recorded draws (walrus-pt, mhd64-early, trajectory 0)."""
    draws = arrays.draws()
    first = arrays.runs()["walrus-pt", "mhd64-early"].variance[0, :1]
    whole = [np.concatenate([first, rollout]) for rollout in draws["variance"]]
    grown = ACROSS["y"]
    onsets = [structure.onset(rollout)[grown] or math.inf for rollout in whole]
    rates = [structure.growth_rate(rollout).rate for rollout in whole]
    last = np.log10([rollout[-1, grown] for rollout in whole])
    return Spread(
        step1=float(_relative_range(draws["variance"][:, 0]).max()),
        rate=float(np.std(rates, ddof=1)),
        onset=float(max(onsets) - min(onsets)),
        basins=tuple(sorted({structure.basin(rollout, ACROSS) for rollout in whole})),
        div_b=float(_relative_range(draws["div_b"][:, -1])),
        decades=float(np.std(last, ddof=1)),
    )


def _relative_range(values: Array) -> Array:
    return (values.max(0) - values.min(0)) / values.mean(0)
