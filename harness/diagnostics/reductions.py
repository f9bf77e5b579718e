"""Sums over cells: planes in the working precision, which is fast, and planes in float64."""

from __future__ import annotations

import torch
from torch import Tensor


def norms(field: Tensor) -> Tensor:
    """Euclidean norm of each plane, the last two axes, in working precision: (..., n, n) -> (...)."""
    return torch.linalg.vector_norm(field, dim=(-2, -1))


def total(field: Tensor) -> Tensor:
    """Sum over all axes but the first, (S, *space) -> (S,): planes as they are, the rest in float64."""
    return field.sum((-2, -1)).double().view(len(field), -1).sum(1)


def dot(first: Tensor, second: Tensor) -> Tensor:
    """Scalar product in each cell: (S, n, *space) twice -> (S, *space)."""
    product = first[:, 0] * second[:, 0]
    for a, b in zip(first.unbind(1)[1:], second.unbind(1)[1:], strict=True):
        product.addcmul_(a, b)
    return product
