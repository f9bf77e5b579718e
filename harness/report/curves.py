"""The judged curves as compact arrays for the page's plots."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from harness.report.spread import spread
from harness.report.typeset import typeset
from harness.results import TestResult, Verdict

#: Points kept of a longer curve.
MAX_POINTS = 200


def compact(value: float | None, digits: int = 4) -> float | None:
    """A few significant digits; None where JSON has no number, which breaks a drawn line."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")


def compact_all(values: Iterable[float], digits: int = 4) -> list[float | None]:
    """`compact` of each value."""
    return [compact(float(value), digits) for value in values]


def thin(steps: Sequence[int], keep: Iterable[int | None]) -> list[int]:
    """Indices of at most about MAX_POINTS steps, evenly spread, with the steps in `keep`."""
    if len(steps) <= MAX_POINTS:
        return list(range(len(steps)))
    even = np.linspace(0, len(steps) - 1, MAX_POINTS).round().astype(int)
    wanted = {index for index, step in enumerate(steps) if step in set(keep)}
    return sorted({*even.tolist(), *wanted})


def figure(
    tests: Sequence[TestResult], labels: Sequence[str], models: Sequence[str]
) -> dict[str, Any] | None:
    """The plot of one criterion: a curve over step per case, or a point per case.

    Args:
        tests: the cases of one criterion; those without a verdict are not drawn.
        labels: name of each case's window.
        models: all models of the run; a case refers to its model by position.

    Returns:
        {"kind": "curves" | "points", "unit" typeset, "log", "x": [steps of each distinct step axis],
        "lines": [...], "bands": [...]} with one line per drawn case and, for curves, one band per
        model and step axis; None if there is no case or every figure and limit is zero.  A line's
        limit is one number where it is the same at every step.
    """
    judged = [
        (test, label, test.verdict)
        for test, label in zip(tests, labels, strict=True)
        if test.verdict is not None
    ]
    if not any(v.figure or v.limit or any(v.curve) for _, _, v in judged):
        return None
    over_steps = any(verdict.steps for _, _, verdict in judged)
    axes: list[list[int]] = []
    lines = []
    for test, label, verdict in judged:
        line: dict[str, Any] = {
            "model": models.index(test.model) if test.model in models else 0,
            "label": label,
            "outcome": test.outcome,
            "margin": compact(verdict.margin),
            "figure": compact(verdict.figure),
            "step": verdict.step,
            "where": verdict.where,
            "diverged": verdict.diverged_at,
        }
        if over_steps and verdict.steps:
            line |= _curve(verdict, axes)
        else:
            line["limit"] = compact(verdict.limit)
            line["baseline"] = compact(test.baseline.figure) if test.baseline else None
        lines.append(line)
    return {
        "kind": "curves" if over_steps else "points",
        "unit": typeset(next((verdict.unit for _, _, verdict in judged if verdict.unit), "")),
        "log": spans_decades(verdict for _, _, verdict in judged),
        "x": axes,
        "lines": lines,
        "bands": _bands([test for test, _, _ in judged], lines, axes),
    }


def _curve(verdict: Verdict, axes: list[list[int]]) -> dict[str, Any]:
    chosen = thin(verdict.steps, (verdict.step, verdict.diverged_at))
    steps = [verdict.steps[index] for index in chosen]
    if steps not in axes:
        axes.append(steps)
    limits: list[float | None] = []
    if verdict.limit_curve:
        limits = compact_all(verdict.limit_curve[index] for index in chosen)
    constant = len(set(limits)) == 1
    return {
        "x": axes.index(steps),
        "y": compact_all(verdict.curve[index] for index in chosen),
        "limit": limits[0] if constant else limits or compact(verdict.limit),
    }


def _bands(
    tests: Sequence[TestResult], lines: Sequence[dict[str, Any]], axes: Sequence[Sequence[int]]
) -> list[dict[str, Any]]:
    """Median and spread of each model's curves that share a step axis."""
    groups: dict[tuple[int, int], list[tuple[TestResult, Verdict]]] = {}
    for test, line in zip(tests, lines, strict=True):
        if "x" in line and test.verdict is not None:
            groups.setdefault((line["model"], line["x"]), []).append((test, test.verdict))
    bands = []
    for (model, axis), cases in groups.items():
        rows = [[verdict.steps.index(step) for step in axes[axis]] for _, verdict in cases]
        found = spread(
            [[v.curve[at] for at in row] for (_, v), row in zip(cases, rows, strict=True)],
            [f"{test.protocol}/{test.simulation}" for test, _ in cases],
        )
        parts = {name: compact_all(getattr(found, name)) for name in ("median", "low", "high")}
        bands.append({"model": model, "x": axis, "label": found.label, **parts})
    return bands


def spans_decades(verdicts: Iterable[Verdict]) -> bool:
    """Whether figures and limits span so many decades that only a logarithmic axis shows them."""
    values = np.abs(
        [v for verdict in verdicts for v in (*verdict.curve, verdict.figure, verdict.limit or 0.0)]
    )
    values = values[np.isfinite(values) & (values > 0)]
    return bool(values.size) and float(np.quantile(values, 0.98) / np.quantile(values, 0.1)) > 30
