"""All diagnostics of one frame, or of a truth-prediction pair, in one pass with one FFT.

Accuracy: sums run over one grid line in the working precision and over the lines in float64;
variances are taken about the mean (two passes) and spectra from the fluctuation.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.diagnostics.magnetic import Divergence
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
            precision: Divergence(self.shape, self.device, precision)
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
        previous = None if previous is None else self._checked(previous)
        found = self._measured(stack, previous)
        if stack.dtype == torch.float32 and _exceeds(found, LARGE):
            previous = None if previous is None else previous.double()
            found = self._measured(stack.double(), previous)
        return found

    def _checked(self, stack: Tensor) -> Tensor:
        frame = (self.layout.n_channels, *self.shape)
        if tuple(stack.shape) not in ((1, *frame), (2, *frame)):
            raise ValueError(f"expected a stack of 1 or 2 x {frame}, got {tuple(stack.shape)}")
        return stack.to(self.device, self.dtype).contiguous()

    def _measured(self, stack: Tensor, previous: Tensor | None) -> dict[str, NDArray[Any]]:
        """Field by field, so that temporaries stay in the cache; lines are reduced together."""
        lines: dict[str, list[Tensor]] = defaultdict(list)
        for side, frame in enumerate(stack):
            for name in self.layout.names:
                channels = self.layout.slice(name)
                field = frame[channels]
                modes = self._moments(field, lines)
                if previous is not None:
                    lines["increment"].append(_line_norms(field - previous[side, channels]))
                if side == 1:
                    lines["mse"].append(_line_norms(field - stack[0, channels]))
                if name == "density":
                    lines["negative"].append(torch.count_nonzero(field < 0).view(1))
                if name == "magnetic_field":
                    lines["abs_b"].append(_line_sums(_squared(field).sqrt_()))
                    lines["divergence"].append(self._divergence[field.dtype](modes).view(1, 2))
            if "kinetic_energy" in self.variables:
                density, velocity = (frame[self.layout.slice(n)] for n in ("density", "velocity"))
                lines["kinetic"].append(_line_sums(_squared(velocity).mul_(density)))
        found = self._reduced({name: torch.cat(parts) for name, parts in lines.items()})
        return _to_numpy({name: found[name] for name in self.variables if name in found})

    def _moments(self, field: Tensor, lines: dict[str, list[Tensor]]) -> Tensor:
        """Moments and spectra of (n, *space), into `lines`; returns the fluctuation's modes."""
        mean = _line_sums(field).mean(1, dtype=torch.float64) / self.shape[-1]
        offset = mean.to(field.dtype)
        fluctuation = field - offset.view(-1, *[1] * len(self.shape))
        modes = torch.fft.rfftn(fluctuation, dim=self._space, norm="forward")
        modes.flatten(1)[:, 0] = 0.0  # the mean: in no shell, and the padding of the rows
        for channel in modes.flatten(1):
            rows = torch.view_as_real(channel.index_select(0, self._index))
            lines["spectrum"].append(_line_norms(rows.view(1, -1, 2 * self._row_length)))
        lines["mean"].append(mean)
        lines["offset"].append(offset)
        lines["variance"].append(_line_norms(fluctuation))
        lines["minimum"].append(field.amin(self._space))
        lines["maximum"].append(field.amax(self._space))
        return modes

    def _reduced(self, lines: dict[str, Tensor]) -> dict[str, Tensor]:
        """From sums and norms of lines to variables, in float64."""
        cells = math.prod(self.shape)

        def mean_square(norms: Tensor) -> Tensor:
            return norms.double().square().sum(1) / cells

        def per_channel(values: Tensor) -> Tensor:
            return values.view(-1, self.layout.n_channels, *values.shape[1:])

        mean, low, high = (per_channel(lines[n]) for n in ("mean", "minimum", "maximum"))
        # The offset is the mean rounded to working precision: what it leaves is not variance.
        rounding = mean - per_channel(lines["offset"])
        variance = per_channel(mean_square(lines["variance"])) - rounding.square()
        found = {
            "mean": mean,
            "variance": variance,
            "minimum": low,
            "maximum": high,
            "finite": low.isfinite() & high.isfinite(),
            "spectrum": per_channel(lines["spectrum"].double().square() @ self._shells.T),
            "increment": torch.full_like(mean, torch.nan),
        }
        if "increment" in lines:
            found["increment"] = per_channel(mean_square(lines["increment"])).sqrt()
        if "mse" in lines:
            found["mse"] = mean_square(lines["mse"])
        if "negative" in lines:
            fraction = lines["negative"].double() / cells
            finite = found["finite"][:, self.layout.slice("density")][:, 0]
            found["negative_density"] = torch.where(finite, fraction, torch.nan)
        if "kinetic" in lines:
            found["kinetic_energy"] = lines["kinetic"].double().sum(1) / cells / 2
        if "divergence" in lines:
            b = self.layout.slice("magnetic_field")
            square = (mean[:, b].square() + variance[:, b]).sum(1)
            mean_abs = lines["abs_b"].double().sum(1) / cells
            ratio, centred = lines["divergence"].unbind(1)
            found |= {
                "mean_abs_b": mean_abs,
                "rms_b": square.sqrt(),
                "magnetic_energy": square / 2,
                "div_b_spectral": ratio,
                "div_b_stencil": centred / mean_abs,
                "div_b_rms": centred / self._b0,
            }
        return found


