"""Diagnostics of structure, which cost too much for every step and are measured on some."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.diagnostics.density import ln_density_skewness
from harness.diagnostics.imprint import Imprint, strides
from harness.diagnostics.structure_functions import StructureFunctions
from harness.fields import FieldLayout


class Structure:
    """Structure functions, patch imprint and the skewness of ln rho, of a stack of frames.

    Args:
        layout: which channel is which field.
        shape: cells along each axis of a periodic box.
        device: where to compute.

    Attributes:
        variables: name -> dims, as `Measure` has them.  `patch_imprint` is absent where no stride
            divides the sides, `ln_density_skewness` without "density".
        coords: name -> (dims, values).
    """

    def __init__(self, layout: FieldLayout, shape: tuple[int, ...], device: torch.device) -> None:
        self._layout = layout
        self._functions = StructureFunctions(layout, shape)
        self._imprint = Imprint(shape, device) if strides(shape) else None
        variables = dict(self._functions.variables)
        coords: dict[str, tuple[tuple[str, ...], NDArray[Any]]] = dict(self._functions.coords)
        if self._imprint is not None:
            variables["patch_imprint"] = ("side", "quantity", "stride")
            coords["stride"] = (("stride",), np.array(self._imprint.strides))
        if "density" in layout:
            variables["ln_density_skewness"] = ("side",)
        self.variables: Mapping[str, tuple[str, ...]] = MappingProxyType(variables)
        self.coords = MappingProxyType(coords)

    def __call__(self, stack: Tensor, finite: Tensor, power: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Measure one time step.

        Args:
            stack: (S, C, *space).
            finite: which channels are, (S, C).
            power: |F|^2 of every mode of each field, (S, *half lattice).

        Returns:
            name -> float64 tensor with the dims that `variables` names.
        """
        found = {"structure_function": self._functions(stack, finite)}
        if self._imprint is not None:
            fields = [
                self._imprint(stack[:, self._layout.slice(name)], power[name])
                for name in self._layout.names
            ]
            found["patch_imprint"] = torch.stack(fields, 1)
        if "density" in self._layout:
            channel = self._layout.slice("density").start
            density, whole = stack[:, channel], finite[:, channel]
            found["ln_density_skewness"] = ln_density_skewness(density, whole)
        return found
