"""Does the rollout stay alive and bounded?"""

import numpy as np

from harness.diagnostics.increments import smoothed
from harness.diagnostics.structure import growth_rate, onset
from harness.jobs import rollout
from harness.properties import property_test
from harness.statistics import departure, ln_variance


@property_test(reads=[rollout()])
def test_bounded_rollout(record, ensemble, judge, note):
    """The variance of every channel stays as near to the truth's as truth stays to truth."""
    rate = growth_rate(record.pred["variance"].values)
    note["lambda"] = rate.rate
    note["lambda_error"] = rate.error
    note["lambda_channel"] = str(record.data["channel"].values[rate.channel])
    for channel, step in zip(record.data["channel"].values, onset(record.pred["variance"].values)):
        note[f"onset_{channel}"] = None if step is None else float(step)
    judge(departure(record, ln_variance), ensemble.width(ln_variance), unit="|d ln var|")


def ln_activity(side):
    """ln of the increments' rms, averaged over 5 steps; step 1 is the jump onto the model."""
    activity = smoothed(side["increment"].sel(step=slice(2, None)))
    return np.log(activity)


@property_test(reads=[rollout()])
def test_liveness(record, ensemble, judge):
    """Every channel keeps changing at the truth's pace: no channel freezes, none rattles."""
    width = ensemble.width(ln_activity)
    limit = np.maximum(width.value, np.log(2))
    judge(departure(record, ln_activity), limit, unit="|ln l|", basis=f"max(ln 2, {width.basis})")
