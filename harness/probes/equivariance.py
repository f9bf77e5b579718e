"""Does a surrogate treat equal states equally?  Symmetry defects of one step.

Over orbits of exact symmetries, as in Gruver et al., arXiv 2210.02984, whose Lie derivatives are
the same defect for infinitesimal maps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from torch import Tensor

from harness.fields import FieldLayout
from harness.probes.scales import norm, sigma
from harness.probes.symmetry import Symmetry
from harness.stepping import Stepper


def defects(
    advance: Stepper,
    history: Tensor,
    target: Tensor,
    symmetries: Sequence[Symmetry],
    layout: FieldLayout,
    redrawn: Stepper | None = None,
) -> xr.Dataset:
    """Symmetry defects of the first step, in units of that step's length.

        defect(R) = || R f(u) - f(R u) || / || f(u) - u ||,

    u the history, whose last frame f(u) is compared with, and || || the rms over cells and
    channels, each channel in units of its sigma in the last input frame.

    target: the truth's next frame.  redrawn: the same map with another draw, of a stochastic model.
    Every evaluation of `advance` gets the same random numbers: they are not moved along with the
    state, and what that costs is measured by `floor`.

    Returns `defect` (symmetry), with the coordinate `family`; `error`, || f(u) - target ||, and
    `floor`, || f(u) - redrawn(u) || (0 without), in the same unit; `step`, || f(u) - u || itself.
    A model that stands still has no step: then the truth's is the unit.
    """
    unit = sigma(history[-1])
    frame = advance(history, 1)
    step = norm(frame - history[-1], unit)
    length = step or norm(target - history[-1], unit)
    found = [
        norm(symmetry(frame, layout) - advance(symmetry(history, layout), 1), symmetry_unit)
        for symmetry in symmetries
        for symmetry_unit in (sigma(symmetry(history[-1], layout)),)
    ]
    floor = 0.0 if redrawn is None else norm(frame - redrawn(history, 1), unit)
    return xr.Dataset(
        {
            "defect": ("symmetry", np.asarray(found) / length),
            "error": ((), norm(frame - target, unit) / length),
            "floor": ((), floor / length),
            "step": ((), step),
        },
        coords={
            "symmetry": [symmetry.name for symmetry in symmetries],
            "family": ("symmetry", [symmetry.family for symmetry in symmetries]),
        },
    )
