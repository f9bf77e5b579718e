"""Checkpoints: read without executing anything, mapped into memory, put into a model without a copy.

Three layouts of a torch file are in use, {"app": {"model": state}}, {"model": state} and the state
itself; a safetensors file holds the state.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from harness.surrogates.walrus.errors import WalrusError

#: buffers that are caches of rotary embeddings: not stored, and empty at first
CACHES = frozenset({"dummy", "cached_freqs", "cached_freqs_seq_len"})
#: names of parameters that only a fine-tuned checkpoint has
FINETUNED = ("ape", "rotary_emb.freqs.0")
SHOWN = 6


def read(file: Path) -> dict[str, Tensor]:
    """The state of a checkpoint, by name.  The numbers stay on disk until they are used.

    Raises WalrusError: not a torch or safetensors file, a pickle that asks to run code, or no state.
    """
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        tree = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise WalrusError(
            f"{file} is refused: it is no file of tensors only, and loading it could run code ({error})"
        ) from error
    except (SafetensorError, RuntimeError, OSError, EOFError) as error:
        raise WalrusError(f"{file} is not a complete checkpoint: {error}") from error
    for key in ("app", "model"):
        if isinstance(tree, Mapping) and isinstance(tree.get(key), Mapping):
            tree = tree[key]
    if not isinstance(tree, Mapping) or not all(isinstance(v, Tensor) for v in tree.values()):
        kinds = ", ".join(map(str, tree)) if isinstance(tree, Mapping) else type(tree).__name__
        raise WalrusError(
            f"{file} holds no state of a model: expected app.model, model or tensors by name, "
            f"found {kinds[:200]}"
        )
    return dict(tree)


def put(module: nn.Module, state: Mapping[str, Tensor], file: Path) -> None:
    """Give a model on the meta device its numbers, and drop what a three-dimensional run never uses.

    Raises WalrusError for names or shapes that do not fit.
    """
    _check(module.state_dict(), state, file)
    module.load_state_dict(state, strict=True, assign=True)
    module.requires_grad_(False)
    for name in ("embed", "debed"):
        embeddings: Any = getattr(module, name)
        for key in [key for key in embeddings if key != "3"]:
            del embeddings[key]
    for path, part in module.named_modules():
        for name, buffer in part._buffers.items():
            if buffer is not None and buffer.is_meta:
                if name not in CACHES:
                    raise WalrusError(f"{file} does not hold the buffer {path}.{name}")
                part._buffers[name] = torch.zeros_like(buffer, device="cpu")


def _check(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], file: Path) -> None:
    faults = []
    missing, unexpected = expected.keys() - found.keys(), found.keys() - expected.keys()
    if missing:
        faults.append(f"missing {_names(missing)}")
    if unexpected:
        faults.append(f"unexpected {_names(unexpected)}")
    faults += [
        f"{key} has shape {tuple(found[key].shape)}, expected {tuple(expected[key].shape)}"
        for key in sorted(expected.keys() & found.keys())
        if found[key].shape != expected[key].shape
    ][:SHOWN]
    if not faults:
        return
    hint = ""
    if any(key.endswith(FINETUNED) for key in unexpected):
        hint = "; it is fine-tuned: the configuration beside it must have its finetuning_mods"
    elif any(key.endswith(FINETUNED) for key in missing):
        hint = "; the configuration has finetuning_mods, the weights are not fine-tuned"
    raise WalrusError(f"{file} does not fit its configuration: {'; '.join(faults)}{hint}")


def _names(keys: set[str]) -> str:
    shown = ", ".join(sorted(keys)[:SHOWN])
    return f"{shown} and {len(keys) - SHOWN} more" if len(keys) > SHOWN else shown