def _variables(layout: FieldLayout) -> dict[str, tuple[str, ...]]:
    per_channel = ("mean", "variance", "minimum", "maximum", "finite", "increment")
    per_side: list[str] = []
    if "density" in layout:
        per_side += ["negative_density"]
    if "density" in layout and "velocity" in layout:
        per_side += ["kinetic_energy"]
    if "magnetic_field" in layout:
        per_side += ["mean_abs_b", "rms_b", "magnetic_energy"]
        per_side += ["div_b_spectral", "div_b_stencil", "div_b_rms"]
    return {
        **dict.fromkeys(per_channel, ("side", "channel")),
        "spectrum": ("side", "channel", "k_perp"),
        "mse": ("channel",),
        **dict.fromkeys(per_side, ("side",)),
    }


def _checked_guide(guide: Sequence[float], layout: FieldLayout) -> NDArray[np.float64]:
    if "magnetic_field" not in layout:
        return np.zeros(layout.spatial)
    b0 = np.asarray(guide, dtype=np.float64)
    if b0.shape != (layout.spatial,) or not np.isfinite(b0).all():
        raise ValueError(f"guide must be {layout.spatial} finite components, got {guide}")
    return b0


def _exceeds(found: dict[str, NDArray[Any]], limit: float) -> bool:
    return bool(((found["maximum"] > limit) | (found["minimum"] < -limit)).any())


def _line_sums(field: Tensor) -> Tensor:
    """Sum of each grid line: (n, *space) -> (n, lines)."""
    return field.sum(-1).flatten(1)


def _line_norms(field: Tensor) -> Tensor:
    """Euclidean norm of each grid line: (n, *space) -> (n, lines)."""
    return torch.linalg.vector_norm(field, dim=-1).flatten(1)


def _squared(vector: Tensor) -> Tensor:
    """Squared magnitude: (n, *space) -> (1, *space)."""
    total = vector[:1].square()
    for component in vector[1:].split(1):
        total.addcmul_(component, component)
    return total


def _to_numpy(found: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
    """All values in one transfer from the device."""
    flat = torch.cat([tensor.double().flatten() for tensor in found.values()]).cpu().numpy()
    ends = np.cumsum([tensor.numel() for tensor in found.values()])
    return {
        name: part.reshape(tensor.shape).astype(bool if tensor.dtype == torch.bool else float)
        for (name, tensor), part in zip(found.items(), np.split(flat, ends[:-1]), strict=True)
    }
