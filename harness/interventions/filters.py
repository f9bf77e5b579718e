"""Filters of every field in Fourier space."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.interventions.setting import Change, Setting

#: Cells per token and axis of the lattice that `notch` takes out.  At 64 cells Walrus works on 16
#: tokens per axis (arXiv 2511.15684), so that its lattice has the wavenumbers 16 and 32.
STRIDE = 4


def lowpass(setting: Setting) -> Change:
    """Only modes with |k| < N/4 are kept.

    k_i = n_i N / N_i with mode number n_i, N_i cells along the axis, and N the fewest: |k| on a
    cubic grid.
    """
    setting.require_periodic("lowpass")
    smallest = min(setting.window.simulation.shape)
    k = [mode * (smallest / cells) for mode, cells in _modes(setting)]
    squared = sum(component.square() for component in k)
    return _keep(setting, torch.as_tensor(squared) < (smallest / 4) ** 2)


def notch(setting: Setting) -> Change:
    """The token lattice is taken out: all modes but the mean with every k_i a multiple of N_i / 4.

    They are what repeats identically in every token of `STRIDE` cells a side.
    Raises ValueError if the tokens do not tile the grid.
    """
    setting.require_periodic("notch")
    shape = setting.window.simulation.shape
    if any(cells % STRIDE for cells in shape):
        raise ValueError(
            f"the intervention 'notch' needs axes of a multiple of {STRIDE} cells, got {shape}"
        )
    on_lattice = torch.ones((), dtype=torch.bool, device=setting.history.device)
    for mode, cells in _modes(setting):
        on_lattice = on_lattice & (mode % (cells // STRIDE) == 0)
    on_lattice[(0,) * len(shape)] = False
    return _keep(setting, ~on_lattice)


def _modes(setting: Setting) -> list[tuple[Tensor, int]]:
    """Signed mode number along each axis of the half lattice, shaped to broadcast, and its cells."""
    shape, device = setting.window.simulation.shape, setting.history.device
    result = []
    for axis, cells in enumerate(shape):
        frequency = torch.fft.rfftfreq if axis == len(shape) - 1 else torch.fft.fftfreq
        # In float64 mode numbers come out whole.
        mode = frequency(cells, 1 / cells, dtype=torch.float64, device=device).round()
        result.append((mode.view([-1 if a == axis else 1 for a in range(len(shape))]), cells))
    return result


def _keep(setting: Setting, kept: Tensor) -> Change:
    axes, shape = setting.axes, setting.window.simulation.shape

    def change(frame: Tensor, history: Tensor, step: int) -> Tensor:
        # A filter would spread one NaN over the whole box, and hide where it began.
        if not bool(torch.isfinite(frame).all()):
            return frame
        return torch.fft.irfftn(torch.fft.rfftn(frame, dim=axes) * kept, s=shape, dim=axes)

    return change
