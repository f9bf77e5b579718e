"""The Well's benchmark models (arXiv 2412.00568): FNO, TFNO and two U-Nets, and the study's FNOs.

The classes are those of the installed `the_well.benchmark.models`; this module finds them, their
weights and their normalisation.  A checkpoint of The Well is a folder as `save_pretrained` writes
it: config.json and model.safetensors.  Such a model takes the last T frames normalised by the mean
and standard deviation of stats.yaml and stacked along the channels, oldest first, and gives the next
frame, normalised alike (`the_well.benchmark.trainer`).  The study's FNOs were trained on raw fields.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from harness import paths
from harness.fields import MHD, FieldLayout
from harness.hub.names import OWNER, WELL_MODELS, models_folder
from harness.surrogates import state
from harness.surrogates.base import ModuleSurrogate
from harness.surrogates.spec import ModelError, ModelSpec
from harness.surrogates.well_classes import model_class, packages
from harness.truth.window import Simulation

#: The Well's floor for a standard deviation (`ZScoreNormalization`)
LEAST_STD = 1e-4

#: name -> file of the study's checkpoints: The Well's FNO on raw fields, one frame
STUDY = {
    "fno-scratch": "baseline_01.pt",
    "fno-ft": "ft_01.pt",
    "fno-pretrained": "pretrain.pt",
}
STUDY_CONFIG: dict[str, Any] = {
    "dim_in": 7, "dim_out": 7, "n_spatial_dims": 3, "spatial_resolution": (64, 64, 64),
    "modes1": 12, "modes2": 12, "modes3": 12, "hidden_channels": 48,
}  # fmt: skip


class Stacked(nn.Module):
    """A benchmark model as a map from (T, C, *space) to (C, *space), both in physical units.

    mean, std: per channel, of stats.yaml; None where the model works on raw fields.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, network: nn.Module, mean: Tensor | None = None, std: Tensor | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.normalises = mean is not None
        if mean is not None and std is not None:
            self.register_buffer("mean", mean)
            self.register_buffer("std", std.clamp_min(LEAST_STD))

    def forward(self, history: Tensor) -> Tensor:
        """The next frame."""
        if self.normalises:
            shape = (-1, *(1,) * (history.ndim - 2))
            mean, std = self.mean.view(shape), self.std.view(shape)
            history = (history - mean) / std
        with warnings.catch_warnings():
            # neuraloperator 0.3.0 indexes by lists of slices: the same elements.
            warnings.filterwarnings("ignore", message="Using a non-tuple sequence")
            frame = self.network(history.flatten(0, 1)[None])[0]
        return frame * std + mean if self.normalises else frame


def require(spec: ModelSpec) -> None:
    """ModelError if the class cannot be imported, or a study's weights are not here."""
    kind = "FNO" if spec.name in STUDY else WELL_MODELS[spec.name]
    model_class(kind)
    if spec.name in STUDY and spec.checkpoint is None:
        study_weights(spec.name)


def fits(spec: ModelSpec, simulations: Sequence[Simulation]) -> None:
    """ModelError if a benchmark model has no weights or statistics for the data, or other fields."""
    if spec.name not in STUDY:
        simulation = _of_one_set(spec, simulations)
        folder = _given(spec) or _folder(spec.name, simulation.dataset)
        _history(_config(folder), folder, simulation)
        _statistics(folder, simulation)


def load(spec: ModelSpec, simulations: Sequence[Simulation]) -> ModuleSurrogate:
    """The model of a `--model`, on the CPU.

    Raises ModelError: no class, no weights, weights of another architecture, no normalisation, a
    model of other fields than the data's, or more than one data set.
    """
    if spec.name in STUDY:
        return study_fno(_given(spec) or study_weights(spec.name))
    simulation = _of_one_set(spec, simulations)
    folder = _given(spec) or _folder(spec.name, simulation.dataset)
    return well_model(WELL_MODELS[spec.name], folder, simulation)


def _of_one_set(spec: ModelSpec, simulations: Sequence[Simulation]) -> Simulation:
    """Any simulation, where all are of the data set whose weights and statistics the model takes."""
    names = sorted({simulation.dataset for simulation in simulations})
    if len(names) > 1:
        raise ModelError(
            f"{spec.name} has weights and a normalisation for one data set, and this run has "
            f"{len(names)}: {', '.join(names)}\n"
            "make one run for each data set, each with its own --protocol"
        )
    return simulations[0]


def _given(spec: ModelSpec) -> Path | None:
    return Path(spec.checkpoint) if spec.checkpoint else None


