"""From figures of trajectories to what may be said of a model.

departures: how far a rollout is from the truth, and the width W that it is judged against.
aggregates: one number for many trajectories and steps, by a named recipe.
intervals: how far that number may be from the one of all simulations.
survival: how long rollouts stay bounded.
detectability: what a comparison of n simulations can and cannot decide.

The simulation is the statistical unit everywhere: windows of one simulation are no independent
evidence.  A difference between two models on the *same* trajectories is a fact and needs none of
this; whether it generalises is inference, and does.
"""

from harness.statistics.departures import Ensemble, Width, departure
from harness.statistics.intervals import Interval, interval, population_figures, rate_bound

__all__ = ["Ensemble", "Interval", "Width", "departure", "interval", "population_figures", "rate_bound"]
