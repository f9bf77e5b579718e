"""Does it matter at which time of a simulation a rollout starts?"""

import numpy as np
import pytest

from harness.diagnostics.errors import vrmse
from harness.diagnostics.series import basin
from harness.diagnostics.structure import LEAST_STEPS, growth_rate
from harness.jobs import rollout
from harness.properties import property_test
from harness.statistics import population_figures
from harness.statistics.detectability import sign_test
from harness.statistics.intervals import LEAST

#: Two-sided p below which the windows differ: 0.05 over the two criteria that have a p.
SIGNIFICANT = 0.05 / 2


def figure(record, criterion):
    """One figure of one window."""
    if criterion == "lambda":
        return growth_rate(record.pred["variance"].values).rate
    truth, cells = record.truth.sel(step=1), record.data.attrs["cells"]
    errors = (record.data["mse"].sel(step=1), np.square(truth["increment"]))
    model, persistence = (vrmse(e.values, truth["variance"].values, cells, "seed") for e in errors)
    return float(model / persistence)


@property_test(
    reads=[rollout()], population=True, pooled=True, criteria=("step1_vrmse", "lambda", "basin")
)
def test_window_dependence(records, criterion, judge, note):
    """A model does as well from one time of a simulation as from another.

    The windows of one simulation, of all protocols of the run that hold it, are paired: mean over
    the later windows minus the first.  Step-1 VRMSE[seed] over persistence, lambda, and
    whether two windows end in different basins.  Below 8 simulations values and range are recorded
    and nothing is judged; from 8 on the exact sign test must not tell the windows apart, at p < 0.05
    for both figures together.
    """
    if criterion == "lambda" and any(case.window.steps + 1 < LEAST_STEPS for case, _ in records):
        pytest.skip("not applicable: a rate needs two steps or more")
    windows = {}
    for case, record in records:
        windows.setdefault(case.window.simulation, {})[case.window.start] = record
    paired = {s.name: [found[k] for k in sorted(found)] for s, found in windows.items()}
    paired = {name: found for name, found in paired.items() if len(found) > 1}
    if not paired:
        pytest.skip("not applicable: every simulation has one window")
    if criterion == "basin":
        if "magnetic_field" not in set(records[0][1].data["field"].values):
            pytest.skip("not applicable: the data has no magnetic_field")
        basins = {name: [basin(r.pred) for r in found] for name, found in paired.items()}
        note.update((name, " ".join(found)) for name, found in basins.items())
        note["n"] = float(len(basins))
        note["differ"] = float(sum(len(set(found)) > 1 for found in basins.values()))
        return
    differences = {}
    for name, found in paired.items():
        first, *later = (figure(record, criterion) for record in found)
        differences[name] = float(np.mean(later) - first)
    note.update(differences)
    note.update(population_figures(list(differences.values())))
    if len(differences) >= LEAST:
        p = sign_test(list(differences.values()))
        judge(1 - p, 1 - SIGNIFICANT, "1 - p", f"exact sign test, n = {len(differences)}")
