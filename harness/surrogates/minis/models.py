"""The learned surrogates by name, and how one is built from its configuration."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from harness.fields import MHD
from harness.surrogates.base import ModuleSurrogate
from harness.surrogates.minis.increments import FixedUnits, IncrementModel, ReversibleUnits
from harness.surrogates.minis.networks import ConvolutionalNetwork, FourierOperator

FOURIER = {"architecture": "fno", "n_history": 3, "width": 24, "modes": 6, "layers": 4}

#: name -> configuration: the architecture and the arguments of its class
MINIS: dict[str, dict[str, Any]] = {
    "fno-mini": FOURIER,
    "conv-mini": {
        "architecture": "conv",
        "n_history": 1,
        "width": 24,
        "hidden": 48,
        "dilations": [1, 1, 2, 1],
    },
    "revin-mini": FOURIER | {"units": "reversible"},
}

ARCHITECTURES: dict[str, type[nn.Module]] = {"fno": FourierOperator, "conv": ConvolutionalNetwork}
#: where the units of an increment come from; a configuration that does not say has fixed ones
UNITS: dict[str, type[IncrementModel]] = {"fixed": FixedUnits, "reversible": ReversibleUnits}


class Mini(ModuleSurrogate):
    """An `IncrementModel` of the embedded truth's seven channels."""

    module: IncrementModel


def build(config: Mapping[str, Any], seed: int = 0) -> Mini:
    """An untrained mini from its configuration; `seed` draws the weights, global state is kept.

    Raises ValueError for an unknown architecture or for arguments it does not take.
    """
    arguments = dict(config)
    architecture = arguments.pop("architecture", None)
    if architecture not in ARCHITECTURES:
        raise ValueError(f"unknown architecture {architecture!r}: one of {', '.join(ARCHITECTURES)}")
    n_history = arguments.pop("n_history", None)
    if not isinstance(n_history, int) or n_history < 1:
        raise ValueError(f"n_history must be a positive whole number, got {n_history!r}")
    units = arguments.pop("units", "fixed")
    if units not in UNITS:
        raise ValueError(f"unknown units {units!r}: one of {', '.join(UNITS)}")
    arguments |= {"inputs": MHD.n_channels * n_history, "outputs": MHD.n_channels}
    try:
        inspect.signature(ARCHITECTURES[architecture]).bind(**arguments)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = ARCHITECTURES[architecture](**arguments)
    except (TypeError, RuntimeError) as error:
        raise ValueError(f"architecture {architecture!r}: {error}") from error
    return Mini(UNITS[units](net, n_history, MHD.n_channels), MHD, n_history, dict(config))
