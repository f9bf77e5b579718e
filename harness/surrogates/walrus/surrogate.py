"""Walrus as a surrogate: Polymathic's model (McCabe et al., arXiv 2511.15684) behind our interface."""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from harness.fields import MHD
from harness.stepping import Draw, Stepper
from harness.surrogates.base import STOCHASTIC, TRAITS, ModuleSurrogate
from harness.surrogates.walrus import config as configs
from harness.surrogates.walrus import (
    cost,
    draws,
    grid,
    inference,
    normalisation,
    places,
    source,
    weights,
)
from harness.surrogates.walrus.config import Config
from harness.surrogates.walrus.errors import WalrusError
from harness.surrogates.walrus.places import Files
from harness.truth.window import Simulation, Window

#: set to 1: blocks by torch.compile, which changes a step by less than 1e-6
COMPILE = "HARNESS_WALRUS_COMPILE"


@dataclass(frozen=True)
class Metadata:
    """What Walrus's forward pass asks of The Well's metadata.

    The name is never that of a data set: for one of them the model resamples its input.
    """

    dataset_name: str = "harness"
    n_spatial_dims: int = 3


class Walrus(ModuleSurrogate):
    """Walrus on the data set of given simulations.

    The network sees u / rms and predicts the increment in units of the rms of the last increments
    (`normalisation`).  It is stochastic: patch jitter and rolls come from the `Draw`, and with
    `Draw(None)` they are off, which the model was not trained for.
    """

    traits = TRAITS | {STOCHASTIC}

    def __init__(
        self,
        module: nn.Module,
        config: Config,
        simulations: Sequence[Simulation] = (),
        compiled: bool = False,
    ) -> None:
        datasets = {s.dataset for s in simulations} or {"MHD_64"}
        histories = {config.history(name) for name in datasets}
        if len(histories) > 1:
            raise WalrusError(
                f"Walrus takes histories of {' or '.join(map(str, sorted(histories)))} frames for "
                f"{', '.join(sorted(datasets))}: one run for each data set"
            )
        (n_history,) = histories
        if n_history < 2:
            raise WalrusError("Walrus needs two frames of history: one shows no increment to scale by")
        layout = simulations[0].layout if simulations else MHD
        self.statistics = _statistics(config, simulations)
        identity = {
            "adapter": _digest(),
            "source": source.digest(),
            "normalisation": config.normalisation,
            "floor": config.floor,
            "statistics": self.statistics,
            "compiled": compiled,
        }
        super().__init__(module, layout, n_history, identity)
        self.walrus, self.compiled = config, compiled

    def begin(self, window: Window, draw: Draw) -> Stepper:
        """A stepper for one rollout; WalrusError for a window that this checkpoint cannot take."""
        prepared, arguments = self._prepare(window, draw)
        return stepper(prepared, arguments, self._normalisation(window.simulation), draw)

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """The same model elsewhere; weights that are there already are shared."""
        there = copy.copy(self)
        there.module = inference.moved(self.module, device, dtype)
        return there

    def flops_per_step(self, window: Window) -> int:
        """Floating-point operations of one step, from shapes alone."""
        there = self.to(torch.device("meta"), torch.float32)
        prepared, arguments = there._prepare(window, Draw(0))
        shape = (self.n_history, 1, window.simulation.layout.n_channels, *window.simulation.shape)
        with torch.no_grad():
            return cost.flops(prepared, (torch.empty(shape, device="meta"), *arguments))

    def seconds_per_step(self, window: Window, device: torch.device, precision: str) -> float:
        """A lower bound from the operations of a step and the speed of a matrix product, measured."""
        return self.flops_per_step(window) / cost.rate(device, precision)

    def _prepare(self, window: Window, draw: Draw) -> tuple[nn.Module, tuple[Any, ...]]:
        """The model for this window, and what its forward pass takes after the frames."""
        simulation = window.simulation
        if window.n_history < self.n_history:
            raise WalrusError(
                f"this checkpoint conditions on {self.n_history} frames of {simulation.dataset}, the "
                f"windows have {window.n_history}: --protocol well-t17={simulation.dataset} has 6, or "
                f"--protocol FILE.toml with n_history = {self.n_history}"
            )
        jitter = draw.seed is not None
        tokens = grid.check(simulation.shape, simulation.boundaries, self.walrus.kernels, jitter)
        prepared = inference.prepare(self.module, tokens, self.n_history, jitter, self.compiled)
        device = next(prepared.parameters()).device
        return prepared, arguments(self.walrus, simulation, device)

    def _normalisation(self, simulation: Simulation) -> normalisation.Normalisation:
        if self.walrus.normalisation == "samplewise":
            return partial(normalisation.samplewise, floor=self.walrus.floor)
        found = self.statistics[simulation.dataset]
        scales, deltas = (torch.tensor(found[k], dtype=torch.float64) for k in ("rms", "rms_delta"))
        return normalisation.constant(scales, deltas, simulation.layout.spatial)


