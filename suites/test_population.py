"""Figures over all simulations of a protocol: what is typical, and how far they scatter."""

import numpy as np

from harness.diagnostics.structure import growth_rate
from harness.jobs import rollout
from harness.properties import property_test
from harness.statistics import median_range


def figures(case, record, criterion):
    """One figure of one window."""
    if criterion == "step1_vrmse":
        return float(record.data["vrmse_seed"].sel(step=1))
    if criterion == "lambda":
        return growth_rate(record.pred["variance"].values).rate
    ratio = record.pred["div_b_spectral"] / record.truth["div_b_spectral"]
    return float(ratio[-1])


@property_test(reads=[rollout()], population=True, criteria=("step1_vrmse", "lambda", "div_b_growth"))
def test_population(records, criterion, note):
    """What is typical of the model, and how much its simulations scatter.

    The simulation is the unit: its windows are averaged first.  Below 8 simulations the values and
    their range are recorded, with the probability 1 - 2^(1-n) that the range covers the median, and
    no verdict is given.
    """
    per_simulation = {}
    for case, record in records:
        values = per_simulation.setdefault(case.window.simulation.name, [])
        values.append(figures(case, record, criterion))
    means = {name: float(np.mean(values)) for name, values in per_simulation.items()}
    note.update(means)
    note.update(median_range(list(means.values())))
