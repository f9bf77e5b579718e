"""The published rollout: the cell `rollout_model` of Polymathic's demonstration notebook, executed.

It comes from a checkout of the source; nothing of it is copied here.  The normaliser and the
formatter are Polymathic's own.  Their packages' `__init__` would import the trainer with its logger,
so these modules are imported without them.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from harness.stepping import Draw
from harness.surrogates.walrus import WalrusError, draws, source
from tests.walrus_example import MHD_LABELS

NOTEBOOK = "demo_notebooks/walrus_example_1_RunningWalrus.ipynb"


def _missing() -> str:
    try:
        notebook = source.folder().parent / NOTEBOOK
    except WalrusError as error:
        return str(error)
    clone = f"git clone https://github.com/PolymathicAI/walrus && git checkout {source.COMMIT[:7]}"
    return "" if notebook.is_file() else f"{notebook} is not there: {clone}, and put it on PYTHONPATH"


#: for tests that run the notebook's cell
needs_notebook = pytest.mark.skipif(bool(_missing()), reason=_missing())


@dataclass
class Metadata:
    """What the notebook's path asks of The Well's metadata."""

    dataset_name: str = "MHD_64"
    n_spatial_dims: int = 3
    constant_field_names: dict[int, list[str]] = field(default_factory=lambda: {0: []})


class Drawn:
    """A model whose every call takes its random numbers from a draw; counts the steps."""

    causal_in_time = True

    def __init__(self, model: Callable[..., Tensor], draw: Draw) -> None:
        self.model, self.draw, self.step = model, draw, 0

    def __call__(self, *arguments: Any, **named: Any) -> Tensor:
        self.step += 1
        with draws.numbers(self.draw, self.step):
            return self.model(*arguments, **named)


def _package(name: str, folder: Path | None, **content: object) -> ModuleType:
    module = ModuleType(name)
    if folder is not None:
        module.__path__ = [str(folder)]
    vars(module).update(content)
    return module


@cache
def parts() -> tuple[Callable[..., Any], Any, Any]:
    """`rollout_model`, Polymathic's sample-wise normaliser, and their formatter."""
    root = source.folder()
    stand_ins = {
        "walrus.data": _package("walrus.data", root / "data"),
        "walrus.data.multidataset": _package("multidataset", None, MixedWellDataset=object),
        "walrus.trainer": _package("walrus.trainer", root / "trainer"),
        # Data sets with masked cells use it; MHD has none.
        "walrus.trainer.training": _package("training", None, expand_mask_to_match=None),
    }
    cells = json.loads((root.parent / NOTEBOOK).read_text())["cells"]
    (code,) = [c for c in ("".join(cell["source"]) for cell in cells) if "def rollout_model(" in c]
    namespace: dict[str, Any] = {"torch": torch}
    with patch.dict(sys.modules, stand_ins):
        exec(compile(code, NOTEBOOK, "exec"), namespace)
        strategies = importlib.import_module("walrus.trainer.normalization_strat")
        formatters = importlib.import_module("walrus.data.well_to_multi_transformer")
        namespace["expand_mask_to_match"] = None
    return (
        namespace["rollout_model"],
        strategies.SamplewiseRevNormalization(),
        formatters.ChannelsFirstWithTimeFormatter(),
    )


def rollout(model: Callable[..., Tensor], draw: Draw, history: Tensor, steps: int) -> Tensor:
    """Frames (steps, C, *space) of the published rollout from a history (T, C, *space)."""
    rollout_model, revin, formatter = parts()
    channels = history.shape[1]
    frames = history.permute(0, 2, 3, 4, 1)[None]
    batch = {
        "metadata": Metadata(),
        "boundary_conditions": torch.full((1, 3, 2), 2),
        "input_fields": frames,
        "output_fields": frames.new_zeros(1, steps, *frames.shape[2:]),
        "field_indices": torch.tensor(MHD_LABELS[:channels]),
        "padded_field_mask": torch.ones(channels, dtype=torch.bool),
    }
    with torch.no_grad():
        predicted, _ = rollout_model(Drawn(model, draw), revin, batch, formatter)
    return predicted[0].permute(0, 4, 1, 2, 3)
