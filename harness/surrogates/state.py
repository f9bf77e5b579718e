"""State dicts: read as weights only, and put into a module that they fit."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
            f"{path} cannot be loaded as weights only: {_reason(error)} (files that need "
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


@contextmanager
def loading(checkpoint: str | None, name: str) -> Iterator[None]:
    """Runs a user's own loader, and says in one line what its checkpoint lacks.

    Raises ModelError where torch or safetensors cannot read the file, and where a state dict does
    not fit its module: the file, and the first names and shape.  All else goes on as it is.
    """
    try:
        yield
    except RuntimeError as error:
        if checkpoint and (misfit := _misfit(str(error))):
            raise ModelError(f"{checkpoint} does not fit {name}: {misfit}") from error
        _check_readable(checkpoint, error)
        raise
    except Exception as error:
        _check_readable(checkpoint, error)
        raise


def _check_readable(checkpoint: str | None, error: Exception) -> None:
    """Raises ModelError for a checkpoint that is none, if that is where the loader failed."""
    modules = {frame.f_globals.get("__name__") for frame, _ in traceback.walk_tb(error.__traceback__)}
    if checkpoint and modules & {"torch.serialization", "safetensors.torch"}:
        read(Path(checkpoint))


_MISSING = re.compile(r"Missing key\(s\) in state_dict: (.*)\.")
_UNEXPECTED = re.compile(r"Unexpected key\(s\) in state_dict: (.*)\.")
_SIZES = re.compile(
    r"size mismatch for (\S+): copying a param with shape torch\.Size\(\[(.*?)\]\) from checkpoint, "
    r"the shape in current model is torch\.Size\(\[(.*?)\]\)"
)


def _misfit(text: str) -> str:
    """What `nn.Module.load_state_dict` complains of, in a line; empty of another complaint."""
    if not text.startswith("Error(s) in loading state_dict"):
        return ""
    found = []
    for pattern, word in ((_MISSING, "missing"), (_UNEXPECTED, "unexpected")):
        if match := pattern.search(text):
            names = re.findall(r'"([^"]*)"', match[1])
            found.append(f"{word} {_few(names)}")
    if sizes := _SIZES.findall(text):
        name, saved, wanted = sizes[0]
        more = f", and {len(sizes) - 1} more of other shapes" if len(sizes) > 1 else ""
        found.append(f"{name} is ({saved}), the model has ({wanted}){more}")
    return "; ".join(found) or " ".join(text.split())


def _reason(error: Exception) -> str:
    """Why torch reads no weights from a file: its own answers are long, or a bare `KeyError: 101`."""
    text = str(error)
    if match := re.search(r"WeightsUnpickler error: (.+)", text):
        return match[1].split(" Please use ")[0]  # what it advises would run code
    if isinstance(error, RuntimeError | OSError) and text:
        return text.splitlines()[0]
    return "it is no file of torch.save"


def _shape(value: object) -> str:
    return str(tuple(value.shape)) if isinstance(value, Tensor) else type(value).__name__


def _few(names: Sequence[str]) -> str:
    return (", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")) or "none"
