"""All diagnostics of one frame, or of a truth-prediction pair, in one pass with one FFT.

Accuracy: sums run over one grid line in the working precision and over the lines in float64;
the mean is subtracted before the FFT, so variances (by Parseval's theorem) and spectra keep the
accuracy of a two-pass variance.
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

#: Beyond this magnitude k^2 |F|^2 of an unnormalised transform may overflow float32 (at 256^3).
LARGE = 1e8


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
        dtype: working precision, float32 or float64.  Frames with values beyond 1e8 are measured
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
        self._cells = math.prod(shape)
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
        """Channel by channel, to stay in the cache; lines are reduced together at the end."""
        lines: dict[str, list[Tensor]] = defaultdict(list)
        for side, frame in enumerate(stack):
            modes = []
            for number, channel in enumerate(frame):
                if previous is not None:
                    lines["increment"].append(_line_norms(channel - previous[side, number]))
                if side == 1:
                    lines["mse"].append(_line_norms(channel - stack[0, number]))
                low, high = torch.aminmax(channel)
                lines["minimum"].append(low)
                lines["maximum"].append(high)
                lines["mean"].append(channel.sum(-1))
                modes.append(self._spectrum(channel, lines["spectrum"]))
            if "magnetic_field" in self.layout:
                b = self.layout.slice("magnetic_field")
                lines["abs_b"].append(_squared(frame[b]).sqrt_().sum(-1))
                lines["divergence"].append(self._divergence[frame.dtype](modes[b]))
            if "density" in self.layout:
                density = frame[self.layout.slice("density")][0]
                lines["negative"].append(torch.count_nonzero(density < 0))
                if "velocity" in self.layout:
                    velocity = frame[self.layout.slice("velocity")]
                    lines["kinetic"].append(_squared(velocity).mul_(density).sum(-1))
        found = self._reduced({name: torch.stack(parts) for name, parts in lines.items()})
        return _to_numpy({name: found[name] for name in self.variables if name in found})

    def _spectrum(self, channel: Tensor, lines: list[Tensor]) -> Tensor:
        """Fourier modes of a channel; the norms of their rows go into `lines`."""
        modes = torch.fft.rfftn(channel)
        flat = modes.view(-1)
        flat[0] = 0.0  # the mean: in no shell, and the padding of the rows
        if channel.dtype == torch.float32:
            flat = flat.view(torch.float64)  # one word per mode: gathered in half the time
        rows = flat.index_select(0, self._index).view(channel.dtype)
        lines.append(_line_norms(rows.view(-1, 2 * self._row_length)))
        return modes

    def _reduced(self, lines: dict[str, Tensor]) -> dict[str, Tensor]:
        """From sums and norms of lines to variables, in float64."""

        def per_channel(values: Tensor) -> Tensor:
            return values.view(-1, self.layout.n_channels, *values.shape[1:])

        def total(sums: Tensor) -> Tensor:
            return sums.double().flatten(1).sum(1)

        def mean_square(norms: Tensor) -> Tensor:
            return norms.double().square().flatten(1).sum(1) / self._cells

        mean = per_channel(total(lines["mean"]) / self._cells)
        low, high = per_channel(lines["minimum"]), per_channel(lines["maximum"])
        power = lines["spectrum"].double().square() / self._cells**2
        spectrum = per_channel(power @ self._shells.T)
        variance = spectrum.sum(-1)  # Parseval's theorem, of the fluctuation
        found = {
            "mean": mean,
            "variance": variance,
            "minimum": low,
            "maximum": high,
            "finite": low.isfinite() & high.isfinite(),
            "spectrum": spectrum,
            "increment": torch.full_like(mean, torch.nan),
        }
        if "increment" in lines:
            found["increment"] = per_channel(mean_square(lines["increment"])).sqrt()
        if "mse" in lines:
            found["mse"] = mean_square(lines["mse"])
        if "negative" in lines:
            fraction = lines["negative"].double() / self._cells
            finite = found["finite"][:, self.layout.slice("density")][:, 0]
            found["negative_density"] = torch.where(finite, fraction, torch.nan)
        if "kinetic" in lines:
            found["kinetic_energy"] = total(lines["kinetic"]) / self._cells / 2
        if "divergence" in lines:
            b = self.layout.slice("magnetic_field")
            square = (mean[:, b].square() + variance[:, b]).sum(1)
            mean_abs = total(lines["abs_b"]) / self._cells
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


def _line_norms(field: Tensor) -> Tensor:
    """Euclidean norm of each grid line: the last axis is reduced."""
    return torch.linalg.vector_norm(field, dim=-1)


def _squared(vector: Tensor) -> Tensor:
    """Squared magnitude of a vector field (n, *space)."""
    total = vector[0].square()
    for component in vector[1:]:
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
