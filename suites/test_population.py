"""Figures over all simulations of a protocol: what is typical, and how far they scatter."""

import numpy as np
import pytest

from harness.diagnostics.errors import CONVENTIONS
from harness.diagnostics.structure import LEAST_STEPS, growth_rate
from harness.jobs import rollout
from harness.properties import property_test
from harness.statistics import departure, population_figures
from harness.statistics.survival import first_violation, survival

STEP1 = {f"step1_vrmse_{convention}": f"vrmse_{convention}" for convention in CONVENTIONS}


def by_simulation(records, figure):
    """Simulation -> the figures of its windows."""
    found = {}
    for case, record in records:
        found.setdefault(case.window.simulation.name, []).append(figure(case, record))
    return found


@property_test(reads=[rollout()], population=True, criteria=(*STEP1, "lambda"))
def test_population(records, criterion, note):
    """What is typical of the model, and how much its simulations scatter.

    The simulation is the unit: its windows are averaged first.  Below 8 simulations the values and
    their range are recorded, with the probability 1 - 2^(1-n) that the range covers the median;
    from 8 on a BCa bootstrap interval of the median stands beside them.
    """
    if criterion == "lambda" and any(case.window.steps + 1 < LEAST_STEPS for case, _ in records):
        pytest.skip("not applicable: a rate needs two steps or more")

    def figure(case, record):
        if criterion == "lambda":
            return growth_rate(record.pred["variance"].values).rate
        return float(record.data[STEP1[criterion]].sel(step=1))

    means = {name: float(np.mean(values)) for name, values in by_simulation(records, figure).items()}
    note.update(means)
    note.update(population_figures(list(means.values())))


@property_test(reads=[rollout()], population=True, needs={"magnetic_field"})
def test_population_divergence(records, note):
    """How far the magnetic field has left solenoidal ones at the end, over all simulations.

    rms(centred div B) / mean |B| of the last predicted step, over the truth's; windows of a
    simulation are averaged.
    """

    def figure(case, record):
        return float((record.pred["div_b_stencil"] / record.truth["div_b_stencil"])[-1])

    means = {name: float(np.mean(values)) for name, values in by_simulation(records, figure).items()}
    note.update(means)
    note.update(population_figures(list(means.values())))


@property_test(reads=[rollout()], population=True)
def test_survival(records, physics, note):
    """How many rollouts stay bounded, and for how long.

    A rollout survives until the first step that violates bounded_rollout; the curve over all
    windows is the Kaplan-Meier estimate, censored at the last predicted step.
    """

    def end(case, record):
        ensemble = physics.ensemble(case)
        width = ensemble.width(ensemble.ln_variance).value
        apart = np.abs(departure(record, ensemble.ln_variance))
        margin = (apart / width).max("channel", skipna=False)[1:]
        return first_violation(margin["step"].values, margin.values, np.ones(len(margin)))

    ends = by_simulation(records, end)
    horizon = max(case.window.steps for case, _ in records)
    for name, steps in ends.items():
        note[name] = ", ".join("lasts" if step is None else str(step) for step in steps)
    curve = survival([step for steps in ends.values() for step in steps], horizon)
    note["simulations"], note["windows"] = float(len(ends)), float(curve.n)
    note["horizon"] = float(horizon)
    note["surviving"] = curve.share[-1]
    note["median_survival"] = None if curve.median is None else float(curve.median)
