"""There are no magnetic monopoles, and the flux through a periodic box never changes."""

import json

import numpy as np

from harness.diagnostics.series import ln_stencil_divergence
from harness.jobs import rollout
from harness.properties import property_test
from harness.statistics import departure

#: D = 0.03 is 0.1 % of the k^2-weighted magnetic energy in gradients.
FLOOR = 0.03
#: Drift of a mean field component over a rollout, in units of the guide field, or of the field's
#: rms where there is no guide field.
FLUX_DRIFT = 1e-3


@property_test(
    reads=[rollout()],
    needs={"magnetic_field", "periodic"},
    criteria=("spectral", "stencil"),
    control="control:monopoles",
)
def test_div_b_ratio(record, criterion, ensemble, judge, note):
    """The magnetic field stays solenoidal, to the truth's own floor.

    Spectral: D = sqrt(sum |k.B|^2 / sum k^2 |B|^2).  Stencil: rms of the centred difference over
    mean |B|, the study's measure, which an exactly solenoidal field does not bring to zero.

    Sources: Toth 2000, J. Comput. Phys. 161, 605.
    """
    if criterion == "spectral":
        floor = np.maximum(1.5 * record.truth["div_b_spectral"], FLOOR)
        judge(record.pred["div_b_spectral"], floor, "D", "max(1.5 D of the truth, 0.03)")
    else:
        ratio = record.pred["div_b_stencil"] / record.truth["div_b_stencil"]
        note["last_over_truth"] = float(ratio[-1])
        note["over_truth_50"] = float(ratio.sel(step=50)) if 50 in ratio["step"] else None
        width = ensemble.width(ln_stencil_divergence)
        judge(departure(record, ln_stencil_divergence), width, "|d ln(rms div B / mean |B|)|")


@property_test(reads=[rollout()], needs={"magnetic_field", "periodic"}, control="control:flux-drift")
def test_magnetic_flux(record, judge):
    """Each component of the mean magnetic field is conserved: a periodic box lets no flux out.

    In units of the mean field B0 of the last input frame, or of the field's rms where that is less
    than 1e-3 of it.

    Sources: Schekochihin, arXiv 2010.00699; CATS, arXiv 2010.11227, the simulations of MHD_64.
    """
    magnetic = record.data["field"] == "magnetic_field"
    drift = (record.pred["mean"] - record.truth["mean"]).where(magnetic, drop=True)
    guide = np.linalg.norm(json.loads(record.data.attrs["guide"]))
    unit = guide or float(record.truth["rms_b"].sel(step=0))
    judge(drift / unit, FLUX_DRIFT, "drift of <B> / B0", "exact invariant of a periodic box")
