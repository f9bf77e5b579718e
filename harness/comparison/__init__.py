"""Two models, or two states of one, compared on the trajectories that both were judged on.

sides: what is compared: a run, a baseline, a published one.  pairing: which goes with which, and
refusal where protocols, steps, precision or conventions differ.  changes: what happened on each
common trajectory: facts.  inference: whether it generalises.  compare: all of it together.
"""

from harness.comparison.compare import Comparison, Comparisons, compare
from harness.comparison.sides import CompareError, Side, load

__all__ = ["CompareError", "Comparison", "Comparisons", "Side", "compare", "load"]
