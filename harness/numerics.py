"""Precision means what it says: numerical switches set around a rollout, restored after it.

"fp32" is IEEE float32 (no TF32 anywhere), "fp64" IEEE float64, "bf16" float32 weights and state
with bfloat16 autocast inside the model.  Every switch that can change a digit is recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

#: precision -> dtype of weights and of the autoregressive state
DTYPES = {"fp32": torch.float32, "fp64": torch.float64, "bf16": torch.float32}


def flags() -> dict[str, str]:
    """The switches in force now, as they are stored with a record and enter its key."""
    return {
        "matmul_precision": torch.get_float32_matmul_precision(),
        "cudnn_allow_tf32": str(torch.backends.cudnn.allow_tf32),
        "cudnn_deterministic": str(torch.backends.cudnn.deterministic),
        "cudnn_benchmark": str(torch.backends.cudnn.benchmark),
    }


@contextmanager
def strict() -> Iterator[None]:
    """IEEE arithmetic and deterministic kernels inside the block; the caller's switches after it."""
    before = (
        torch.get_float32_matmul_precision(),
        torch.backends.cudnn.allow_tf32,
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.benchmark,
    )
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
        torch.backends.cudnn.deterministic = before[2]
        torch.backends.cudnn.benchmark = before[3]


def autocast(precision: str, device: torch.device) -> Any:
    """The context in which a model of this precision takes a step."""
    if precision == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()
