"""Energy sits at the scales where turbulence puts it."""

import numpy as np
import pytest

from harness.diagnostics import series
from harness.jobs import rollout
from harness.properties import property_test
from harness.statistics import departure

#: A slope through fewer shells says nothing.
LEAST_SHELLS = 5
#: The 7 modes of the smallest lattice, stride 2, hold 4 times their share by chance once in 4500 where
#: they count alike, as those of a scalar with a k^-5/3 spectrum do about, and once in 270 in white
#: noise, whose largest |k| count most.  In a plane, where they are 3: once in 135 and in 50.
CHANCE = 4.0


@property_test(
    reads=[rollout()],
    needs={"periodic"},
    criteria=("slope", "shape", "pileup"),
    control={"slope": "control:blur", "shape": "control:blur", "pileup": "control:pile-up"},
)
def test_spectral_slope(record, criterion, protocol, ensemble, judge, note):
    """The perpendicular energy spectrum keeps slope, shape and tail.

    E(k_perp) of each field, summed over k_par.  Slope: least squares of ln E on ln k over the
    protocol's `inertial_range` of shells, whether or not the truth has a power law there.  Shape:
    largest |ln(E_p / E_u)| over the shells that hold more than 1e-6 of the truth's peak.  Pile-up:
    energy per mode in [3N/8, N/2) over that in [N/8, N/4).
    Recorded beside the shape: the last shell up to which every channel is coherent with the truth.

    Sources: Schekochihin, arXiv 2010.00699; PDE-Refiner, arXiv 2308.05732, on the scales that a
    one-step error does not see.
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
        reach = record.data["predicted_shell"].min("channel", skipna=False)
        note["predicted_shell_first"], note["predicted_shell_last"] = map(float, reach[[0, -1]])
        width = ensemble.shape_width()
        distance = series.shape_distance(record.pred, record.truth)
        judge(distance, width, "max |ln(E_p/E_u)|")
    else:
        judge(departure(record, series.ln_pileup), ensemble.width(series.ln_pileup), "|d ln pile-up|")


@property_test(reads=[rollout()], needs={"periodic"}, control="control:comb")
def test_patch_imprint(record, ensemble, judge, note):
    """A model that works in patches leaves no lattice of them in its fields.

    R = k^4-weighted energy at wavenumbers that are multiples of N/s along every axis, over that of
    their neighbours, for tokens of s cells; R < 1 counts as 1.  s is the model's own `token_stride`
    where it declares one, else every divisor from 2 to 16 that leaves 4 tokens a side, and the worst
    counts.

    Sources: McCabe et al., arXiv 2306.10619, on aliasing; Walrus, arXiv 2511.15684, on patch
    jitter.
    """
    if "patch_imprint" not in record.data:
        pytest.skip("not applicable: no token stride divides the sides of this grid")
    measured = [int(stride) for stride in record.data["stride"]]
    declared = int(record.data.attrs["token_stride"])
    if declared and declared not in measured:
        pytest.skip(f"not applicable: token stride {declared} is none of those measured, {measured}")
    note["token_stride"] = float(declared) if declared else "not declared"
    imprint = series.ln_imprint([declared] if declared else measured)
    width = ensemble.width(imprint)
    limit = np.maximum(width.value, np.log(CHANCE))
    judge(departure(record, imprint), limit, "|d ln R|", f"max(ln {CHANCE:g}, {width.basis})")
