"""Coherence of prediction and truth, scale by scale: down to where a model still predicts.

    gamma(k) = |<p_k u_k*>|^2 / ( <|p_k|^2> <|u_k|^2> ),

means over the modes of a shell: 1 where phases and amplitudes agree up to one factor, about 1 over
the number of modes where they are unrelated.  An error of phase alone lowers gamma, an error of the
spectrum alone does not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: A shell with more than half of its energy predicted is predicted.
PREDICTED = 0.5


def coherence(co_spectrum: Array, prediction: Array, truth: Array) -> Array:
    """Coherence gamma of each shell, from sums over its modes: (..., k_perp) each; no unit.

    Args:
        co_spectrum: of Re(p_k u_k*); the imaginary parts of a mode and its conjugate cancel.
        prediction: spectrum of p.
        truth: spectrum of u.
    """
    with np.errstate(all="ignore"):
        return co_spectrum**2 / (prediction * truth)


def predicted_shell(gamma: Array) -> Array:
    """The last shell k >= 1 up to which every shell has gamma > 1/2; 0 where shell 1 has not.

    Args:
        gamma: (..., k_perp), the overflow shell last, which does not count.

    Returns:
        (...); NaN where a shell of 1 to N/2 is not finite.
    """
    shells = gamma[..., 1:-1]
    run = np.cumprod(shells > PREDICTED, axis=-1).sum(-1)
    return np.where(np.isfinite(shells).all(-1), run, np.nan)
