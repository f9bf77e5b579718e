"""`extended_config.yaml`: what a checkpoint was trained as, and the model built from it.

The file names the constructors to call.  Only those of the model are called, whatever a downloaded
file asks for.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from torch import nn

from harness.fields import AXES, FieldLayout
from harness.suggest import unknown
from harness.surrogates.walrus import source
from harness.surrogates.walrus.errors import WalrusError
from harness.surrogates.walrus.normalisation import FLOOR

_MODELS = "walrus.models."
_BLOCKS = f"{_MODELS}spatiotemporal_blocks.space_time_split.SpaceTimeSplitBlock"

#: the constructors that a configuration may call -> where they are defined
CONSTRUCTORS = {
    f"{_MODELS}IsotropicModel": f"{source.MODEL}.IsotropicModel",
    **{
        target: target
        for target in (
            f"{source.MODEL}.IsotropicModel",
            f"{_MODELS}encoders.vstride_encoder.SpaceBagAdaptiveDVstrideEncoder",
            f"{_MODELS}decoders.vstride_decoder.AdaptiveDVstrideDecoder",
            _BLOCKS,
            f"{_MODELS}spatial_blocks.full_attention.FullAttention",
            f"{_MODELS}temporal_blocks.axial_time_attention.AxialTimeAttention",
            f"{_MODELS}shared_utils.normalization.RMSGroupNorm",
            "torch.nn.Identity",
            "torch.nn.SiLU",
            "torch.nn.GELU",
        )
    },
}

#: nodes of the constructor tree; the released one has 112
PARTS = 10_000

Normalisation = Literal["samplewise", "global"]
_STRATEGIES: dict[str, Normalisation] = {
    "walrus.trainer.normalization_strat.SamplewiseRevNormalization": "samplewise",
    "walrus.trainer.normalization_strat.RMSSamplewiseRevNormalization": "samplewise",
    "walrus.trainer.normalization_strat.GlobalRevNormalization": "global",
    "walrus.trainer.normalization_strat.RMSGlobalRevNormalization": "global",
}

#: What every three-dimensional data set of the released configuration does to the history.
UNLISTED = {"step_downsample_factor": 0.5}


@dataclass(frozen=True)
class Config:
    """The parts of a training configuration that inference depends on.

    model: constructor tree.  fields: field name -> index in the embedding.  normalisation: which
    reversible normalisation was trained with, and floor the smallest scale of the samplewise one.
    finetuning: options added before fine-tuning.  n_history: longest history.  datasets: per data
    set, how it was presented in training.
    """

    file: Path
    model: Mapping[str, Any]
    fields: Mapping[str, int]
    normalisation: Normalisation
    floor: float
    finetuning: Mapping[str, Any]
    n_history: int
    datasets: Mapping[str, Mapping[str, Any]]

    @property
    def n_states(self) -> int:
        """Number of fields that the embedding knows."""
        return max(self.fields.values()) + 1

    @property
    def kernels(self) -> tuple[tuple[int, int], ...]:
        """Base kernel of the two embedding convolutions, per axis."""
        encoder = self.model["encoder"]["base_kernel_size3d"]
        return tuple((int(first), int(second)) for first, second in encoder)

    def history(self, dataset: str) -> int:
        """Frames that the model conditions on for a data set: 3 for MHD_64."""
        factor = self.datasets.get(dataset, UNLISTED).get("step_downsample_factor", 1.0)
        return int(self.n_history * factor)

    def statistics(self, dataset: str) -> str:
        """Name of the file, in a data set's folder, of the scales that a global normalisation takes.

        The configuration may hold a path of the machine it was written on: only its name is used.
        """
        return Path(self.datasets.get(dataset, {}).get("normalization_path") or "stats.yaml").name

    def labels(self, dataset: str, layout: FieldLayout) -> tuple[int, ...]:
        """Index in the embedding of every channel of a layout.

        Raises WalrusError for a field that the model does not know, and for a data set whose fields
        it saw transformed.
        """
        transformed = self.datasets.get(dataset, {}).get("field_transforms")
        if transformed:
            raise WalrusError(
                f"Walrus was trained on transformed fields of {dataset} ({transformed}), "
                "which this adapter does not make"
            )
        names = [
            name if rank == 0 else f"{name}_{AXES[i]}"
            for name, rank in zip(layout.names, layout.ranks, strict=True)
            for i in range(layout.spatial**rank)
        ]
        for name in names:
            if name not in self.fields:
                raise WalrusError(f"{unknown('field of Walrus', name, self.fields)} in {self.file}")
        return tuple(self.fields[name] for name in names)


def read(file: Path) -> Config:
    """Read and check a configuration; WalrusError names the file, what is expected and found."""
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise WalrusError(f"{file} is not a readable configuration: {error}") from error
    try:
        strategy = tree["trainer"]["revin"]["_target_"]
        prediction = tree["trainer"]["prediction_type"]
        fields = {str(name): int(index) for name, index in _fields(tree).items()}
        parameters = tree["data"]["module_parameters"]
        config = Config(
            file=file,
            model=tree["model"],
            fields=fields,
            normalisation=_normalisation(strategy, file),
            floor=float(tree["trainer"].get("epsilon", FLOOR)),
            finetuning=tree.get("finetuning_mods") or {},
            n_history=int(parameters["n_steps_input"]),
            datasets=parameters.get("well_dataset_info") or {},
        )
        _refuse_strangers(config.model, file)
        _refuse_other_strides(config.model["encoder"], file)
    except WalrusError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WalrusError(
            f"{file} is not Walrus's extended_config.yaml: it lacks {error} "
            "(the short configurations of the source's configs/ describe another, smaller model)"
        ) from error
    if prediction != "delta":
        raise WalrusError(f"{file}: expected prediction_type delta, found {prediction!r}")
    return config


def _normalisation(strategy: str, file: Path) -> Normalisation:
    if strategy not in _STRATEGIES:
        # Another normalisation would run all the same, silently, as a different model.
        raise WalrusError(f"{unknown('reversible normalisation', strategy, _STRATEGIES)} in {file}")
    return _STRATEGIES[strategy]


def _fields(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = tree["data"]["field_index_map_override"]
    if not fields:
        raise ValueError("data.field_index_map_override")
    return fields


def build(config: Config) -> nn.Module:
    """The model with the options it was fine-tuned with, on the meta device: shapes, no numbers.

    Raises WalrusError for a constructor that is not allowed or for arguments that do not fit.
    """
    try:
        construct = _construct({**config.model, "_partial_": True}, config.file)
        # The source initialises weights by a deprecated name, and prints what it adds.
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), torch.device("meta"):
            warnings.simplefilter("ignore", FutureWarning)
            module: nn.Module = construct(n_states=config.n_states)
            if config.finetuning:
                module.add_ft_options(dict(config.finetuning))  # type: ignore[operator]
        embedded: Any = module.embed
        if "3" not in embedded:
            raise WalrusError(
                f"{config.file}: the model embeds frames of {', '.join(embedded)} dimensions, not of 3"
            )
    except WalrusError:
        raise
    except Exception as error:
        raise WalrusError(f"{config.file}: the model cannot be built: {error}") from error
    return module.eval().requires_grad_(False)


def _refuse_strangers(model: Any, file: Path) -> None:
    """Raises WalrusError for a constructor that is no part of the model, before any is called.

    Aliases in YAML can make a short file endlessly large, or contain itself: there is an end.
    """
    nodes, seen = [model], 0
    while nodes:
        node, seen = nodes.pop(), seen + 1
        if seen > PARTS:
            raise WalrusError(f"{file} describes a model of more than {PARTS} parts: refused")
        if isinstance(node, list):
            nodes += node
        elif isinstance(node, Mapping):
            nodes += node.values()
            target = node.get("_target_")
            if "_target_" in node and str(target) not in CONSTRUCTORS:
                raise WalrusError(
                    f"{file} asks to call {target!r}, which is no part of the model: refused; "
                    f"allowed are {', '.join(CONSTRUCTORS)}"
                )


def _refuse_other_strides(encoder: Mapping[str, Any], file: Path) -> None:
    """Raises WalrusError for strides that do not follow from the grid, or zeros around a frame.

    Drawn strides come from Python's own generator, in evaluation too, and no grid could be checked.
    """
    for key in ("variable_downsample", "variable_deterministic_ds", "learned_pad"):
        if encoder.get(key, True) is not True:
            raise WalrusError(f"{file}: expected {key} true, found {encoder[key]!r}")


def _construct(node: Any, file: Path) -> Any:
    """Call the constructor of a mapping with a `_target_`, or bind its arguments (`_partial_`)."""
    if isinstance(node, list):
        return [_construct(value, file) for value in node]
    if not isinstance(node, Mapping):
        return node
    arguments = {key: _construct(value, file) for key, value in node.items() if key[0] != "_"}
    if "_target_" not in node:
        return arguments
    bound = partial(source.attribute(CONSTRUCTORS[node["_target_"]]), **arguments)
    return bound if node.get("_partial_") else bound()
