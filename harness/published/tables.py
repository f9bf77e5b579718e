"""The study's tables, printed again from its arrays: header and rows of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.published import facts
from harness.published.arrays import Array, Run
from harness.statistics.aggregates import AGGREGATIONS, aggregate

#: Step ranges (inclusive, step 1 = first prediction) that the Walrus paper aggregates over.
RANGES = ((1, 20), (21, 60))


@dataclass(frozen=True)
class Table:
    """A titled table of text."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def of_run(run: Run) -> list[Table]:
    """Events and figures of every rollout, error against step, and aggregations of one recorded run."""
    return [_events(run), _figures(run), _errors(run), _aggregations(run)]


def _events(run: Run) -> Table:
    rows = []
    for found in facts.of_run(run):
        grown = {c: step for c, step in found.onset.items() if math.isfinite(step)}
        rows.append(
            (
                found.case,
                str(found.first_frame),
                found.basin,
                f"{found.rate.rate:.3f} +- {found.rate.error:.3f}",
                f"{found.survival:.0f}" if math.isfinite(found.survival) else "-",
                ", ".join(f"{channel} {step:.0f}" for channel, step in grown.items()) or "-",
            )
        )
    header = ("rollout", "first", "basin", "lambda", "survival x10", "onset x10")
    n = len(np.unique(run.simulation))
    title = f"{run.model}, {run.protocol}: {run.trajectories} rollouts of {n} simulations"
    return Table(f"{title}; first frame, events", header, tuple(rows))


def _figures(run: Run) -> Table:
    rows = [
        (
            found.case,
            f"{found.step1:.4f}",
            f"{found.vrmse:.4g}",
            f"{found.div_b:.3f}",
            f"{found.div_b_over_truth:.1f}",
            f"{found.rms_b:.4g}",
        )
        for found in facts.of_run(run)
    ]
    header = ("rollout", "VRMSE 1", "VRMSE 50", "div B/|B| 50", "over truth's", "rms |B| 50")
    title = f"{run.model}, {run.protocol}: steps 1 and 50; VRMSE[seed], stencil div B"
    return Table(title, header, tuple(rows))


def _errors(run: Run) -> Table:
    rows = []
    for step in (1, 5, 10, 20, 25, 30, 40, 50, 60):
        if step <= run.steps:
            values = run.vrmse[:, step]
            figures = (values.min(), np.median(values), values.mean(), values.max())
            rows.append((str(step), *(f"{value:.4g}" for value in figures)))
    title = f"{run.model}, {run.protocol}: VRMSE[seed] over {run.trajectories} rollouts"
    return Table(title, ("step", "min", "median", "mean", "max"), tuple(rows))


def _aggregations(run: Run) -> Table:
    spans = [(a, min(b, run.steps)) for a, b in RANGES if a <= run.steps]
    header = ("aggregation", *(f"T{a}-{b}" for a, b in spans))
    rows = [
        (name, *(f"{float(aggregate(over(run, *span), name)):.4g}" for span in spans))
        for name in AGGREGATIONS
    ]
    title = f"{run.model}, {run.protocol}: one array of VRMSE[seed], four aggregations"
    return Table(title, header, tuple(rows))


def over(run: Run, first: int, last: int) -> Array:
    """VRMSE[seed] of steps first..last, inclusive, (trajectory, step)."""
    return run.vrmse[:, first : last + 1]


def medians(runs: Sequence[Run]) -> Table:
    """Step 1 and step 50 of several models side by side."""
    rows = [
        (
            run.model,
            run.protocol,
            str(run.trajectories),
            *(f"{np.median(run.vrmse[:, step]):.4f}" for step in (1, 50)),
            f"{run.div_b[:, 50].mean():.3f}",
            f"{np.median(np.sqrt(2 * run.energy_b[:, 50])):.4g}",
        )
        for run in runs
    ]
    header = ("model", "protocol", "n", "VRMSE 1", "VRMSE 50", "div B/|B| 50", "rms |B| 50")
    title = "All recorded runs: medians over n rollouts, of div B the mean; VRMSE[seed]"
    return Table(title, header, tuple(rows))
