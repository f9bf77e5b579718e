"""The same window again: in float64 beside float32, and with other draws of a stochastic model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from harness.report.basins import Notes, noted
from harness.report.curves import compact_all, thin
from harness.report.rollouts import Rollout
from harness.results import Run

#: Windows whose realisations are on the page, shared by the models; the rest is counted.
MAX_WINDOWS = 40

#: Realisations drawn for one window.
MAX_LINES = 8


@dataclass(frozen=True)
class Precision:
    """What float32 and float64 make of one window.

    start, last: delta = rms(u64 - u32) / rms fluctuation at step 1 and at the last finite step,
    None without a record.  rates, basins: of float32 and float64, as the test noted them.
    """

    model: str
    label: str
    start: float | None
    last: float | None
    last_step: int | None
    rates: tuple[float | None, float | None]
    basins: tuple[str, str]


def precisions(run: Run, records: Sequence[Rollout]) -> list[Precision]:
    """One row per twin, in the order of the records."""
    notes = noted(run)
    rows = []
    for twin in records:
        if twin.entry.kind == "twin":
            rows.append(_precision(twin, notes.get(twin.window, {})))
    return rows


def _precision(twin: Rollout, notes: Notes) -> Precision:
    start = last = step = None
    if twin.has("vrmse_joint", "step"):
        delta = twin.data["vrmse_joint"].dropna("step")
        if 1 in delta["step"]:
            start, last = float(delta.sel(step=1)), float(delta[-1])
            step = int(delta["step"][-1])
    rates = (notes.get("lambda_fp32"), notes.get("lambda_fp64"))
    basins = (notes.get("basin_fp32"), notes.get("basin_fp64"))
    return Precision(
        model=twin.model,
        label=twin.label,
        start=start,
        last=last,
        last_step=step,
        rates=(_number(rates[0]), _number(rates[1])),
        basins=(str(basins[0] or ""), str(basins[1] or "")),
    )


def _number(value: float | str | None) -> float | None:
    return value if isinstance(value, float) else None


def realisations(records: Sequence[Rollout], models: Sequence[str]) -> list[dict[str, Any]]:
    """Growth of every channel in all realisations of a window, for windows that have several.

    Each is {"model", "label", "channels", "x": steps, "lines": [{"name", "rows"}]} with
    rows[channel][step] = var(t) / var(0), None where it is not finite.
    """
    windows: dict[tuple[Any, ...], list[Rollout]] = {}
    for record in records:
        if record.has("variance", "step", "channel"):
            windows.setdefault(record.window, []).append(record)
    several = [group for group in windows.values() if len(list(_sides(group))) > 1]
    kept: list[list[Rollout]] = []
    for model in models:
        own = [group for group in several if group[0].model == model]
        kept += own[: max(1, MAX_WINDOWS // len(models))]
    return [_compared(group) for group in kept]


def _sides(group: Sequence[Rollout]) -> Iterator[tuple[str, xr.Dataset]]:
    """Every realisation of a window with its name: draws, then a twin's float64 side.

    The float32 side of a twin repeats the first draw, except where there is no rollout.
    """
    draws = [record for record in group if record.entry.kind == "rollout"]
    for record in draws:
        entry = record.entry
        draw = "" if len(draws) == 1 else f", draw {entry.draw}"
        yield f"{entry.precision}{draw}", record.pred
    for record in group:
        if record.entry.kind == "twin":
            if not draws:
                yield "fp32", record.pred
            yield "fp64", record.truth


def _compared(group: Sequence[Rollout]) -> dict[str, Any]:
    first = group[0]
    steps = [int(step) for step in first.data["step"].values]
    at = thin(steps, ())
    shown = [steps[index] for index in at]
    return {
        "model": first.model,
        "label": first.label,
        "channels": [str(name) for name in first.data["channel"].values],
        "x": shown,
        "lines": [
            {"name": name, "rows": _growth(side, shown)}
            for name, side in list(_sides(group))[:MAX_LINES]
        ],
    }


def _growth(side: xr.Dataset, steps: Sequence[int]) -> list[list[float | None]]:
    variance = side["variance"].transpose("channel", "step")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = variance.reindex(step=list(steps)).values / variance.isel(step=[0]).values
    return [compact_all(row) for row in ratio]


def distances(records: Sequence[Rollout]) -> list[dict[str, Any]]:
    """delta(t) of every twin, from step 1: {"model", "label", "x": steps, "y"}."""
    found: list[dict[str, Any]] = []
    for twin in records:
        if twin.entry.kind == "twin" and twin.has("vrmse_joint", "step"):
            delta = twin.data["vrmse_joint"].sel(step=slice(1, None))
            steps = [int(step) for step in delta["step"].values]
            at = thin(steps, ())
            found.append({
                "model": twin.model,
                "label": twin.label,
                "x": [steps[index] for index in at],
                "y": compact_all(delta.values[at]),
            })  # fmt: skip
    return found
