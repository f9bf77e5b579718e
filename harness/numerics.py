"""Precision means what it says: numerical switches set around a rollout, restored after it.

"fp32" is IEEE float32 (no TF32 anywhere), "fp64" IEEE float64, "bf16" float32 weights and state
with bfloat16 autocast inside the model, "tf32" float32 weights and state whose matrix products and
convolutions may round their inputs to TF32 (10 bits) inside the model, on hardware that has it: the
usual setting of training.  Diagnostics are IEEE whatever the model's precision.  Every switch that
can change a digit is recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

#: precision -> dtype of weights and of the autoregressive state
DTYPES = {
    "fp32": torch.float32,
    "fp64": torch.float64,
    "bf16": torch.float32,
    "tf32": torch.float32,
}


def flags(precision: str = "fp32") -> dict[str, str]:
    """The switches in force now, inside a step of this precision, as a record stores them."""
    with _tf32() if precision == "tf32" else nullcontext():
        return {
            "matmul_precision": torch.get_float32_matmul_precision(),
            "cudnn_allow_tf32": str(torch.backends.cudnn.allow_tf32),
            "cudnn_deterministic": str(torch.backends.cudnn.deterministic),
            "cudnn_benchmark": str(torch.backends.cudnn.benchmark),
        }


@contextmanager
def strict() -> Iterator[None]:
    """IEEE arithmetic and deterministic kernels inside the block; the caller's switches after it."""
    deterministic = torch.backends.cudnn.deterministic
    benchmark = torch.backends.cudnn.benchmark
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    try:
        with _tf32("highest", False):
            yield
    finally:
        torch.backends.cudnn.deterministic = deterministic
        torch.backends.cudnn.benchmark = benchmark


def autocast(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """The context in which a model of this precision takes a step."""
    if precision == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    if precision == "tf32":
        return _tf32()
    return nullcontext()


@contextmanager
def _tf32(matmul: str = "high", convolutions: bool = True) -> Iterator[None]:
    """Matrix products at this precision, convolutions in TF32 or not; restored after it."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision(matmul)
    torch.backends.cudnn.allow_tf32 = convolutions
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
