"""The basin table: which channel grows, how fast and from when, in every rollout.

Where there is a magnetic field with a mean, its two components across that mean have columns of
their own, whatever axis the mean lies on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from harness.diagnostics.series import across
from harness.report.rollouts import GUIDE, Rollout
from harness.report.text import window_label
from harness.results import Run

#: model, protocol, simulation, window
Place = tuple[str, str | None, str | None, int | None]

#: What tests recorded beside their verdicts.
Notes = Mapping[str, float | str | None]


@dataclass(frozen=True)
class Basin:
    """Growth in one rollout.

    growths: the two magnetic components across the guide field, each with its variance at the last
    finite step over step 0; empty without a magnetic field.
    basin, onset, rate, rate_error, fastest: as the tests noted them.
    """

    model: str
    label: str
    growths: tuple[tuple[str, float], ...]
    basin: str | None
    onset: str | None
    rate: float | None
    rate_error: float | None
    fastest: str | None
    last_step: int | None


def noted(run: Run) -> dict[Place, dict[str, float | str | None]]:
    """Everything the tests recorded beside their verdicts, gathered by rollout."""
    found: dict[Place, dict[str, float | str | None]] = {}
    for test in run.tests:
        place = (test.model, test.protocol, test.simulation, test.window)
        found.setdefault(place, {}).update(test.values)
    return found


def basins(run: Run, rollouts: Sequence[Rollout]) -> list[Basin]:
    """One row per model and window of the run that has a record or notes of growth."""
    records: dict[Place, Rollout] = {rollout.window: rollout for rollout in rollouts}
    notes = noted(run)
    places = [p for p in notes if p[2] is not None and (p in records or "lambda" in notes[p])]
    order = {model.name: index for index, model in enumerate(run.models)}
    places.sort(key=lambda place: order.get(place[0], len(order)))
    return [_basin(run, place, notes[place], records.get(place)) for place in places]


def components(rows: Sequence[Basin]) -> tuple[str, ...]:
    """Names of the components across the guide field: numbered where rollouts differ in them."""
    found = {tuple(channel for channel, _ in row.growths) for row in rows if row.growths}
    if len(found) == 1:
        return found.pop()
    return ("first across", "second across") if found else ()


def divergences(run: Run) -> list[str]:
    """`conv-mini on s3-w1: step 41 in B_z`, for every rollout that ceased to be finite."""
    return [
        f"{entry.model} on {window_label(run, entry.protocol, entry.simulation, entry.window)}: "
        f"step {entry.diverged_at} in {entry.diverged_in or 'an unnamed channel'}"
        for entry in run.records
        if entry.kind == "rollout" and entry.diverged_at is not None
    ]


def _basin(run: Run, place: Place, notes: Notes, rollout: Rollout | None) -> Basin:
    model, protocol, simulation, window = place
    return Basin(
        model=model,
        label=window_label(run, protocol, simulation, window),
        growths=() if rollout is None else _growths(rollout),
        basin=_text(notes.get("basin")),
        onset=_onsets(notes),
        rate=_float(notes.get("lambda")),
        rate_error=_float(notes.get("lambda_error")),
        fastest=_text(notes.get("lambda_channel")),
        last_step=None if rollout is None else _last_step(rollout),
    )


def _growths(rollout: Rollout) -> tuple[tuple[str, float], ...]:
    side = rollout.pred
    if not rollout.has("variance", "step", "channel") or not _magnetic(side):
        return ()
    variance = side["variance"].transpose("step", "channel").values[[0, rollout.last_finite]]
    names = side["channel"].values
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = variance[1] / variance[0]
    return tuple((str(names[channel]), float(ratio[channel])) for channel in across(side).values())


def _magnetic(side: xr.Dataset) -> bool:
    return GUIDE in side.attrs and "field" in side.coords and "magnetic_field" in side["field"].values


def _last_step(rollout: Rollout) -> int | None:
    if not rollout.has("variance", "step", "channel"):
        return None
    return int(rollout.data["step"].values[rollout.last_finite])


def _onsets(notes: Notes) -> str | None:
    """`B_z 31, B_y 44`: the channels that reached ten times their first variance, earliest first."""
    prefix = "onset_"
    found = [
        (step, name.removeprefix(prefix))
        for name, value in notes.items()
        if name.startswith(prefix) and (step := _float(value)) is not None
    ]
    return ", ".join(f"{channel} {step:.0f}" for step, channel in sorted(found)) or None


def _float(value: float | str | None) -> float | None:
    return value if isinstance(value, float) and math.isfinite(value) else None


def _text(value: float | str | None) -> str | None:
    return value if isinstance(value, str) and value else None
