"""Turbulence around a guide field prefers no direction across it."""

import numpy as np
import pytest

from harness.diagnostics.series import across, anisotropy, basin, decision_step, exclusivity
from harness.jobs import rollout
from harness.properties import property_test
from harness.statistics import departure

#: A truth frame alone reaches |A| = 0.5 (MHD_64, M_A = 0.7).
INSTANTANEOUS = 0.5


@property_test(reads=[rollout()], needs={"magnetic_field"}, control="control:one-component")
def test_perpendicular_isotropy(record, ensemble, judge, note):
    """The two magnetic components across the guide field keep comparable variances.

    A = ln(var B_y / var B_z) for a guide field along x, against the truth's own at the same frame.
    In general the two are those along the grid axes other than the one nearest to the guide field.

    Sources: Schekochihin, arXiv 2010.00699, a review of MHD turbulence.
    """
    if len(across(record.pred)) != 2:
        pytest.skip("not applicable: in a plane one component lies across the guide field")
    note["basin"] = basin(record.pred)
    note["decision_step"] = decision_step(record.pred)
    note["exclusivity_last"] = float(exclusivity(record.pred, record.truth)[-1])
    width = ensemble.width(anisotropy)
    limit = np.maximum(width.value, INSTANTANEOUS)
    judge(departure(record, anisotropy), limit, "|A_p - A_u|", f"max({INSTANTANEOUS}, {width.basis})")
