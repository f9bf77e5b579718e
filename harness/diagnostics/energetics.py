"""The balance of magnetic and kinetic energy, and how velocity and magnetic field are correlated.

Energies are means over the box.  b = dB / sqrt(rho0) is the fluctuation of the magnetic field in
units of velocity, rho0 the mean density; v stands for the fluctuation of the velocity.  So sigma_r,
sigma_c and E+- depend on no frame of reference, and weigh no cell by its density; the ratios E_B / E_K
take the kinetic energy <rho v^2> / 2 as it is, mean flow and density included.  A mean density of zero
or less has no b: its figures are not finite.  See Biskamp, Magnetohydrodynamic Turbulence (2003);
Bruno & Carbone, Living Rev. Solar Phys. 10, 2 (2013).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def energy_ratio(magnetic: Array, kinetic: Array) -> Array:
    """E_B / E_K of mean energy densities, the mean field included; no unit."""
    with np.errstate(all="ignore"):
        return magnetic / kinetic


def fluctuation_ratio(magnetic_variance: Array, kinetic: Array) -> Array:
    """E_B / E_K of the fluctuating magnetic field: (<|dB|^2> / 2) / (<rho v^2> / 2); no unit.

    Args:
        magnetic_variance: sum of the variances of the components of B.
        kinetic: kinetic energy density.
    """
    with np.errstate(all="ignore"):
        return magnetic_variance / 2 / kinetic


def residual_energy(v_squared: Array, b_squared: Array) -> Array:
    """sigma_r = <v^2 - b^2> / <v^2 + b^2>: 1 for velocity alone, -1 for magnetic field alone."""
    with np.errstate(all="ignore"):
        return (v_squared - b_squared) / (v_squared + b_squared)


def cross_helicity(v_squared: Array, b_squared: Array, v_dot_b: Array) -> Array:
    """sigma_c = 2 <v.b> / <v^2 + b^2>: 1 or -1 for Alfven waves that all travel one way."""
    with np.errstate(all="ignore"):
        return 2 * v_dot_b / (v_squared + b_squared)


def elsasser_energies(v_squared: Array, b_squared: Array, v_dot_b: Array) -> Array:
    """E+- = <|v +- b|^2> / 4, velocity squared: the energies of the two Elsasser fields.

    Their sum is the energy <v^2 + b^2> / 2, their difference the cross helicity <v.b>.

    Returns:
        (2, ...): E+, then E-.
    """
    total = v_squared + b_squared
    return np.stack([total + 2 * v_dot_b, total - 2 * v_dot_b]) / 4
