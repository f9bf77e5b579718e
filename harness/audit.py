"""Precision audit: does a float64 rollout really stay in float64?

A dispatch mode sees every operator that a step runs, whatever Python code issued it.  An operator
that takes or gives a floating (or complex) tensor below double precision is a leak: the state has
passed, or been mixed with, a rounded number.  Integer and boolean tensors are harmless.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_DOUBLE = (torch.float64, torch.complex128)

# Allocation without arithmetic: an uninitialised or freed buffer rounds nothing.
_INERT = {"aten::empty.memory_format", "aten::empty_strided", "aten::detach"}


def _low(value: Any) -> bool:
    return (
        isinstance(value, torch.Tensor)
        and (value.is_floating_point() or value.is_complex())
        and value.dtype not in _DOUBLE
    )


class PrecisionAudit(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts, while active, the operators that touch a floating tensor below double precision.

    `leaks`: operator name -> number of calls; `calls`: all operators seen.  Use it under
    `torch.no_grad`: `inference_mode` would hide composite operators from the dispatcher.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls = 0
        self.leaks: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        """Run the operator and look at what went in and what came out."""
        result = func(*args, **(kwargs or {}))
        self.calls += 1
        name = func.name()
        if name not in _INERT and any(map(_low, tree_leaves((args, kwargs or {}, result)))):
            self.leaks[name] += 1
        return result
