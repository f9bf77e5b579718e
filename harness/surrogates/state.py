"""State dicts: read as weights only, and put into a module that they fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from harness.surrogates.spec import ModelError


def read(path: Path) -> dict[str, Any]:
    """A state dict from a safetensors file or a `.pt`, bare or under "model"; never code.

    Raises ModelError: no file, a broken one, one that needs code to be run, or no state dict in it.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ModelError(f"no weights at {path}") from error
    except SafetensorError as error:
        raise ModelError(f"{path} is no complete safetensors file: {error}") from error
    except Exception as error:  # torch.load raises many kinds for a file that is none of its own
        raise ModelError(
            f"{path} cannot be loaded as weights only: {str(error).splitlines()[0]} (files that need "
            "code to be run are refused; save a state dict)"
        ) from error
    while isinstance(state, dict) and isinstance(state.get("model"), dict):
        state = state["model"]
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise ModelError(f"{path} holds {type(state).__name__}, expected a state dict")
    # neuraloperator leaves a note beside the tensors.
    return {name: value for name, value in state.items() if name != "_metadata"}


def fill(module: nn.Module, state: dict[str, Any], source: Path) -> nn.Module:
    """The module with these weights; ModelError names the keys and shapes that do not fit."""
    wanted = module.state_dict()
    missing, unexpected = sorted(set(wanted) - set(state)), sorted(set(state) - set(wanted))
    shapes = [
        f"{name} {_shape(state[name])} instead of {_shape(wanted[name])}"
        for name in sorted(set(wanted) & set(state))
        if isinstance(wanted[name], Tensor) and _shape(state[name]) != _shape(wanted[name])
    ]
    if missing or unexpected or shapes:
        raise ModelError(
            f"{source} holds no {type(module).__name__} of this configuration: missing "
            f"{_few(missing)}; unexpected {_few(unexpected)}; other shapes {_few(shapes)}"
        )
    module.load_state_dict(state)
    return module


def _shape(value: object) -> str:
    return str(tuple(value.shape)) if isinstance(value, Tensor) else type(value).__name__


def _few(names: Sequence[str]) -> str:
    return (", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")) or "none"
