"""Equal causes, equal effects, wherever they are and whichever way they point."""

import json

import pytest

from harness.diagnostics.series import across, basin
from harness.jobs import branch, probe, rollout
from harness.properties import property_test

STEP = probe("equivariance")
TURNED = branch(symmetry="rotation")
#: The embedded truth itself is that symmetric: its integrator's products alias, and a shift by a
#: stored cell is no whole number of the cells it works on.  Its defects reach 2e-3.
DISCRETE = 5e-3
#: However wrong a model is, breaking a symmetry by more than it moves is not excused by that: an
#: untrained network moves little, and its error is many of its own steps.
WHOLE_STEP = 1.0


@property_test(
    reads={
        "rotation": [STEP, rollout(), TURNED],
        "reflection": [STEP],
        "translation": [STEP],
    },
    asks={"responds", "autonomous"},
    windows="first",
    control={
        "rotation": "control:carried",
        "reflection": "control:carried",
        "translation": "control:stirred",
    },
    cost="moderate",
)
def test_equivariance(readings, criterion, judge, note):
    """A turned, mirrored or shifted state has the turned, mirrored or shifted future.

    |R f(u) - f(R u)| / |f(u) - u| over quarter turns about the guide field, reflections (B is
    axial) and translations by 1, 2 and 4 cells.  A model may break a symmetry by no more than it
    is wrong on the same step, and never by more than that step, or by three times what another draw
    changes.

    Sources: Gruver et al., arXiv 2210.02984, on learned equivariance.
    """
    record = readings[STEP].data
    reasons = json.loads(record.attrs["reasons"])
    if criterion in reasons:
        pytest.skip(f"not applicable: {reasons[criterion]}")
    defect = record["defect"].where(record["family"] == criterion, drop=True)
    error, floor = float(record["error"]), float(record["floor"])
    note["error"], note["draw_floor"] = error, floor
    note["defect_mean"] = float(defect.mean())
    if criterion == "rotation":
        note.update(_swap(readings))
    judge(
        defect.drop_vars("family"),
        max(3 * floor, min(error, WHOLE_STEP), DISCRETE),
        "|R f(u) - f(R u)| / |f(u) - u|",
        "max(3 x draw floor, min(|f(u) - truth| / |f(u) - u|, 1), 0.005)",
    )


def _swap(readings):
    """Whether the component that grows turns with the input; asked where one grows alone."""
    bare = readings[rollout()].pred
    if "magnetic_field" not in set(bare["field"].values):
        return {}
    names = list(across(bare))
    grown = basin(bare)
    if grown not in names:
        return {"basin": grown}
    turned = basin(readings[TURNED].pred)
    moved = names[1 - names.index(grown)]
    return {
        "basin": grown,
        "basin_of_turned_input": turned,
        "basin_turns": {moved: "yes", grown: "no"}.get(turned, f"neither: {turned}"),
    }
