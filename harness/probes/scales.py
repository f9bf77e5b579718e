"""The unit in which channels of different dimensions are compared: sigma, their own fluctuation."""

from __future__ import annotations

import torch
from torch import Tensor


def sigma(frame: Tensor) -> Tensor:
    """Standard deviation over space of each channel of a frame (C, *space), as (C, 1, ...).

    A channel that does not vary has no unit of its own and gets 1.
    """
    space = tuple(range(1, frame.ndim))
    spread = frame.double().std(space, correction=0, keepdim=True)
    return torch.where(spread > 0, spread, 1.0).to(frame.dtype)


def norm(field: Tensor, unit: Tensor) -> float:
    """Root mean square of field/unit over everything, accumulated in float64."""
    return float((field / unit).double().square().mean().sqrt())
