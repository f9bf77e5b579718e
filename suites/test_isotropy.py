"""Turbulence around a guide field does not prefer a direction across it."""

import numpy as np

from harness.diagnostics import magnetic
from harness.jobs import rollout
from harness.properties import property_test
from harness.statistics import departure


@property_test(reads=[rollout()], needs={"magnetic_field"})
def test_perpendicular_isotropy(record, ensemble, judge, note):
    """The two magnetic components perpendicular to the guide field keep comparable variances."""
    ...
