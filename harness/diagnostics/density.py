"""The distribution of density."""

from __future__ import annotations

import torch
from torch import Tensor


def ln_density_skewness(density: Tensor, finite: Tensor) -> Tensor:
    """Skewness of s = ln rho over the cells: <(s - <s>)^3> / <(s - <s>)^2>^(3/2), (S,) float64.

    0 for a log-normal density, which isothermal turbulence has to a first approximation
    (Vazquez-Semadeni 1994, ApJ 423, 681); negative where voids are deeper than clumps are dense.

    A cell with rho <= 0 has no logarithm and is left out.  It is no part of this statistic but a
    fault of its own, which `negative_density` counts and `positivity` judges: the skewness of the
    rest stays a statement about the rest.  A side without two positive cells that differ, or with a
    non-finite cell, has a non-finite skewness.

    Args:
        density: (S, *space).
        finite: whether all cells of a side are, (S,).
    """
    positive = density > 0
    here = positive.to(density.dtype)
    number = _total(here)
    logarithm = torch.where(positive, density, 1.0).log_()
    mean = _total(logarithm) / number
    deviation = logarithm.sub_(mean.to(here.dtype).view(-1, *[1] * (here.dim() - 1))).mul_(here)
    square = deviation.square()
    second = _total(square) / number
    third = _total(square.mul_(deviation)) / number
    return torch.where(finite, third / second**1.5, torch.nan)


def _total(field: Tensor) -> Tensor:
    """Sum over all axes but the first: rows in working precision, the rest in float64."""
    return field.sum(-1).double().flatten(1).sum(1)
