"""All diagnostics of one frame, or of a truth-prediction pair, in one pass with one FFT.

Accuracy: sums run over one grid line, or one row of Fourier modes, in the working precision, and
over lines and rows in float64.  Variances are sums over all modes but the mean (Parseval's theorem),
so they do not suffer the cancellation of mean square minus squared mean.
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
#: Above this squared mean over variance, the rounding of a float32 transform shows in the variance.
NEARLY_UNIFORM = 1e3


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
        dtype: working precision, float32 or float64.  Frames with a channel beyond 1e8, or with
            fluctuations below 3 % of its mean, are measured in float64 whatever it is.

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
        self._cells = math.prod(shape)
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
        if stack.dtype == torch.float32 and _asks_for_float64(found):
            previous = None if previous is None else previous.double()
            found = self._measured(stack.double(), previous)
        return found

    def _checked(self, stack: Tensor) -> Tensor:
        frame = (self.layout.n_channels, *self.shape)
        if tuple(stack.shape) not in ((1, *frame), (2, *frame)):
            raise ValueError(f"expected a stack of 1 or 2 x {frame}, got {tuple(stack.shape)}")
        return stack.to(self.device, self.dtype).contiguous()

    def _measured(self, stack: Tensor, previous: Tensor | None) -> dict[str, NDArray[Any]]:
        lines: dict[str, list[Tensor]] = defaultdict(list)
        magnetic_modes = []
        # Channel by channel, to stay in the cache; what is left of each line is reduced together.
        for number, field in enumerate(self.layout.field_of_channel):
            channel = stack[:, number]
            if previous is not None:
                lines["increment"].append(_line_norms(channel - previous[:, number]))
            if len(stack) == 2:
                lines["error"].append(_line_norms(channel[1:] - channel[:1]))
            lines["minimum"].append(channel.amin(self._space))
            lines["maximum"].append(channel.amax(self._space))
            lines["sum"].append(channel.sum(-1))
            modes = self._modes(channel)
            lines["row"].append(self._row_norms(modes))
            if field == "magnetic_field":
                magnetic_modes.append(modes)
        found = self._moments({name: torch.stack(parts, 1) for name, parts in lines.items()})
        if "magnetic_field" in self.layout:
            found |= self._magnetic(stack, magnetic_modes, found["mean"], found["variance"])
        if "density" in self.layout:
            found |= self._material(stack, found["minimum"], found["finite"])
        return _to_numpy({name: found[name] for name in self.variables if name in found})

    def _modes(self, channel: Tensor) -> Tensor:
        """Fourier modes of (S, *space), without the mean."""
        modes = torch.fft.rfftn(channel, dim=self._space)
        modes.flatten(1)[:, 0] = 0.0
        return modes

    def _row_norms(self, modes: Tensor) -> Tensor:
        """Root of the energy in each row of modes, (S, rows); rows as in `spectra.ShellRows`."""
        real = modes.real.dtype
        flat = modes.flatten(1)
        if real == torch.float32:
            flat = flat.view(torch.float64)  # one word per mode: gathered in half the time
        rows = [side.index_select(0, self._index).view(real) for side in flat]
        return torch.stack([_line_norms(side.view(-1, 2 * self._row_length)) for side in rows])

    def _moments(self, lines: dict[str, Tensor]) -> dict[str, Tensor]:
        """From sums and norms of lines, (S, C, *lines), to variables of channels, in float64."""

        def mean_square(norms: Tensor) -> Tensor:
            return norms.double().square_().flatten(2).sum(2) / self._cells

        low, high = lines["minimum"], lines["maximum"]
        mean = lines["sum"].double().flatten(2).sum(2) / self._cells
        spectrum = (lines["row"].double().square_() / self._cells**2) @ self._shells.T
        found = {
            "mean": mean,
            "variance": spectrum.sum(-1),  # Parseval's theorem
            "minimum": low,
            "maximum": high,
            "finite": low.isfinite() & high.isfinite(),
            "spectrum": spectrum,
            "increment": torch.full_like(mean, torch.nan),
        }
        if "increment" in lines:
            found["increment"] = mean_square(lines["increment"]).sqrt()
        if "error" in lines:
            found["mse"] = mean_square(lines["error"])[0]
        return found

    def _magnetic(
        self, stack: Tensor, modes: Sequence[Tensor], mean: Tensor, variance: Tensor
    ) -> dict[str, Tensor]:
        b = self.layout.slice("magnetic_field")
        mean_abs = _total(_magnitude_squared(stack[:, b]).sqrt_()) / self._cells
        mean_square = (mean[:, b].square() + variance[:, b]).sum(1)
        ratio, centred = self._divergence[stack.dtype](modes)
        return {
            "mean_abs_b": mean_abs,
            "rms_b": mean_square.sqrt(),
            "magnetic_energy": mean_square / 2,
            "div_b_spectral": ratio,
            "div_b_stencil": centred / mean_abs,
            "div_b_rms": centred / self._b0,
        }

    def _material(self, stack: Tensor, minimum: Tensor, finite: Tensor) -> dict[str, Tensor]:
        """Variables of density, and of density and velocity."""
        channels = self.layout.slice("density")
        density = stack[:, channels]
        negative = torch.zeros(len(stack), dtype=torch.float64, device=self.device)
        if bool((minimum[:, channels] < 0).any()):  # counting is dear and seldom needed
            negative += (density < 0).flatten(1).count_nonzero(1) / self._cells
        found = {"negative_density": torch.where(finite[:, channels][:, 0], negative, torch.nan)}
        if "velocity" in self.layout:
            energy = _magnitude_squared(stack[:, self.layout.slice("velocity")])
            found["kinetic_energy"] = _total(energy.mul_(density[:, 0])) / self._cells / 2
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


def _asks_for_float64(found: dict[str, NDArray[Any]]) -> bool:
    large = (found["maximum"] > LARGE) | (found["minimum"] < -LARGE)
    return bool((large | (found["mean"] ** 2 > NEARLY_UNIFORM * found["variance"])).any())


def _line_norms(field: Tensor) -> Tensor:
    """Euclidean norm of each grid line: the last axis is reduced."""
    return torch.linalg.vector_norm(field, dim=-1)


def _total(field: Tensor) -> Tensor:
    """Sum over all axes but the first, lines in working precision and their sum in float64."""
    return field.sum(-1).double().flatten(1).sum(1)


def _magnitude_squared(vector: Tensor) -> Tensor:
    """|a|^2 in each cell: (S, n, *space) -> (S, *space)."""
    total = vector[:, 0].square()
    for component in vector.unbind(1)[1:]:
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
