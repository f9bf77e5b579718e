"""Interventions: a wrapper around any model's output, applied at every step.

Each is a function of the new frame, the history that made it, and the step.  They are named in the
model grammar (`--model conv-mini+divfree`) and judged by the same suite as the bare model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.fields import FieldLayout


@dataclass(frozen=True)
class Intervention:
    """One named intervention, bound to a layout so that it knows the magnetic field's channels."""

    name: str
    layout: FieldLayout

    def __call__(self, frame: Tensor, history: Tensor, step: int) -> Tensor:
        """The frame with the intervention applied; the input is not changed."""
        return INTERVENTIONS[self.name](frame, history, self.layout)


def divfree(frame: Tensor, history: Tensor, layout: FieldLayout) -> Tensor:
    """Spectral projection of B onto solenoidal fields: B_k -> B_k - k (k . B_k) / k^2.

    The derivative of a Nyquist mode is zero, and the mean field (k = 0) stays.
    Non-finite frames pass unchanged: a projection would spread one NaN over the whole box.
    """
    channels = layout.slice("magnetic_field")
    field = frame[channels]
    if not bool(torch.isfinite(field).all()):
        return frame
    axes = tuple(range(1, field.ndim))
    shape = field.shape[1:]
    modes = torch.fft.rfftn(field, dim=axes)
    vectors = []
    for axis, n in enumerate(shape):
        last = axis == len(shape) - 1
        k = (torch.fft.rfftfreq if last else torch.fft.fftfreq)(
            n, 1 / n, dtype=field.dtype, device=field.device
        )
        if n % 2 == 0:
            k = torch.where(k.abs() == n // 2, 0, k)
        vectors.append(k.view([-1 if a == axis else 1 for a in range(len(shape))]))
    k_squared = sum(k.square() for k in vectors)
    divergence = sum(k * mode for k, mode in zip(vectors, modes, strict=True))
    longitudinal = divergence / torch.where(k_squared == 0, 1, k_squared)
    projected = torch.stack([mode - k * longitudinal for k, mode in zip(vectors, modes, strict=True)])
    result = frame.clone()
    result[channels] = torch.fft.irfftn(projected, s=shape, dim=axes)
    return result


def restore(frame: Tensor, history: Tensor, layout: FieldLayout) -> Tensor:
    """Put mass and mean magnetic field back to their values in the last input frame."""
    result = frame.clone()
    for name in ("density", "magnetic_field"):
        if name in layout:
            channels = layout.slice(name)
            axes = tuple(range(1, frame.ndim))
            drift = frame[channels].mean(axes, keepdim=True) - history[-1, channels].mean(
                axes, keepdim=True
            )
            result[channels] = frame[channels] - drift
    return result


INTERVENTIONS: dict[str, Callable[[Tensor, Tensor, FieldLayout], Tensor]] = {
    "divfree": divfree,
    "restore": restore,
}
