"""What is measured step by step, put together to one data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from harness.diagnostics.measure import Measure
from harness.probes.moments import Moments
from harness.record import SIDE


class Tape:
    """Curves over (side, step, ...), NaN where nothing was written.

    Args:
        sides: names along the dimension `side`, the reference first.
        steps: of the rollout; a curve has steps 0..steps.
        measure: says which variables there are, and their dims.
        structure: the steps, in order, that have `measure.structure_variables`, whose curves run
            over a dimension of their own, `structure_step`.
    """

    def __init__(
        self, sides: Sequence[str], steps: int, measure: Measure | Moments, structure: Sequence[int]
    ) -> None:
        self._measure = measure
        self._sides = tuple(sides)
        self._steps = {"step": range(steps + 1), "structure_step": structure}
        self._curves: dict[str, NDArray[np.float64]] = {}
        self._planes: dict[int, NDArray[np.float32]] = {}

    def _along(self, name: str) -> str:
        return "structure_step" if name in self._measure.structure_variables else "step"

    def write(self, step: int, measured: Mapping[str, NDArray[np.float64]]) -> None:
        """The values of one step, by variable."""
        for name, values in measured.items():
            steps = self._steps[self._along(name)]
            if name not in self._curves:
                self._curves[name] = np.full((len(steps), *np.shape(values)), np.nan)
            self._curves[name][steps.index(step)] = values

    def keep_plane(self, step: int, stack: Tensor) -> None:
        """The plane through the middle of the first spatial axis of frames (side, C, x, y[, z])."""
        middle = stack.shape[2] // 2
        self._planes[step] = stack[:, :, middle].to("cpu", torch.float32).numpy()

    def dataset(self) -> xr.Dataset:
        """Everything written: variables over (side, step, ...), and `slice` over (side, slice_step,
        channel, y[, z]) if planes were kept.
        """
        measure = self._measure
        every = {**measure.variables, **measure.structure_variables}
        variables: dict[str, tuple[tuple[str, ...], NDArray[np.floating]]] = {}
        for name, values in self._curves.items():
            dims, along = every[name], self._along(name)
            # Steps are written first; a reader expects the side first.
            if dims and dims[0] == SIDE:
                variables[name] = ((SIDE, along, *dims[1:]), np.moveaxis(values, 0, 1))
            else:
                variables[name] = ((along, *dims), values)
        if self._planes:
            planes = np.stack(list(self._planes.values()), axis=1)
            axes = ("y", "z")[: planes.ndim - 3]
            variables["slice"] = ((SIDE, "slice_step", "channel", *axes), planes)
        coords = {
            SIDE: ((SIDE,), list(self._sides)),
            **{dim: ((dim,), list(steps)) for dim, steps in self._steps.items()},
            "slice_step": (("slice_step",), list(self._planes)),
            "channel": (("channel",), list(measure.layout.channels)),
            "field": (("channel",), list(measure.layout.field_of_channel)),
            **measure.coords,
        }
        held = {dim for dims, _ in variables.values() for dim in dims}
        return xr.Dataset(variables, {n: c for n, c in coords.items() if held.issuperset(c[0])})
