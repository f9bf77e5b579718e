"""All diagnostics of one frame, or of a truth-prediction pair, in one pass with one FFT.

Accuracy: sums run over one grid plane, or one row of Fourier modes, in the working precision, and
over planes and rows in float64.  Variances are sums over all modes but the mean (Parseval's theorem),
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

from harness.diagnostics import reductions
from harness.diagnostics.magnetic import Divergence
from harness.diagnostics.modes import ShellSums, power
from harness.diagnostics.scheduled import Structure
from harness.fields import FieldLayout

#: Beyond this magnitude k^2 |F|^2 of an unnormalised transform may overflow float32 (at 256^3).
LARGE = 1e8
#: What Fourier modes and differences across the box's edge mean nothing for, but in a periodic box.
PERIODIC_ONLY = frozenset({"spectrum", "div_b_spectral", "div_b_stencil", "div_b_rms"})
#: Above this squared mean over variance, the rounding of a float32 transform shows in the variance.
NEARLY_UNIFORM = 1e3


class Measure:
    """Single-frame and pair diagnostics of a stack of frames.

    Args:
        layout: which channel is which field.  Without "magnetic_field" ("density", "velocity")
            the variables that need it are absent, and shells are those of |k|.
        shape: cells along each axis of a box of cubic cells.
        guide: mean magnetic field of the truth's frame 0, one component per axis, in any
            direction: the direction of k_par and the unit of `div_b_rms`.  Shells are those of
            |k| where it is zero.  Not read without a magnetic field.
        device: where to compute; stacks are moved there.
        dtype: working precision, float32 or float64.  Frames with a channel beyond 1e8, or with
            fluctuations below 3 % of its mean, are measured in float64 whatever it is.
        periodic: whether the box is.  If not, what is left are the moments, extremes and energies:
            `PERIODIC_ONLY` and `structure_variables` are absent.

    Attributes:
        variables: name -> dims.  Variables without "side" compare the two sides, and are returned
            for a stack of two only.
        structure_variables: likewise, of what is measured on some steps only (`Structure`, and
            `co_spectrum`, the sums of Re(p_k u_k*) over shells).
        coords: name -> (dims, values): shell numbers `k_perp`, of which the last is the overflow
            shell, `modes`, the number of Fourier modes in each shell, and those of `Structure`.

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
        periodic: bool = True,
    ) -> None:
        if len(shape) != layout.spatial:
            raise ValueError(f"shape {tuple(shape)} is not {layout.spatial}-dimensional")
        self.layout, self.shape = layout, tuple(shape)
        self.device, self.dtype = torch.device(device), dtype
        self._space = tuple(range(-len(shape), 0))
        self._cells = math.prod(shape)
        b0 = _checked_guide(guide, layout)
        self._b0 = float(np.linalg.norm(b0))
        self._shells = ShellSums(self.shape, b0 if self._b0 > 0 else None, self.device)
        self._divergence = {
            precision: Divergence(self.shape, self.device, precision)
            for precision in {dtype, torch.float64}
            if "magnetic_field" in layout
        }
        self._structure = Structure(layout, self.shape, self.device)
        every = _variables(layout)
        self.variables: Mapping[str, tuple[str, ...]] = MappingProxyType(
            {name: every[name] for name in every if periodic or name not in PERIODIC_ONLY}
        )
        scheduled = {**self._structure.variables, "co_spectrum": ("channel", "k_perp")}
        self.structure_variables: Mapping[str, tuple[str, ...]] = MappingProxyType(
            scheduled if periodic else {}
        )
        self.coords: Mapping[str, tuple[tuple[str, ...], NDArray[Any]]] = MappingProxyType(
            {
                **self._structure.coords,
                "k_perp": (("k_perp",), np.arange(len(self._shells.modes))),
                "modes": (("k_perp",), self._shells.modes),
            }
        )

    def __call__(
        self, stack: Tensor, previous: Tensor | None, structure: bool = False
    ) -> dict[str, NDArray[Any]]:
        """Measure one time step.

        A channel with a non-finite cell has non-finite statistics; nothing raises or hides it.

        Args:
            stack: (S, C, *space).  S = 1: one frame; S = 2: side 0 truth or reference, side 1
                prediction.
            previous: the stack one step before; None at step 0, where increments are NaN.
            structure: whether to measure `structure_variables` too.

        Returns:
            name -> float64 array (`finite`: bool) with the dims that `variables`, and
            `structure_variables`, name.

        Raises:
            ValueError: a stack of another shape.
        """
        stack = self._checked(stack)
        previous = None if previous is None else self._checked(previous)
        structure = structure and bool(self.structure_variables)
        found = self._measured(stack, previous, structure)
        if stack.dtype == torch.float32 and _asks_for_float64(found):
            previous = None if previous is None else previous.double()
            found = self._measured(stack.double(), previous, structure)
        return found

    def _checked(self, stack: Tensor) -> Tensor:
        frame = (self.layout.n_channels, *self.shape)
        if tuple(stack.shape) not in ((1, *frame), (2, *frame)):
            raise ValueError(f"expected a stack of 1 or 2 x {frame}, got {tuple(stack.shape)}")
        return stack.to(self.device, self.dtype).contiguous()

    def _measured(
        self, stack: Tensor, previous: Tensor | None, structure: bool
    ) -> dict[str, NDArray[Any]]:
        planes: dict[str, list[Tensor]] = defaultdict(list)
        magnetic_modes = []
        powers: dict[str, Tensor] = {}
        difference = torch.empty_like(stack[:, 0])  # fresh memory each time would cost more
        # Channel by channel, to stay in the cache; what is left of each plane is reduced together.
        for number, field in enumerate(self.layout.field_of_channel):
            channel = stack[:, number]
            if previous is not None:
                change = torch.sub(channel, previous[:, number], out=difference)
                planes["increment"].append(reductions.norms(change))
            if len(stack) == 2:
                error = torch.sub(channel[1:], channel[:1], out=difference[1:])
                planes["error"].append(reductions.norms(error))
            planes["minimum"].append(channel.amin(self._space))
            planes["maximum"].append(channel.amax(self._space))
            planes["sum"].append(channel.sum((-2, -1)))
            modes = self._modes(channel)
            rows = self._shells.gathered(modes)
            norms = [torch.linalg.vector_norm(side, dim=-1) for side in rows]
            planes["row"].append(torch.stack(norms))
            if structure:
                energy = power(modes)
                powers[field] = powers[field].add_(energy) if field in powers else energy
                if len(stack) == 2:  # Re(p u*) of a mode is the product of its parts, summed
                    planes["co_row"].append((rows[0] * rows[1]).sum(-1)[None])
            if field == "magnetic_field":
                magnetic_modes.append(modes)
        found = self._moments({name: torch.stack(parts, 1) for name, parts in planes.items()})
        if "magnetic_field" in self.layout:
            found |= self._magnetic(stack, magnetic_modes, found["mean"], found["variance"])
        if "density" in self.layout:
            found |= self._material(stack, found["finite"])
        magnetic_modes.clear()  # structure needs as much memory again
        if structure:
            found |= self._structure(stack, found["finite"], powers)
        names = (*self.variables, *self.structure_variables)
        return _to_numpy({name: found[name] for name in names if name in found})

    def _modes(self, channel: Tensor) -> Tensor:
        """Fourier modes of (S, *space), without the mean."""
        modes = torch.fft.rfftn(channel, dim=self._space)
        modes.flatten(1)[:, 0] = 0.0
        return modes

    def _moments(self, planes: dict[str, Tensor]) -> dict[str, Tensor]:
        """From sums and norms of planes, (S, C, ...), to variables of channels, in float64."""

        def mean(sums: Tensor) -> Tensor:
            return sums.double().view(*sums.shape[:2], -1).sum(2) / self._cells

        def mean_square(norms: Tensor) -> Tensor:
            return mean(norms.double().square())

        low, high = planes["minimum"], planes["maximum"]
        spectrum = self._shells.shells(planes["row"].double().square())
        found = {
            "mean": mean(planes["sum"]),
            "variance": spectrum.sum(-1),  # Parseval's theorem
            "minimum": low,
            "maximum": high,
            "finite": low.isfinite() & high.isfinite(),
            "spectrum": spectrum,
            "increment": torch.full_like(low, torch.nan),
        }
        if "increment" in planes:
            found["increment"] = mean_square(planes["increment"]).sqrt()
        if "error" in planes:
            found["mse"] = mean_square(planes["error"])[0]
        if "co_row" in planes:
            found["co_spectrum"] = self._shells.shells(planes["co_row"])[0]
        return found

    def _magnetic(
        self, stack: Tensor, modes: Sequence[Tensor], mean: Tensor, variance: Tensor
    ) -> dict[str, Tensor]:
        """Variables of the magnetic field, and of velocity and magnetic field."""
        b = self.layout.slice("magnetic_field")
        mean_abs = reductions.total(reductions.dot(stack[:, b], stack[:, b]).sqrt_()) / self._cells
        mean_square = (mean[:, b].square() + variance[:, b]).sum(1)
        ratio, centred = self._divergence[stack.dtype](modes)
        found = {
            "mean_abs_b": mean_abs,
            "rms_b": mean_square.sqrt(),
            "magnetic_energy": mean_square / 2,
            "div_b_spectral": ratio,
            "div_b_stencil": centred / mean_abs,
            "div_b_rms": centred / self._b0,
        }
        if "velocity" in self.layout:
            v = self.layout.slice("velocity")
            product = reductions.total(reductions.dot(stack[:, v], stack[:, b])) / self._cells
            found["v_dot_b"] = product - (mean[:, v] * mean[:, b]).sum(1)
        return found

    def _material(self, stack: Tensor, finite: Tensor) -> dict[str, Tensor]:
        """Variables of density, and of density and velocity."""
        channels = self.layout.slice("density")
        density = stack[:, channels][:, 0]
        # A comparison into floats is vectorised, one into bools and its count are not.
        below = torch.lt(density, 0, out=torch.empty_like(density))
        fraction = reductions.total(below) / self._cells
        found = {"negative_density": torch.where(finite[:, channels][:, 0], fraction, torch.nan)}
        if "velocity" in self.layout:
            velocity = stack[:, self.layout.slice("velocity")]
            energy = reductions.dot(velocity, velocity).mul_(density)
            found["kinetic_energy"] = reductions.total(energy) / self._cells / 2
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
        if "velocity" in layout:
            per_side += ["v_dot_b"]
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


def _to_numpy(found: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
    """All values in one transfer from the device."""
    flat = torch.cat([tensor.double().flatten() for tensor in found.values()]).cpu().numpy()
    ends = np.cumsum([tensor.numel() for tensor in found.values()])
    return {
        name: part.reshape(tensor.shape).astype(bool if tensor.dtype == torch.bool else float)
        for (name, tensor), part in zip(found.items(), np.split(flat, ends[:-1]), strict=True)
    }
