"""The trained model made ready for one rollout: same weights, same function, less around it.

What goes: checkpointing of activations (it stashes random states even without gradients), stochastic
depth (the identity), and decoding the frames before the last, which nobody reads.  What is computed
once instead of in every block of every step: the angles of the rotary embedding, in the model's own
precision, and the biases of time attention.  What is pinned: the epsilon of the normalisation
layers, which otherwise follows the precision.
"""

from __future__ import annotations

import copy
import importlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain
from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.surrogates.walrus import source

#: epsilon of float32, which the layers take in float32: in float64 the same function, not another
EPSILON = 2.0**-23


class RmsNorm(nn.Module):
    """x w / sqrt( mean x^2 + eps ) per channel, mean over space: the source's RMSGroupNorm.

    x: (N, C, *space); w: (C,).
    """

    def __init__(self, weight: Tensor | None) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        """Normalise."""
        space = x.shape[2:]
        normal = F.rms_norm(x, list(space), eps=EPSILON)
        return normal if self.weight is None else normal * self.weight.view(-1, *(1,) * len(space))


class AxialAngles(nn.Module):
    """The rotary embedding's angles of one token grid, instead of computing them in every step."""

    angles: Tensor

    def __init__(self, angles: Tensor, tokens: Sequence[int]) -> None:
        super().__init__()
        self.tokens = tuple(tokens)
        self.register_buffer("angles", angles)

    def get_axial_freqs(self, *tokens: int) -> Tensor:
        """The angles (*tokens, features); ValueError for another token grid."""
        if tokens != self.tokens:
            raise ValueError(f"prepared for {self.tokens} tokens, the frame has {tokens}")
        return self.angles


class TimeBias(nn.Module):
    """The bias of attention between the frames of a history, instead of looking it up every time."""

    bias: Tensor

    def __init__(self, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("bias", bias)

    def forward(self, queries: int, keys: int) -> Tensor:
        """(1, heads, T, T)."""
        return self.bias


def share(module: nn.Module, convert: Callable[[Tensor], Tensor] = lambda t: t) -> nn.Module:
    """A copy of a model's structure around its tensors, each converted; no tensor is copied twice."""
    memo: dict[int, Any] = {}
    for tensor in chain(module.parameters(), module.buffers()):
        value = convert(tensor)
        if isinstance(tensor, nn.Parameter) and value is not tensor:
            value = nn.Parameter(value, requires_grad=False)
        memo[id(tensor)] = value
    return copy.deepcopy(module, memo)


def moved(module: nn.Module, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """The model on a device in a precision; tensors that are there already are shared."""
    return share(
        module,
        lambda t: t.to(device, dtype if t.is_floating_point() else None),
    )


@torch.no_grad()
def prepare(
    module: nn.Module, tokens: Sequence[int], n_history: int, jitter: bool, compiled: bool = False
) -> nn.Module:
    """The model for rollouts on one token grid; `module` stays as it is.

    jitter: random translations by the patch jitterer and before each block.  compiled: every block
    by torch.compile, one graph for all of them.
    """
    ready: Any = share(module)
    ready.gradient_checkpointing_freq = 0
    ready.causal_in_time = False  # decides only whether frames before the last are decoded
    ready.jitter_patches = ready.patch_jitterer.jitter_patches = jitter
    for block in ready.blocks:
        block.gradient_checkpointing = False
        rotary, bias = block.space_mixing.rotary_emb, block.time_mixing.rel_pos_bias
        with _default_dtype(_dtype(rotary)):
            block.space_mixing.rotary_emb = AxialAngles(rotary.get_axial_freqs(*tokens), tokens)
        if isinstance(bias, nn.Module):
            block.time_mixing.rel_pos_bias = TimeBias(bias(n_history, n_history))
        block.space_mixing.drop_path = block.time_mixing.drop_path = nn.Identity()
    norm = source.attribute("walrus.models.shared_utils.normalization.RMSGroupNorm")
    for parent in list(ready.modules()):
        for name, child in parent.named_children():
            if isinstance(child, norm):
                setattr(parent, name, RmsNorm(child.weight))
    if compiled:
        for block in ready.blocks:
            block.forward = MethodType(_compiled(type(block)), block)  # type: ignore[arg-type]
    return ready


def _dtype(module: nn.Module) -> torch.dtype:
    return next(t.dtype for t in chain(module.parameters(), module.buffers()) if t.is_floating_point())


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """The rotary embedding makes its positions in the default precision: it must be the model's."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@cache
def _compiled(block: type[nn.Module]) -> Callable[..., Any]:
    """The class's forward, compiled once: blocks differ by their weights only."""
    with warnings.catch_warnings():
        # Torch's compiler still imports parts of torch that torch calls deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        importlib.import_module("torch._inductor.compile_fx")
    return torch.compile(block.forward, fullgraph=True)
