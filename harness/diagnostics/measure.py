"""All diagnostics of one frame, or of a truth-prediction pair, in one pass with one FFT.

Accuracy: sums run over one grid line in the working precision and over the lines in float64;
variances are taken about the mean (two passes) and spectra from the fluctuation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.diagnostics.magnetic import DivergenceOperators
from harness.diagnostics.spectra import shell_rows
from harness.fields import FieldLayout

#: Beyond this magnitude squares and triple products approach the largest float32.
LARGE = 1e12


class Measure:
    """Single-frame and pair diagnostics of a stack of frames.

    Args:
        layout: which channel is which field.  Without "magnetic_field" ("density", "velocity")
            the variables that need it are absent, and shells are those of |k|.
        shape: cells along each axis of a periodic box of cubic cells.
        guide: mean magnetic field of the truth's frame 0, one component per axis, in any
            direction: the direction of k_par and the unit of `div_b_rms`.  Shells are those of
            |k| where it is zero.  Not read without a magnetic field.
        device: where to compute; stacks are moved there.
        dtype: working precision, float32 or float64.  Frames with values beyond 1e12 are measured
            in float64 whatever it is.

    Attributes:
        variables: name -> dims.  Variables without "side" compare the two sides, and are returned
            for a stack of two only.
        coords: name -> (dims, values): shell numbers `k_perp`, of which the last is the overflow
            shell, and `modes`, the number of Fourier modes in each shell.

    Raises:
        ValueError: shape or guide do not fit the layout, or guide is not finite.
    """

    def __init__(
        self,
        layout: FieldLayout,
        shape: tuple[int, ...],
        guide: Sequence[float],
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if len(shape) != layout.spatial:
            raise ValueError(f"shape {tuple(shape)} is not {layout.spatial}-dimensional")
        self.layout, self.shape = layout, tuple(shape)
        self.device, self.dtype = torch.device(device), dtype
        self._space = tuple(range(-len(shape), 0))
        b0 = _checked_guide(guide, layout)
        self._b0 = float(np.linalg.norm(b0))
        rows = shell_rows(self.shape, b0 if self._b0 > 0 else None)
        self._row_length = rows.length
        self._index = torch.from_numpy(rows.index).to(self.device)
        self._shells = torch.from_numpy(rows.shells).to(self.device)
        self._divergence = {
            precision: DivergenceOperators(self.shape, self.device, precision)
            for precision in {dtype, torch.float64}
            if "magnetic_field" in layout
        }
        self.variables: Mapping[str, tuple[str, ...]] = MappingProxyType(_variables(layout))
        self.coords: Mapping[str, tuple[tuple[str, ...], NDArray[np.int64]]] = MappingProxyType(
            {
                "k_perp": (("k_perp",), np.arange(len(rows.modes))),
                "modes": (("k_perp",), rows.modes),
            }
        )

    def __call__(self, stack: Tensor, previous: Tensor | None) -> dict[str, NDArray[Any]]:
        """Measure one time step.

        A channel with a non-finite cell has non-finite statistics; nothing raises or hides it.

        Args:
            stack: (S, C, *space).  S = 1: one frame; S = 2: side 0 truth or reference, side 1
                prediction.
            previous: the stack one step before; None at step 0, where increments are NaN.

        Returns:
            name -> float64 array (`finite`: bool) with the dims that `variables` names.

        Raises:
            ValueError: a stack of another shape.
        """
        stack = self._checked(stack)
        minimum, maximum = stack.amin(self._space), stack.amax(self._space)
        if bool((torch.maximum(-minimum, maximum) > LARGE).any()):
            stack = stack.double()
        if previous is not None:
            previous = self._checked(previous).to(stack.dtype)
        sides = [
            self._side(frame, None if previous is None else previous[side])
            for side, frame in enumerate(stack)
        ]
        found = {name: torch.stack([side[name] for side in sides]) for name in sides[0]}
        found |= {"minimum": minimum, "maximum": maximum}
        found["finite"] = minimum.isfinite() & maximum.isfinite()
        if len(stack) == 2:
            fields = [self.layout.slice(name) for name in self.layout.names]
            found["mse"] = torch.cat([_mean_square(stack[1, f] - stack[0, f]) for f in fields])
        return _to_numpy({name: found[name] for name in self.variables if name in found})

    def _checked(self, stack: Tensor) -> Tensor:
        frame = (self.layout.n_channels, *self.shape)
        if tuple(stack.shape) not in ((1, *frame), (2, *frame)):
            raise ValueError(f"expected a stack of 1 or 2 x {frame}, got {tuple(stack.shape)}")
        return stack.to(self.device, self.dtype).contiguous()

    def _side(self, frame: Tensor, previous: Tensor | None) -> dict[str, Tensor]:
        """What one frame says by itself; field by field, so that temporaries stay small."""
        per_field: list[dict[str, Tensor]] = []
        scalars: dict[str, Tensor] = {}
        for name in self.layout.names:
            channels = self.layout.slice(name)
            field = frame[channels]
            mean, variance, fluctuation = _moments(field)
            modes = torch.fft.rfftn(fluctuation, dim=self._space, norm="forward")
            modes.flatten(1)[:, 0] = 0.0
            increment = (
                torch.full_like(mean, torch.nan)
                if previous is None
                else _mean_square(field - previous[channels]).sqrt()
            )
            spectrum = self._spectrum(modes)
            per_field.append(
                {"mean": mean, "variance": variance, "spectrum": spectrum, "increment": increment}
            )
            if name == "density":
                scalars["negative_density"] = _negative_fraction(field, mean)[0]
            if name == "magnetic_field":
                scalars |= self._magnetic(field, (variance + mean**2).sum(), modes)
        if "density" in self.layout and "velocity" in self.layout:
            density, velocity = (frame[self.layout.slice(n)] for n in ("density", "velocity"))
            scalars["kinetic_energy"] = _mean(_magnitude_squared(velocity).mul_(density))[0] / 2
        return scalars | {key: torch.cat([f[key] for f in per_field]) for key in per_field[0]}

    def _spectrum(self, modes: Tensor) -> Tensor:
        """Energy per shell of each channel, (channel, k_perp)."""
        rows = [
            torch.view_as_real(channel.index_select(0, self._index)).view(-1, 2 * self._row_length)
            for channel in modes.flatten(1)
        ]
        power = torch.stack([torch.linalg.vector_norm(r, dim=-1) for r in rows]).double().square()
        return power @ self._shells.T

    def _magnetic(self, field: Tensor, mean_square: Tensor, modes: Tensor) -> dict[str, Tensor]:
        divergence = self._divergence[field.dtype]
        mean_abs = _mean(_magnitude_squared(field).sqrt_())[0]
        centred = divergence.centred_rms(modes)
        return {
            "mean_abs_b": mean_abs,
            "rms_b": mean_square.sqrt(),
            "magnetic_energy": mean_square / 2,
            "div_b_spectral": divergence.spectral_ratio(modes),
            "div_b_stencil": centred / mean_abs,
            "div_b_rms": centred / self._b0,
        }


def _variables(layout: FieldLayout) -> dict[str, tuple[str, ...]]:
    per_channel = ("side", "channel")
    names = ["mean", "variance", "minimum", "maximum", "increment", "finite"]
    variables: dict[str, tuple[str, ...]] = {name: per_channel for name in names}
    variables["spectrum"] = (*per_channel, "k_perp")
    variables["mse"] = ("channel",)
    scalars = []
    if "density" in layout:
        scalars += ["negative_density"]
    if "density" in layout and "velocity" in layout:
        scalars += ["kinetic_energy"]
    if "magnetic_field" in layout:
        scalars += ["mean_abs_b", "rms_b", "magnetic_energy"]
        scalars += ["div_b_spectral", "div_b_stencil", "div_b_rms"]
    return variables | {name: ("side",) for name in scalars}


def _checked_guide(guide: Sequence[float], layout: FieldLayout) -> NDArray[np.float64]:
    if "magnetic_field" not in layout:
        return np.zeros(layout.spatial)
    b0 = np.asarray(guide, dtype=np.float64)
    if b0.shape != (layout.spatial,) or not np.isfinite(b0).all():
        raise ValueError(f"guide must be {layout.spatial} finite components, got {guide}")
    return b0


def _mean(field: Tensor) -> Tensor:
    """Mean over cells of (n, *space), (n,) float64; grid lines are summed in working precision."""
    return field.sum(-1).flatten(1).mean(1, dtype=torch.float64) / field.shape[-1]


def _mean_square(field: Tensor) -> Tensor:
    """Mean square over cells of (n, *space), (n,) float64; as accurate as `_mean`."""
    lines = torch.linalg.vector_norm(field, dim=-1).flatten(1).double()
    return lines.square().mean(1) / field.shape[-1]


def _moments(field: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance of (n, *space), and the field minus its mean."""
    mean = _mean(field)
    offset = mean.to(field.dtype)
    fluctuation = field - offset.view(-1, *[1] * (field.ndim - 1))
    # The offset is the mean rounded to working precision: the rest of it is not variance.
    variance = _mean_square(fluctuation) - (mean - offset.double()).square()
    return mean, variance, fluctuation


def _magnitude_squared(vector: Tensor) -> Tensor:
    """(n, *space) -> (1, *space)."""
    total = vector[:1].square()
    for component in vector[1:].split(1):
        total.addcmul_(component, component)
    return total


def _negative_fraction(density: Tensor, mean: Tensor) -> Tensor:
    """Fraction of cells below zero, (1,); NaN where a cell is not finite, as the mean tells."""
    fraction = torch.count_nonzero(density < 0).double().view(1) / density.numel()
    return torch.where(mean.isfinite(), fraction, torch.nan)


def _to_numpy(found: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
    """One transfer from the device for all values."""
    flat = torch.cat([tensor.double().flatten() for tensor in found.values()]).cpu().numpy()
    splits = np.split(flat, np.cumsum([tensor.numel() for tensor in found.values()])[:-1])
    return {
        name: part.reshape(tuple(tensor.shape)).astype(bool if tensor.dtype == torch.bool else None)
        for (name, tensor), part in zip(found.items(), splits, strict=True)
    }
