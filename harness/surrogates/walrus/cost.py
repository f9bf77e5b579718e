"""What a step costs: floating-point operations counted on the meta device, and how long they take."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from harness import numerics

#: matrix products like those of the model: rows, hidden width, columns; small enough for a CPU
PROBE = {"cpu": (512, 1408, 1408), "cuda": (8192, 1408, 9856)}
REPEATS = 3


def flops(prepared: nn.Module, arguments: tuple[Any, ...]) -> int:
    """Operations of one forward pass (a multiply-add counts 2), for a model on the meta device.

    The blocks are alike, so two are counted instead of all.
    """
    model: Any = prepared
    blocks = model.blocks
    counts = []
    for kept in (1, 2):
        model.blocks = blocks[:kept]
        with FlopCounterMode(display=False) as counter:
            model(*arguments)
        counts.append(counter.get_total_flops())
    model.blocks = blocks
    return int(counts[0] + (len(blocks) - 1) * (counts[1] - counts[0]))


def rate(device: torch.device, precision: str) -> float:
    """Operations per second of a matrix product on this device, measured now.

    A model is slower than its matrix products, so what follows from it is a lower bound of the time.
    """
    rows, inner, columns = PROBE[device.type]
    dtype = numerics.DTYPES[precision]
    a = torch.ones(rows, inner, device=device, dtype=dtype)
    b = torch.ones(inner, columns, device=device, dtype=dtype)
    fastest = float("inf")
    with numerics.strict(), numerics.autocast(precision, device):
        for _ in range(REPEATS):
            fastest = min(fastest, _seconds(a, b))
    return 2.0 * rows * inner * columns / fastest


def _seconds(a: Tensor, b: Tensor) -> float:
    _wait(a.device)
    start = time.perf_counter()
    _ = a @ b
    _wait(a.device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
