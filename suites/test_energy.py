"""Energy is shared between velocity and magnetic field as the turbulence shares it."""

import numpy as np

from harness.diagnostics.series import (
    alignment,
    ln_elsasser,
    ln_fluctuation_ratio,
    residual_energy,
)
from harness.jobs import rollout
from harness.properties import property_test
from harness.statistics import departure

STATISTICS = {
    "ratio": (ln_fluctuation_ratio, "|d ln(E_B/E_K)|"),
    "residual": (residual_energy, "|d sigma_r|"),
    "cross_helicity": (alignment, "|d artanh sigma_c|"),
    "elsasser": (ln_elsasser, "|d ln E+-|"),
}


@property_test(
    reads=[rollout()],
    needs={"density", "magnetic_field", "velocity"},
    criteria=tuple(STATISTICS),
    control={
        "ratio": "control:weak-velocity",
        "residual": "control:weak-velocity",
        "cross_helicity": "control:aligned",
        "elsasser": "control:aligned",
    },
)
def test_energy_budget(record, criterion, ensemble, judge, note):
    """Velocity and magnetic field share energy, and are correlated, as in the truth.

    With b = dB / sqrt(<rho>) and v without its mean.  Ratio: fluctuating magnetic over kinetic energy,
    <dB^2> / <rho v^2>, with the mean of v.  Residual: sigma_r = <v^2 - b^2> / <v^2 + b^2>.  Cross
    helicity: sigma_c = 2 <v.b> / <v^2 + b^2>, compared as artanh sigma_c = ln(E+/E-) / 2.  Elsasser:
    E+- = <|v +- b|^2> / 4.  Cross helicity, an invariant of ideal MHD, changes little within one
    simulation, whose frames do not say how far simulations differ: with no other, it is recorded and
    not judged.

    Sources: Schekochihin, arXiv 2010.00699; Elsasser 1950, Phys. Rev. 79, 183.
    """
    note.update(_why_undefined(record.pred))
    statistic, unit = STATISTICS[criterion]
    apart = departure(record, statistic)
    if criterion == "cross_helicity":
        note["sigma_c_last"] = float(record.pred["cross_helicity"][-1])
        note["sigma_c_last_truth"] = float(record.truth["cross_helicity"][-1])
        if ensemble.single:
            note["departure"] = float(np.abs(apart.sel(step=slice(1, None))).max(skipna=False))
            return
    judge(apart, ensemble.width(statistic), unit)


def _why_undefined(side):
    """From which step on <rho>, under the root of b, and <rho v^2> are not positive; empty if never."""
    density = side["mean"].isel(channel=list(side["field"].values).index("density"))
    undefined = {"mean_density": density <= 0, "kinetic_energy": side["fluctuation_ratio"] < 0}
    first = {name: side["step"].values[holds.values][:1] for name, holds in undefined.items()}
    return {f"{name}_negative_from_step": float(*step) for name, step in first.items() if len(step)}
