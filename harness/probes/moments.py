"""Means and variances of a rollout and nothing else: what growth, basin and lambda need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from harness.fields import FieldLayout


class Moments:
    """A cheap stand-in for `diagnostics.measure.Measure`: no spectra, no pairs.

    Variances are taken about the mean in float64.  variables, structure_variables, coords: as for
    `Measure`.
    """

    def __init__(self, layout: FieldLayout) -> None:
        self.layout = layout
        self.variables: Mapping[str, tuple[str, ...]] = dict.fromkeys(
            ("mean", "variance", "finite"), ("side", "channel")
        )
        self.structure_variables: Mapping[str, tuple[str, ...]] = {}
        self.coords: Mapping[str, tuple[tuple[str, ...], NDArray[np.int64]]] = {}

    def __call__(
        self, stack: Tensor, previous: Tensor | None, structure: bool = False
    ) -> dict[str, NDArray[Any]]:
        """Mean, variance and finiteness of every channel of a stack (S, C, *space)."""
        cells = stack.double().flatten(2)
        found = {
            "mean": cells.mean(2),
            "variance": cells.var(2, correction=0),
            "finite": cells.isfinite().all(2),
        }
        return {name: value.cpu().numpy() for name, value in found.items()}
