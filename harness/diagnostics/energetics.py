"""The balance of magnetic and kinetic energy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def energy_ratio(magnetic: Array, kinetic: Array) -> Array:
    """E_B / E_K of mean energy densities, the mean field included; no unit."""
    with np.errstate(all="ignore"):
        return magnetic / kinetic
