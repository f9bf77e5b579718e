"""Polymathic's Walrus (arXiv 2511.15684), run by Polymathic's own code.

source: that code, found and recognised.  config: what a checkpoint was trained as.  places, weights:
where its numbers lie and how they get in.  grid: what can be rolled.  normalisation, draws,
inference: the arithmetic around and inside a step.  cost: how long it takes.  surrogate: all of it
behind the harness's interface.
"""

from harness.surrogates.walrus.errors import WalrusError
from harness.surrogates.walrus.surrogate import Walrus, load, require

__all__ = ["Walrus", "WalrusError", "load", "require"]
