"""A blow-up made by rounding is no physics, and neither is a pretended float64."""

import json

import pytest
import xarray as xr

from harness.diagnostics.series import basin
from harness.diagnostics.structure import LEAST_STEPS, growth_rate
from harness.jobs import audit, twin
from harness.properties import property_test

#: delta(1) of a model whose float32 step loses at most two digits to cancellation.
START = 1e-5
#: lambda agrees between precisions to this many e-folds per step, or to 3 standard errors.
RATE = 0.01


@property_test(
    reads={"audit": [audit()], "start": [twin()], "outcome": [twin()]},
    asks={"dtype"},
    control={
        "audit": "control:leak",
        "start": "control:cancellation",
        "outcome": "control:rounding-branch",
    },
    cost="expensive",
)
def test_fp64_invariance(record, criterion, judge, note):
    """What a rollout does, it does in float64 as well as in float32.

    Audit: no operator below float64 touches the state of a float64 step.  Start: the first step
    differs by rounding only, delta(1) = rms(u64 - u32) / rms fluctuation.  Outcome: both precisions
    end in the same basin and grow at the same rate.

    Sources: Higham, Accuracy and Stability of Numerical Algorithms, 2002.
    """
    if criterion == "audit":
        note["leaks"] = json.dumps(json.loads(record.data.attrs["leaks"]))
        calls = float(record.data["low_precision_calls"])
        judge(calls, 0.0, "operators below float64", "none is allowed on the state path")
    elif criterion == "start":
        delta = record.data["vrmse_joint"]
        note["delta_last"] = float(delta[-1])
        judge(float(delta.sel(step=1)), START, "delta(1)", "two digits above float32 rounding")
    else:
        if record.data.sizes["step"] < LEAST_STEPS:
            pytest.skip("not applicable: a rate needs two steps or more")
        sides = (record.truth, record.pred)
        rates = [growth_rate(side["variance"].values) for side in sides]
        basins = [basin(side) for side in sides]
        note.update(zip(("lambda_fp64", "lambda_fp32"), (r.rate for r in rates), strict=True))
        note.update(zip(("basin_fp64", "basin_fp32"), basins, strict=True))
        error = 3 * (rates[0].error ** 2 + rates[1].error ** 2) ** 0.5
        parts = {"part": ["lambda", "basin"]}
        figure = [rates[0].rate - rates[1].rate, float(basins[0] != basins[1])]
        judge(
            xr.DataArray(figure, dims="part", coords=parts),
            xr.DataArray([max(RATE, error), 0.5], dims="part", coords=parts),
            "|lambda64 - lambda32| or basins differ",
            "max(0.01, 3 standard errors of the fits); equal basins",
        )
