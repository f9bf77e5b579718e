"""The published rollout: the cell `rollout_model` of Polymathic's demonstration notebook, executed.

It comes from a checkout of the source; nothing of it is copied here.  The normalisers, the formatter
and the checkpointer are Polymathic's own.  Their packages' `__init__` would import the trainer with
its logger, so these modules are imported without them.  The notebook also shows the released
configuration, as it was printed.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.stepping import Draw
from harness.surrogates.walrus import WalrusError, draws, source
from tests.walrus_example import MHD_LABELS

NOTEBOOK = "demo_notebooks/walrus_example_1_RunningWalrus.ipynb"


#: brings the source with its notebooks, which an installed package lacks
CLONE = (
    "git clone https://github.com/PolymathicAI/walrus && "
    f"git -C walrus checkout {source.COMMIT} && export PYTHONPATH=$PWD/walrus"
)


def _missing() -> str:
    try:
        notebook = source.folder().parent / NOTEBOOK
    except WalrusError as error:
        return f"{str(error).split(':')[0]}: pip install einops && {CLONE}"
    return "" if notebook.is_file() else f"{notebook} is not there: {CLONE}"


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


def _cells() -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads((source.folder().parent / NOTEBOOK).read_text())["cells"]
    return cells


def released_config() -> str:
    """`extended_config.yaml` of the released checkpoint, which the notebook prints."""
    texts = ["".join(o.get("text", "")) for cell in _cells() for o in cell.get("outputs", [])]
    (config,) = [text for text in texts if text.startswith("data_workers:")]
    return config


@dataclass(frozen=True)
class Parts:
    """`rollout_model`, and the modules of Polymathic's normalisers, formatters and checkpointer."""

    rollout_model: Callable[..., Any]
    strategies: ModuleType
    formatters: ModuleType
    checkpoints: ModuleType


@contextmanager
def _standing_in(modules: dict[str, ModuleType]) -> Iterator[None]:
    """Modules in the place of others; whatever else is imported meanwhile stays."""
    before = {name: sys.modules[name] for name in modules if name in sys.modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]
        sys.modules.update(before)


@cache
def parts() -> Parts:
    """Imported once."""
    root = source.folder()
    stand_ins = {
        "walrus.data": _package("walrus.data", root / "data"),
        "walrus.data.multidataset": _package("multidataset", None, MixedWellDataset=object),
        "walrus.trainer": _package("walrus.trainer", root / "trainer"),
        # Data sets with masked cells use it; MHD has none.
        "walrus.trainer.training": _package("training", None, expand_mask_to_match=None),
    }
    (code,) = [c for c in ("".join(cell["source"]) for cell in _cells()) if "def rollout_model(" in c]
    namespace: dict[str, Any] = {"torch": torch}
    with _standing_in(stand_ins):
        exec(compile(code, NOTEBOOK, "exec"), namespace)
        strategies, formatters, checkpoints = (
            importlib.import_module(f"walrus.{name}")
            for name in (
                "trainer.normalization_strat", "data.well_to_multi_transformer", "trainer.checkpoints"
            )
        )  # fmt: skip
    return Parts(namespace["rollout_model"], strategies, formatters, checkpoints)


def rollout(
    model: Callable[..., Tensor], draw: Draw, history: Tensor, steps: int, revin: Any = None
) -> Tensor:
    """Frames (steps, C, *space) of the published rollout from a history (T, C, *space).

    revin: the normaliser, the notebook's sample-wise one by default.
    """
    revin = revin or parts().strategies.SamplewiseRevNormalization()
    formatter = parts().formatters.ChannelsFirstWithTimeFormatter()
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
        predicted, _ = parts().rollout_model(Drawn(model, draw), revin, batch, formatter)
    return predicted[0].permute(0, 4, 1, 2, 3)
