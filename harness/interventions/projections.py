"""Projections onto what an exact solution obeys: no divergence, constant mass and mean field."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harness.interventions.setting import Change, Setting


def solenoidal(field: Tensor, spacing: Sequence[float]) -> Tensor:
    """The solenoidal part of a periodic vector field: F_k -> F_k - k (k . F_k) / k^2.

    The mean (k = 0) stays, and a Nyquist wavenumber, which has no derivative, counts as zero.
    It keeps F_y where k_y = 0, and of an isotropic field with one component, (0, F_y, 0), it
    removes a third of the energy, the mean of k_y^2 / k^2.

    Args:
        field: (d, *space) with d spatial axes.
        spacing: grid spacing of each axis.
    """
    axes = tuple(range(1, field.ndim))
    shape = field.shape[1:]
    k = []
    for axis, (cells, distance) in enumerate(zip(shape, spacing, strict=True)):
        frequency = torch.fft.rfftfreq if axis == len(shape) - 1 else torch.fft.fftfreq
        along = frequency(cells, distance, dtype=field.dtype, device=field.device)
        if cells % 2 == 0:
            along[cells // 2] = 0
        k.append(along.view([-1 if a == axis else 1 for a in range(len(shape))]))
    modes = torch.fft.rfftn(field, dim=axes)
    k_squared = sum(component.square() for component in k)
    divergence = sum(component * mode for component, mode in zip(k, modes, strict=True))
    potential = divergence / torch.where(k_squared == 0, 1, k_squared)
    kept = [mode - component * potential for component, mode in zip(k, modes, strict=True)]
    return torch.fft.irfftn(torch.stack(kept), s=shape, dim=axes)


def divfree(setting: Setting) -> Change:
    """The magnetic field loses its gradients."""
    return _project(setting, "divfree", "magnetic_field")


def project_v(setting: Setting) -> Change:
    """The velocity loses its gradients: the operation of `divfree`, where no law asks for it.

    A placebo for what a projection does to the magnetic field; not for the accuracy of a
    compressible flow, whose velocity has gradients of its own.
    """
    return _project(setting, "project-v", "velocity")


def _project(setting: Setting, name: str, field: str) -> Change:
    setting.require_periodic(name)
    channels, spacing = setting.layout.slice(field), setting.window.simulation.spacing

    def change(frame: Tensor, history: Tensor, step: int) -> Tensor:
        # A projection would spread one NaN over the whole box, and hide where it began.
        if not bool(torch.isfinite(frame[channels]).all()):
            return frame
        result = frame.clone()
        result[channels] = solenoidal(frame[channels], spacing)
        return result

    return change


def restore(setting: Setting) -> Change:
    """Mass and mean magnetic field go back to their values in the last input frame.

    Raises ValueError for a box that conserves them not: mass passes an open boundary, and flux any but
    a periodic one.
    """
    boundaries, parts = setting.window.simulation.boundaries, []
    for name, closed in (("density", {"periodic", "wall"}), ("magnetic_field", {"periodic"})):
        if name not in setting.layout:
            continue
        if not set(boundaries) <= closed:
            raise ValueError(
                f"the intervention 'restore' puts back the mean {name}, which a box with boundaries "
                f"{', '.join(boundaries)} does not conserve"
            )
        parts.append(setting.layout.slice(name))

    def mean(field: Tensor) -> Tensor:
        return field.double().mean(setting.axes, keepdim=True)

    def change(frame: Tensor, history: Tensor, step: int) -> Tensor:
        result = frame.clone()
        for channels in parts:
            drift = mean(frame[channels]) - mean(setting.history[-1, channels])
            result[channels] = frame[channels] - drift.to(frame.dtype)
        return result

    return change
