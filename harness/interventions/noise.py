"""White noise on every new frame."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from harness.interventions.setting import Change, Setting
from harness.stepping import Draw

#: Of a channel's standard deviation in the last input frame.
AMPLITUDE = 1e-2


def noise(setting: Setting) -> Change:
    """White noise of 1 % of each channel's fluctuation, from the rollout's own draw.

    The numbers are made in float64 on the CPU: every precision and device sees the same ones.
    Raises ValueError for a draw without randomness.
    """
    if setting.draw.seed is None:
        raise ValueError("the intervention 'noise' needs random numbers, and the draw holds none")
    # A stream of its own: the model may use the draw's numbers too.
    digest = hashlib.sha256(f"noise/{setting.draw.seed}".encode()).digest()
    draw = Draw(int.from_bytes(digest[:8], "little"))
    sigma = AMPLITUDE * setting.history[-1].std(setting.axes, correction=0, keepdim=True)

    def change(frame: Tensor, history: Tensor, step: int) -> Tensor:
        values = torch.randn(frame.shape, generator=draw.torch(step), dtype=torch.float64)
        return frame + sigma * values.to(frame.device, frame.dtype)

    return change
