"""Rollouts that stand still: what a measure says of given frames, as a record."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr
from torch import Tensor

from harness.diagnostics.measure import Measure
from harness.rollout import roll


def standing(
    measure: Measure, frames: Sequence[Tensor], steps: int, structure: Sequence[int] = ()
) -> xr.Dataset:
    """The measured part of a record whose sides, the truth first, show one frame at every step."""
    sources = {
        side: lambda step, frame=frame: frame
        for side, frame in zip(("truth", "prediction"), frames, strict=False)
    }
    data = roll(sources, steps, measure, structure=structure)
    return data.assign_attrs(cells=frames[0][0].numel())
