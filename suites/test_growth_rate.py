"""How fast a small error grows along the rollout, where it points, and what it will come to."""

import numpy as np

from harness.diagnostics.series import basin
from harness.diagnostics.structure import growth_rate as observed_growth
from harness.jobs import of_solver, probe, rollout
from harness.probes.forecast import forecast
from harness.properties import property_test

ALONG = probe("growth_rate")
#: A turbulent flow amplifies errors as well: a surrogate may do so twice as fast as the truth does.
ALLOWED = 2.0
#: e-folds per step; a factor of e over 50 steps is nothing to object to where the truth has decay.
FLOOR = 0.02


@property_test(
    reads=[ALONG, of_solver(ALONG), rollout()],
    asks={"responds"},
    windows="first",
    control="control:planted-growth",
    cost="expensive",
)
def test_growth_rate(readings, judge, note):
    """Small errors grow along the rollout no faster than twice the truth's own rate.

    Leading growth of the history map along the first steps of the rollout, e-folds per step; the
    truth's is that of its own integrator on the same window.  Recorded: what the growing direction
    is made of, the basin it forecasts, and what the rollout then did.

    Sources: Benettin et al. 1980, Meccanica 15, 9, on Lyapunov exponents.
    """
    record = readings[ALONG].data
    rate = float(record["mean_rate"])
    share = record["share"].isel(step=-1)
    note["rate"], note["rate_error"] = rate, float(record["rate_error"])
    note["method"] = record.attrs["method"]
    for channel in share["channel"].values:
        note[f"share_{channel}"] = float(share.sel(channel=channel))
    if "spectrum" in record:
        spectrum = record["spectrum"].values
        note["k_perp_peak"] = float(np.argmax(spectrum))
        note["k_perp_mean"] = float(spectrum @ np.arange(len(spectrum)))
    if "div_b_spectral" in record:
        note["divergence_share"] = float(record["div_b_spectral"]) ** 2
    side = readings[rollout()].pred
    for name, value in forecast(record, side).items():
        note[f"forecast_{name}"] = value
    seen = observed_growth(side["variance"].values)
    note["observed_lambda"], note["observed_lambda_error"] = seen.rate, seen.error
    note["observed_channel"] = str(side["channel"].values[seen.channel])
    if "magnetic_field" in set(side["field"].values):
        note["observed_basin"] = basin(side)
    own = readings.get(of_solver(ALONG))
    if own is None:
        return  # recorded: no integrator of this truth is at hand
    note["truth_rate"] = float(own.data["mean_rate"])
    limit = max(ALLOWED * note["truth_rate"], FLOOR)
    # A direction that decays breaks nothing, however fast; one that is not finite does.
    figure = max(rate, 0.0) if not np.isnan(rate) else np.inf
    judge(figure, limit, "growth rate", f"max({ALLOWED:g} x the truth's own, {FLOOR}) per step")
