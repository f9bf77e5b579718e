"""The table of model families: a new one is a module and a line.

A family's module is imported when one of its models is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from harness.surrogates.base import Surrogate
from harness.surrogates.spec import ModelError, ModelSpec
from harness.truth.window import Simulation

#: makes a surrogate from its spec and the simulations of the protocol (which replays need)
Loader = Callable[[ModelSpec, Sequence[Simulation]], Surrogate]


@dataclass(frozen=True)
class Family:
    """One line of the table.

    summary: one line about the model.  load: makes it.
    require: raises ModelError, before anything runs, if something that it needs is not here.
    fits: raises ModelError, before anything runs, if it does not fit the run's simulations.
    forecasts: it may take hours, so it is asked before a run (`harness.surrogates.forecast`).
    protocol: of a run that names none, for a model that was not made for the embedded truth.
    """

    summary: str
    load: Loader
    require: Callable[[ModelSpec], object] = lambda spec: None
    fits: Callable[[ModelSpec, Sequence[Simulation]], object] = lambda spec, simulations: None
    forecasts: bool = False
    protocol: str | None = None


def _in(module: str, summary: str, protocol: str | None = None, forecasts: bool = True) -> Family:
    """A family whose module has functions `load`, `require` and `fits`."""

    def late(function: str) -> Callable[..., Any]:
        path = f"harness.surrogates.{module}"
        return lambda *arguments: getattr(import_module(path), function)(*arguments)

    return Family(summary, late("load"), late("require"), late("fits"), forecasts, protocol)


def _mini(spec: ModelSpec, simulations: Sequence[Simulation]) -> Surrogate:
    from harness.surrogates.minis import load_mini

    return load_mini(spec.name, Path(spec.checkpoint) if spec.checkpoint else None)


def _reference(spec: ModelSpec, simulations: Sequence[Simulation]) -> Surrogate:
    from harness.surrogates import reference

    return reference.load(spec.name, simulations)


def _control(spec: ModelSpec, simulations: Sequence[Simulation]) -> Surrogate:
    from harness.surrogates import controls

    return controls.load(spec.name.removeprefix("control:"), simulations)


def _toy(spec: ModelSpec, simulations: Sequence[Simulation]) -> Surrogate:
    from harness.surrogates.toys import TOYS

    return TOYS[spec.name.removeprefix("toy:")](simulations[0].layout)


def _walrus(spec: ModelSpec, simulations: Sequence[Simulation]) -> Surrogate:
    from harness.surrogates import walrus

    try:
        return walrus.load(_checkpoint(spec), simulations)
    except walrus.WalrusError as error:
        raise ModelError(f"{spec.name}: {error}") from error


def _walrus_is_here(spec: ModelSpec) -> None:
    from harness.surrogates import walrus

    try:
        walrus.require(_checkpoint(spec))
    except walrus.WalrusError as error:
        raise ModelError(f"{spec.name} cannot run yet:\n{error}") from error


def _checkpoint(spec: ModelSpec) -> Path | None:
    return Path(spec.checkpoint) if spec.checkpoint else None


#: The study's models, all of MHD_64, and its main text's protocol.
STUDY = "mhd64-early"

#: Every family by name.  A name that ends in ":" is a prefix; what follows it is the family's to read.
FAMILIES: dict[str, Family] = {
    "fno-mini": Family("shipped Fourier neural operator, embedded MHD, 3 frames", _mini),
    "conv-mini": Family("shipped convolutional network, embedded MHD, 1 frame", _mini),
    "revin-mini": Family(
        "shipped: fno-mini's network in units of its own past, as Walrus; 3 frames", _mini
    ),
    "walrus-pt": Family(
        "Polymathic's Walrus 1.3B, released weights or =CHECKPOINT",
        _walrus,
        _walrus_is_here,
        forecasts=True,
        protocol=STUDY,
    ),
    "fno-scratch": _in("well_models", "the study's FNO, trained on 1 % of MHD_64 at M_A = 0.7", STUDY),
    "fno-ft": _in("well_models", "the study's FNO, pretrained at M_A = 2, then fine-tuned", STUDY),
    "fno-pretrained": _in("well_models", "the study's FNO, pretrained at M_A = 2 only", STUDY),
    "well-fno": _in("well_models", "The Well's FNO for the data set, or =FOLDER"),
    "well-tfno": _in("well_models", "The Well's TFNO, likewise"),
    "well-unet-classic": _in("well_models", "The Well's classic U-Net, likewise"),
    "well-unet-convnext": _in("well_models", "The Well's ConvNeXt U-Net, likewise"),
    "saved:": _in("saved", "predicted frames of any framework: saved:FOLDER", forecasts=False),
    "exported:": _in("exported", "a program of torch.export: exported:PATH.pt2"),
    "persistence": Family("the last input frame, for ever", _reference),
    "oracle": Family("positive control: replays the truth", _reference),
    "solver": Family("positive control: the embedded truth's own integrator", _reference),
    "stranger": Family("positive control: another simulation's truth from step 1 on", _reference),
    "stranger:": Family("the same, K places on in the list of simulations: stranger:2", _reference),
    "toy:lattice": Family("blows up by an imprint on the token lattice of B_y", _toy),
    "toy:feedback": Family("blows up, and freezes, by feedback of the increments' unit", _toy),
}


def everything() -> dict[str, Family]:
    """The table and the negative controls."""
    from harness.surrogates.controls import CONTROLS

    return FAMILIES | {
        f"control:{name}": Family(f"negative control: {control.summary}", _control)
        for name, control in CONTROLS.items()
    }


def family(name: str) -> Family | None:
    """The family of a name, by itself or by the prefix it starts with; None for no family's name."""
    prefix, colon, rest = name.partition(":")
    return everything().get(name) or (FAMILIES.get(prefix + colon) if rest else None)