def arguments(config: Config, simulation: Simulation, device: torch.device) -> tuple[Any, ...]:
    """What the network takes after the frames: fields' indices, boundaries' codes, metadata."""
    labels = config.labels(simulation.dataset, simulation.layout)
    # Plain lists: the model reads the codes one by one, which for a GPU tensor is a wait each.
    codes = [[grid.BOUNDARIES[name]] * 2 for name in simulation.boundaries]
    return torch.tensor(labels, device=device), [codes], Metadata()


def stepper(
    network: Callable[..., Tensor],
    arguments: tuple[Any, ...],
    scales: normalisation.Normalisation,
    draw: Draw,
) -> Stepper:
    """Steps u(t+1) = u(t) + d net( u / r ); net maps (T, 1, C, *space) to one or more frames, of which
    the last is the increment.
    """

    def step(history: Tensor, number: int) -> Tensor:
        r, d = scales(history)
        with draws.numbers(draw, number):
            increments = network((history / r)[:, None], *arguments)
        return history[-1] + increments[-1, 0].to(history.dtype) * d

    return step


def require(checkpoint: Path | None) -> Files:
    """The files of a checkpoint, if all that Walrus needs is here.

    Raises WalrusError with everything that is missing: the code, the weights.
    """
    problems: list[str] = []
    files: Files | None = None
    try:
        source.folder()
    except WalrusError as error:
        problems.append(str(error))
    try:
        files = places.find(checkpoint)
    except WalrusError as error:
        problems.append(str(error))
    if problems or files is None:
        raise WalrusError("\n".join(problems))
    return files


def load(checkpoint: Path | None, simulations: Sequence[Simulation] = ()) -> Walrus:
    """Walrus with the weights of a checkpoint (None: the released ones), on the CPU.

    checkpoint: a folder with extended_config.yaml and weights, or a file of weights beside it.
    Raises WalrusError for anything that is missing or does not fit.
    """
    files = require(checkpoint)
    config = configs.read(files.config)
    module = configs.build(config)
    weights.put(module, weights.read(files.weights), files.weights)
    return Walrus(module, config, simulations, compiled=os.environ.get(COMPILE) == "1")


def _statistics(
    config: Config, simulations: Sequence[Simulation]
) -> Mapping[str, Mapping[str, list[float]]]:
    """Scales of every data set from its own file, for a model that is normalised by them."""
    if config.normalisation == "samplewise":
        return {}
    # ROOT/datasets/NAME/data/SPLIT/FILE: The Well keeps the statistics beside `data`.
    files = {
        s.dataset: (s.file.parents[2] / config.statistics(s.dataset), s.layout) for s in simulations
    }
    return {name: normalisation.read_statistics(*where) for name, where in files.items()}


def _digest() -> str:
    """SHA-256 of the adapter's own modules: changed code never meets an old record."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
