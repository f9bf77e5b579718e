"""Energy sits at the scales where turbulence puts it."""

import pytest

from harness.diagnostics import series
from harness.jobs import rollout
from harness.properties import property_test
from harness.statistics import departure

#: A slope through fewer shells says nothing.
LEAST_SHELLS = 5


@property_test(
    reads=[rollout()],
    needs={"periodic"},
    criteria=("slope", "shape", "pileup"),
    control={"slope": "control:blur", "shape": "control:blur", "pileup": "control:pile-up"},
)
def test_spectral_slope(record, criterion, protocol, ensemble, judge):
    """The perpendicular energy spectrum keeps slope, shape and tail.

    E(k_perp) of each field, summed over k_par.  Slope: least squares of ln E on ln k over the
    protocol's inertial range.  Shape: largest |ln(E_p / E_u)| over the shells that hold more than
    1e-6 of the truth's peak.  Pile-up: energy per mode in [3N/8, N/2) over that in [N/8, N/4).
    """
    if criterion == "slope":
        if protocol.inertial_range is None:
            pytest.skip(f"not applicable: {protocol.name} knows no inertial range")
        low, high = protocol.inertial_range
        if high - low + 1 < LEAST_SHELLS:
            pytest.skip(f"not applicable: {high - low + 1} shells between {low} and {high}")
        slope = series.slope(low, high)
        judge(departure(record, slope), ensemble.width(slope), "|d slope|")
    elif criterion == "shape":
        width = ensemble.shape_width()
        distance = series.shape_distance(record.pred, record.truth)
        judge(distance, width, "max |ln(E_p/E_u)|")
    else:
        judge(departure(record, series.ln_pileup), ensemble.width(series.ln_pileup), "|d ln pile-up|")
