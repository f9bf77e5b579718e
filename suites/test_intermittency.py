"""Strong events sit where turbulence puts them: in sheets, shocks and voids, at small scales."""

import pytest

from harness.diagnostics import series
from harness.diagnostics.structure_functions import LEAST_LAGS
from harness.jobs import rollout
from harness.properties import property_test
from harness.statistics import departure


@property_test(
    reads=[rollout()],
    needs={"periodic"},
    criteria=("kurtosis", "scaling", "skewness"),
    control={
        "kurtosis": "control:clump",
        "scaling": "control:clump",
        "skewness": "control:void",
    },
)
def test_intermittency(record, criterion, ensemble, judge, note):
    """Increments and densities are as unevenly distributed as the truth's.

    From structure functions S_p(l) = <|u(x + l) - u(x)|^p> of every field, for l along and across
    the local magnetic field.  Kurtosis: S_4 / S_2^2 at the smallest separation.  Scaling: zeta_4 /
    zeta_2, the slope of ln S_4 on ln S_2, which is 2 without intermittency.  Skewness: that of ln
    rho over the cells with rho > 0; where more than 1 % of the cells have none it is undefined, which
    violates.  What is caught is too much of it rather than too little: single frames come so near to
    Gaussian increments that W allows them.  Of frames of the embedded truth given random phases, 2 %
    break kurtosis, 6 % scaling and 1 % skewness (`docs/widths.py`).

    Sources: She and Leveque 1994, Phys. Rev. Lett. 72, 336; Schekochihin, arXiv 2010.00699.
    """
    if criterion == "kurtosis":
        kurtosis = series.ln_kurtosis
        judge(departure(record, kurtosis), ensemble.width(kurtosis), "|d ln kurtosis|")
    elif criterion == "scaling":
        if record.data.sizes["lag"] < LEAST_LAGS:
            pytest.skip(f"not applicable: {record.data.sizes['lag']} separations on this grid")
        exponent = series.relative_exponent
        judge(departure(record, exponent), ensemble.width(exponent), "|d zeta_4/zeta_2|")
    else:
        if "ln_density_skewness" not in record.data:
            pytest.skip("not applicable: the data has no density")
        note["cells_without_logarithm"] = float(series.without_logarithm(record.pred).max())
        skewness = series.ln_density_skewness
        judge(departure(record, skewness), ensemble.width(skewness), "|d skewness of ln rho|")
