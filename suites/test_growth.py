"""Does the rollout stay alive and bounded?"""

import numpy as np
import pytest

from harness.diagnostics.series import ln_activity, ln_variance
from harness.diagnostics.structure import growth_rate, onset
from harness.jobs import rollout
from harness.properties import property_test
from harness.statistics import departure


@property_test(reads=[rollout()], control="control:blow-up")
def test_bounded_rollout(record, ensemble, judge, note):
    """The variance of every channel stays as near to the truth's as truth stays to truth.

    Within one simulation the components of the velocity vary too little to judge another by: with no
    other, each is recorded, and their sum is judged.  A channel that is uniform in every frame of the
    truth is not judged.

    Sources: McCabe et al., arXiv 2306.10619, on the stability of autoregressive neural operators;
    APEBench, arXiv 2411.00180.
    """
    variance, channels = record.pred["variance"].values, record.data["channel"].values
    growth = growth_rate(variance)
    note["lambda"] = growth.rate
    note["lambda_error"] = growth.error
    note["lambda_channel"] = str(channels[growth.channel])
    onsets = onset(variance)
    for channel, step in zip(channels, onsets, strict=True):
        note[f"onset_{channel}"] = None if step is None else float(step)
    note["survival_x10"] = min((float(step) for step in onsets if step is not None), default=None)
    note["uniform_in_truth"] = " ".join(channels[~record.truth["variance"].values.any(0)]) or None
    if ensemble.single:
        velocity = record.data["field"] == "velocity"
        apart = np.abs(departure(record, ln_variance)).where(velocity, drop=True)
        for channel in apart["channel"].values:
            note[f"d_ln_var_{channel}"] = float(apart.sel(channel=channel).max(skipna=False))
    judged = ensemble.ln_variance
    judge(departure(record, judged), ensemble.width(judged), "|d ln var|")


@property_test(reads=[rollout()], control="control:freeze")
def test_liveness(record, ensemble, judge):
    """Every channel keeps changing at the truth's pace: none freezes, none rattles.

    l = rms of the prediction's increments over the truth's, 5-step means, from step 2 on.

    Sources: Walrus, arXiv 2511.15684, whose reversible normalisation measures an increment in those
    before it; PDE-Refiner, arXiv 2308.05732.
    """
    if record.data.sizes["step"] < 3:
        pytest.skip("not applicable: increments count from step 2 on")
    width = ensemble.width(ln_activity)
    limit = np.maximum(width.value, np.log(2))
    judge(departure(record, ln_activity), limit, "|ln l|", f"max(ln 2, {width.basis})")
