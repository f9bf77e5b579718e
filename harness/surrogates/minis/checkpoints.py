"""Checkpoints of the learned surrogates: safetensors with the configuration as JSON in the header.

Nothing in a checkpoint is executed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from harness.atomic import replacing
from harness.surrogates.minis.models import MINIS, Mini, build

WEIGHTS = Path(__file__).parents[1] / "weights"


class CheckpointError(ValueError):
    """Weights that cannot be used; the message names the file, what is expected and found."""


def save_mini(mini: Mini, path: Path) -> None:
    """Write weights and configuration as one safetensors file, atomically."""
    state = {key: value.contiguous() for key, value in mini.module.state_dict().items()}
    with replacing(path) as part:
        save_file(state, part, metadata={"format": "pt", "config": json.dumps(mini.config)})


def load_mini(name: str, checkpoint: Path | None = None) -> Mini:
    """A learned surrogate from a checkpoint, or from the shipped weights (`checkpoint` None).

    name: one of `MINIS`; the checkpoint must be of its architecture and history, sizes are its own.
    Raises KeyError for another name, FileNotFoundError, and CheckpointError for a file that is not
    a complete safetensors file, declares another architecture, or lacks or exceeds its keys.
    """
    if name not in MINIS:
        raise KeyError(f"no learned surrogate {name!r}: one of {', '.join(MINIS)}")
    path = checkpoint or WEIGHTS / f"{name}.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"no weights of {name} at {path}")
    config, state = _read(path)
    for key in ("architecture", "n_history", "units"):
        if config.get(key) != MINIS[name].get(key):
            raise CheckpointError(
                f"{path} is no checkpoint of {name}: "
                f"expected {key} {MINIS[name].get(key)!r}, found {config.get(key)!r}"
            )
    try:
        mini = build(config)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    _check(path, mini.module.state_dict(), state)
    mini.module.load_state_dict(state)
    return mini


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} is not a complete safetensors file ({error}); "
            "other formats are not read, since a pickle can run code"
        ) from error
    if "config" not in metadata:
        raise CheckpointError(f"{path}: its header has no entry 'config' with the architecture")
    try:
        config = json.loads(metadata["config"])
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{path}: the header's 'config' is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path}: the header's 'config' is not a JSON object")
    return config, state


def _check(path: Path, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    faults = []
    if missing := sorted(expected.keys() - found.keys()):
        faults.append(f"missing keys: {', '.join(missing)}")
    if unexpected := sorted(found.keys() - expected.keys()):
        faults.append(f"unexpected keys: {', '.join(unexpected)}")
    faults += [
        f"{key} has shape {tuple(found[key].shape)}, expected {tuple(expected[key].shape)}"
        for key in sorted(expected.keys() & found.keys())
        if found[key].shape != expected[key].shape
    ]
    if faults:
        raise CheckpointError(f"{path} does not fit its architecture; {'; '.join(faults)}")
