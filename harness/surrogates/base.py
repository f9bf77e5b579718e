"""The interface of a surrogate.

A surrogate maps the last `n_history` frames to the next one.  Everything a step may depend on is
passed to it: the history, the number of the step, the window it rolls, and a `Draw`.  A stepper
therefore needs no memory of its own, and any step can be repeated.
"""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any, Protocol, Self

import torch
from torch import nn

from harness.fields import FieldLayout
from harness.stepping import Draw, Stepper
from harness.truth.window import Window

#: What a model can be asked, unless it says otherwise.  "responds": its output depends on its input
#: (a replay does not); "autonomous": it knows nothing of its window's own frames, so it has an answer
#: to any other state; "dtype": it computes in the precision it is given; "differentiable": autograd
#: passes through it.
TRAITS = frozenset({"responds", "autonomous", "dtype", "differentiable"})
#: Trait of a model that uses its draw: another one gives another rollout.
STOCHASTIC = "stochastic"


class Surrogate(Protocol):
    """What the harness asks of a model.

    A model that works in patches may have an attribute `token_stride: int`, the distance of its
    tokens in cells, at which `patch_imprint` then looks; without it all usual strides are judged.
    """

    fields: FieldLayout
    n_history: int
    traits: frozenset[str]

    def begin(self, window: Window, draw: Draw) -> Stepper:
        """A stepper for one rollout of `window`."""
        ...

    def to(self, device: torch.device, dtype: torch.dtype) -> Surrogate:
        """The same model on a device in a floating-point precision; `self` stays as it is."""
        ...

    def fingerprint(self) -> str:
        """Digest of the weights' content and of the configuration; never of a path or a name."""
        ...


class Weightless:
    """The base of a surrogate without weights: it knows where, and in which precision, to compute."""

    n_history = 1

    def __init__(self, fields: FieldLayout) -> None:
        self.fields = fields
        self._device, self._dtype = torch.device("cpu"), torch.float32

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """A copy that computes on this device in this precision."""
        moved = copy.copy(self)
        moved._device, moved._dtype = device, dtype
        return moved


class ModuleSurrogate:
    """A surrogate around a `torch.nn.Module` that maps (n_history, C, *space) to (C, *space).

    Subclass it, or call it with any such module: this is the 20-line way to add a model.
    """

    traits = TRAITS

    def __init__(
        self,
        module: nn.Module,
        fields: FieldLayout,
        n_history: int,
        config: dict[str, Any] | None = None,
    ) -> None:
        self.module = module.eval()
        self.fields = fields
        self.n_history = n_history
        self.config = config or {}

    def begin(self, window: Window, draw: Draw) -> Stepper:
        """The module itself, applied to the history: no randomness, no dependence on the step."""
        return lambda history, step: self.module(history)

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """A copy whose module is cast and moved; complex tensors stay complex."""
        moved = copy.copy(self)
        moved.module = copy.deepcopy(self.module).to(device=device)
        # Module.to(dtype) would drop the imaginary part of complex weights.
        complex_dtype = torch.complex128 if dtype == torch.float64 else torch.complex64
        for tensor in (*moved.module.parameters(), *moved.module.buffers()):
            if tensor.is_complex():
                tensor.data = tensor.data.to(complex_dtype)
            elif tensor.is_floating_point():
                tensor.data = tensor.data.to(dtype)
        return moved

    def fingerprint(self) -> str:
        """SHA-256 over every tensor of the state dict (name, dtype, shape, bytes) and the config."""
        digest = hashlib.sha256(json.dumps(self.config, sort_keys=True, default=str).encode())
        for name, tensor in sorted(self.module.state_dict().items()):
            value = tensor.detach().cpu().contiguous()
            digest.update(f"{name}:{value.dtype}:{tuple(value.shape)}".encode())
            digest.update(value.flatten().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()
