"""From the leading growth of errors to what a rollout will come to, and nothing but that."""

from __future__ import annotations

import numpy as np
import xarray as xr

from harness.diagnostics.series import across
from harness.diagnostics.structure import GROWN


def forecast(growth: xr.Dataset, side: xr.Dataset) -> dict[str, float | str]:
    """The end of a rollout as linear growth of its present error would have it.

    At step K the rollout's error holds a sigma of the unit direction v, and v grows by exp(r) a
    step.  The variance of channel c over that of the input frame is then, at the last step T,

        ratio_c(T) = var_c(K) / var_c(0) + a^2 <v_c^2> exp(2 r (T - K)).

    growth: the probe's record.  side: one side of the rollout's record, of which only the steps up
    to K are read.

    Returns `ln_growth`, ln of the largest ratio; `channel`, whose it is; and, with a magnetic
    field, `basin`: which components across the guide field have grown tenfold by then ("none",
    the name of one, "both").
    """
    step = int(growth["last_step"])
    left = side.sizes["step"] - 1 - step
    rate = float(growth["mean_rate"])
    variance = side["variance"].values
    with np.errstate(over="ignore", invalid="ignore"):
        present = variance[step] / variance[0]
        added = float(growth["amplitude"]) ** 2 * growth["content"].values * np.exp(2 * rate * left)
        ratio = present + np.where(np.isnan(added), np.inf, added)
    channels = [str(name) for name in side["channel"].values]
    found: dict[str, float | str] = {
        "ln_growth": float(np.log(np.max(ratio))),
        "channel": channels[int(np.argmax(ratio))],
    }
    if "magnetic_field" in set(side["field"].values):
        grown = [name for name, channel in across(side).items() if ratio[channel] > GROWN]
        found["basin"] = "none" if not grown else grown[0] if len(grown) == 1 else "both"
    return found
