"""From a network to the next frame: the last frame plus an increment, in units the network can learn.

    u(t+1) = u(t) + s * net(inputs)

What differs is where the units come from: from the training data, once and for all, or from the
history at hand, anew at every step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

#: The least rms that is divided by, as in Walrus (arXiv 2511.15684): a channel that is zero stays so.
LEAST = 1e-5


class IncrementModel(nn.Module, ABC):
    """A network between physical units: (n_history, C, x, y, z) -> (C, x, y, z).

    Raises ValueError for a history of another number of frames, channels or axes.
    """

    def __init__(self, net: nn.Module, n_history: int, channels: int) -> None:
        super().__init__()
        self.net = net
        self.n_history = n_history
        self.channels = channels

    @abstractmethod
    def normalise(self, history: Tensor) -> tuple[Tensor, Tensor]:
        """The network's input (n_history * C, x, y, z) and the unit of an increment (C, 1, 1, 1)."""

    def forward(self, history: Tensor) -> Tensor:
        """The next frame, in physical units."""
        self._check(history)
        inputs, unit = self.normalise(history)
        return history[-1] + unit * self.net(inputs)

    def residual(self, window: Tensor) -> Tensor:
        """Predicted minus true increment in its unit, for a history and the frame after it.

        window: (n_history + 1, C, x, y, z).  This is what training makes small.
        """
        self._check(window[:-1])
        inputs, unit = self.normalise(window[:-1])
        return self.net(inputs) - (window[-1] - window[-2]) / unit

    def _check(self, history: Tensor) -> None:
        if history.ndim != 5 or history.shape[:2] != (self.n_history, self.channels):
            raise ValueError(
                f"expected a history of shape ({self.n_history}, {self.channels}, x, y, z), "
                f"got {tuple(history.shape)}"
            )


class FixedUnits(IncrementModel):
    """Units from the training data: the last frame and the past increments, each normalised.

    mean, scale: per channel, normalise a frame; increment_scale: the same for the difference of
    two successive frames.  All are buffers of shape (C, 1, 1, 1) and part of the checkpoint.
    """

    mean: Tensor
    scale: Tensor
    increment_scale: Tensor

    def __init__(self, net: nn.Module, n_history: int, channels: int) -> None:
        super().__init__(net, n_history, channels)
        self.register_buffer("mean", torch.zeros(channels, 1, 1, 1))
        self.register_buffer("scale", torch.ones(channels, 1, 1, 1))
        self.register_buffer("increment_scale", torch.ones(channels, 1, 1, 1))

    def normalise(self, history: Tensor) -> tuple[Tensor, Tensor]:
        """The same units for every history."""
        frame = (history[-1] - self.mean) / self.scale
        past = (history[1:] - history[:-1]) / self.increment_scale
        return torch.cat([frame, past.flatten(0, 1)]), self.increment_scale


class ReversibleUnits(IncrementModel):
    """Units from the history at hand, per sample and channel, as in Walrus (arXiv 2511.15684).

    The frames are divided by their rms over time and space; an increment is measured in the rms of
    the history's own increments.  A rollout feeds that unit with what it predicted before: nothing
    in the model remembers how large a field, or its change, ought to be.
    Raises ValueError for a history of one frame, which has no increment.
    """

    def __init__(self, net: nn.Module, n_history: int, channels: int) -> None:
        if n_history < 2:
            raise ValueError("increments rescaled by the last ones need a history of 2 frames or more")
        super().__init__(net, n_history, channels)

    def normalise(self, history: Tensor) -> tuple[Tensor, Tensor]:
        """The frames over their rms, and the rms of their increments."""
        increments = history[1:] - history[:-1]
        return (history / _rms(history)).flatten(0, 1), _rms(increments)


def _rms(frames: Tensor) -> Tensor:
    """Root mean square over time and space of (T, C, x, y, z), at least `LEAST`: (C, 1, 1, 1)."""
    return frames.square().mean((0, 2, 3, 4), keepdim=True)[0].sqrt().clamp(min=LEAST)
