"""Mass is conserved and never negative."""

from harness.jobs import rollout
from harness.properties import property_test

#: Relative drift of the mean density over a rollout.
MASS_DRIFT = 2e-4


@property_test(reads=[rollout()], needs={"density", "closed"}, control="control:mass-drift")
def test_mass(record, judge):
    """The mean density is conserved: a closed box lets no mass out.

    Sources: CATS, arXiv 2010.11227, the simulations of MHD_64.
    """
    pred, truth = (side["mean"].sel(channel="rho") for side in (record.pred, record.truth))
    judge((pred - truth) / truth.sel(step=0), MASS_DRIFT, "drift of <rho>", "exact invariant")


@property_test(reads=[rollout()], needs={"density"}, control="control:negative-cells")
def test_positivity(record, judge, note):
    """Density is nowhere negative, unless the truth's own low-passed frames undershoot.

    Sources: CATS, arXiv 2010.11227, the simulations of MHD_64.
    """
    note["lowest_density"] = float(record.pred["minimum"].sel(channel="rho").min(skipna=False))
    judge(
        record.pred["negative_density"],
        record.truth["negative_density"],
        "fraction of cells with rho < 0",
        "the truth's own fraction",
    )