def study_fno(path: Path, config: dict[str, Any] | None = None) -> ModuleSurrogate:
    """The Well's FNO with a state dict of the study: raw fields, one frame of history.

    path: a `.pt` with the state dict, bare or under "model", or a safetensors file.
    config: arguments of the class, by default the study's.
    """
    chosen = STUDY_CONFIG if config is None else config
    network = _filled("FNO", chosen, state.read(path), path)
    return ModuleSurrogate(Stacked(network), MHD, 1, _identified("FNO", chosen))


def well_model(kind: str, folder: Path, simulation: Simulation) -> ModuleSurrogate:
    """A benchmark model from a folder with config.json and model.safetensors.

    Its history is dim_in / dim_out frames.  stats.yaml is looked for beside it, then with the data.
    """
    config = _config(folder)
    frames = _history(config, folder, simulation)
    weights = state.read(folder / "model.safetensors")
    mean, std = _statistics(folder, simulation)
    network = _filled(kind, config, weights, folder)
    stacked = Stacked(network, mean, std)
    return ModuleSurrogate(stacked, simulation.layout, frames, _identified(kind, config))


def _history(config: dict[str, Any], folder: Path, simulation: Simulation) -> int:
    """Frames of history of a benchmark model: dim_in over dim_out."""
    layout = simulation.layout
    dim_in, dim_out = int(config.get("dim_in", 0)), int(config.get("dim_out", 0))
    if dim_out != layout.n_channels or dim_in < dim_out or dim_in % dim_out:
        raise ModelError(
            f"{folder} maps {dim_in} channels to {dim_out}: expected T x {layout.n_channels} to "
            f"{layout.n_channels}, for {', '.join(layout.names)} of {simulation.dataset} (models that "
            "predict tensor fields, or read constant fields, cannot be run)"
        )
    return dim_in // dim_out


def _identified(kind: str, config: dict[str, Any]) -> dict[str, Any]:
    """Class, arguments and the versions of the packages whose code runs: part of a record's name."""
    return {"class": kind, **config} | {name: version(name) for name in packages(kind)}


def _filled(kind: str, config: dict[str, Any], weights: dict[str, Any], source: Path) -> nn.Module:
    """A model of a class with a state dict; ModelError for arguments or keys that do not fit."""
    try:
        network = model_class(kind)(**config)
    except TypeError as error:
        raise ModelError(f"{source}: the configuration does not fit {kind}: {error}") from error
    return state.fill(network, weights, source)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            f"{folder} is no checkpoint of The Well: expected config.json and model.safetensors"
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise ModelError(f"{path} is no table of arguments")
    return config


def _statistics(folder: Path, simulation: Simulation) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation per channel, of the data's layout."""
    # DATASET/data/SPLIT/FILE, with stats.yaml in DATASET.
    places = [folder / "stats.yaml", simulation.file.parent.parent.parent / "stats.yaml"]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise ModelError(
            f"no stats.yaml, by which {folder.name} normalises; looked for "
            f"{' and '.join(map(str, places))}\nget it with: harness fetch {simulation.dataset}"
        )
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    return _channels(found, "mean", simulation.layout, path), _channels(
        found, "std", simulation.layout, path
    )


def _channels(found: Any, key: str, layout: FieldLayout, path: Path) -> Tensor:
    values: list[float] = []
    for name, rank in zip(layout.names, layout.ranks, strict=True):
        try:
            of_field = torch.as_tensor(found[key][name], dtype=torch.float64).flatten()
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{path} has no {key} of {name}: {error!r}") from error
        if len(of_field) != layout.spatial**rank or not of_field.isfinite().all():
            raise ModelError(f"{path}: {key} of {name} is {of_field.tolist()}, wrong length or value")
        values += of_field.tolist()
    return torch.tensor(values, dtype=torch.float32)


def _folder(name: str, dataset: str) -> Path:
    """Where the weights of a benchmark model for a data set lie; ModelError says how to get them."""
    repository = f"{WELL_MODELS[name]}-{dataset}"
    fetched = models_folder() / repository
    places = [fetched, *paths.hub_snapshots("models", f"{OWNER}/{repository}")]
    for place in places:
        if (place / "config.json").is_file():
            return place
    raise ModelError(
        f"no weights of {name} for {dataset}; looked in {', '.join(map(str, places))} and Hugging "
        f"Face's cache\nget them with: harness fetch {name}={dataset} (or say --model {name}=FOLDER)"
    )


def study_weights(name: str) -> Path:
    """Where a study's checkpoint lies; ModelError, since it is not published, says what to do."""
    folder = models_folder() / name
    for path in (folder / STUDY[name], folder / "model.safetensors"):
        if path.is_file():
            return path
    raise ModelError(
        f"the weights of {name} were not published; whoever has the study's {STUDY[name]} puts it in "
        f"{folder}, or says --model {name}=PATH --against {name}\n"
        f"what the study recorded of it: harness published {name}"
    )
