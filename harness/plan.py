"""From options to what a run will do: models, protocols, windows, and the cases of every test."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness import paths
from harness.surrogates import registry
from harness.surrogates.registry import ModelSpec
from harness.truth import protocols, simulate, well
from harness.truth.errors import MissingData, TruthError
from harness.truth.files import EMBEDDED
from harness.truth.protocols import Protocol
from harness.truth.window import Simulation, Window

DEFAULT_MODELS = ("fno-mini", "conv-mini")
DEFAULT_PROTOCOL = "simulated"
#: The Well, arXiv 2412.00568, table of data sets
SIZES = {"MHD_64": "71.6 GB"}


@dataclass(frozen=True)
class Options:
    """What a user asks for; the defaults are the embedded benchmark."""

    models: tuple[str, ...] = DEFAULT_MODELS
    protocols: tuple[str, ...] = (DEFAULT_PROTOCOL,)
    data: Path | None = None
    device: str = "cpu"
    precision: str = "fp32"
    seeded: bool = True
    steps: int | None = None
    trajectories: tuple[str, ...] = ()
    keep_fields: bool = False

    @property
    def data_root(self) -> Path:
        """Folder with data sets: --data, else $HARNESS_DATA, else the harness's own cache."""
        return self.data or Path(os.environ.get("HARNESS_DATA") or paths.cache() / "data")


@dataclass(frozen=True)
class Case:
    """What one test case is about: a model on a window, or on a whole protocol (window None)."""

    model: ModelSpec
    protocol: str
    window: Window | None
    criterion: str = ""

    @property
    def group(self) -> str:
        """The part of the id that cases on one rollout share, e.g. "fno-mini:simulated/s0-w0"."""
        head = f"{self.model.label}:{self.protocol}"
        if self.window is None:
            return head
        return f"{head}/{self.window.simulation.name}-w{self.window.index}"

    def __str__(self) -> str:
        return f"{self.group}:{self.criterion}" if self.criterion else self.group


@dataclass(frozen=True)
class Plan:
    """Everything a run is going to look at, in its order.

    windows: protocol name -> its windows.  ensembles: protocol name -> all simulations from which
    widths are taken.  problems: truth that cannot be used; the other trajectories still run.
    """

    options: Options
    models: tuple[ModelSpec, ...]
    protocols: tuple[Protocol, ...]
    windows: Mapping[str, tuple[Window, ...]]
    ensembles: Mapping[str, tuple[Simulation, ...]]
    problems: tuple[TruthError, ...] = field(default=())

    @property
    def simulations(self) -> tuple[Simulation, ...]:
        """Every simulation of the run, each once."""
        return tuple(dict.fromkeys(s for group in self.ensembles.values() for s in group))

    def cases(self, criteria: tuple[str, ...], population: bool) -> list[Case]:
        """The cases of a property, model by model, window by window."""
        return [
            Case(model, protocol.name, window, criterion)
            for model in self.models
            for protocol in self.protocols
            for window in ((None,) if population else self.windows[protocol.name])
            for criterion in criteria
        ]

    def every_case(self) -> list[Case]:
        """One case for each model and window, then one for each model and protocol."""
        return [*self.cases(("",), False), *self.cases(("",), True)]

    def kin(self, protocol: str, simulation: Simulation) -> tuple[Simulation, ...]:
        """The simulations of a protocol's ensemble with the parameters of one of them."""
        return tuple(s for s in self.ensembles[protocol] if s.parameters == simulation.parameters)


def make(options: Options, on_progress: Callable[[str, int, int], None] | None = None) -> Plan:
    """Check the options, bring the embedded truth if it is asked for, and lay out the run.

    on_progress(simulation, frames done, frames in all) is called while truth is simulated.
    Raises ModelError, ProtocolError or MissingData, before anything expensive.
    """
    models = registry.resolve(options.models)
    chosen = tuple(_protocol(name) for name in options.protocols)
    windows: dict[str, tuple[Window, ...]] = {}
    ensembles: dict[str, tuple[Simulation, ...]] = {}
    problems: list[TruthError] = []
    for protocol in chosen:
        if protocol.dataset == EMBEDDED:
            simulate.ensure(options.data_root, splits=(protocol.split,), on_progress=on_progress)
        scan = _scan(options.data_root, protocol, protocol.split)
        names = _trajectories(options.trajectories, scan)
        cut = protocols.windows(protocol, scan, steps=options.steps, simulations=names)
        windows[protocol.name] = cut.windows
        problems += cut.problems
        ensembles[protocol.name] = _ensemble(options.data_root, protocol, scan)
    return Plan(options, models, chosen, windows, ensembles, tuple(problems))


def missing_data(options: Options) -> str:
    """What data the protocols of a run lack and how to get it, one paragraph each; empty if nothing."""
    lines = []
    for protocol in map(_protocol, options.protocols):
        try:
            if protocol.dataset != EMBEDDED:
                _scan(options.data_root, protocol, protocol.split)
        except MissingData as error:
            lines.append(f"{error}\n{how_to_get(error, options.data_root)}")
    return "\n".join(lines)


def how_to_get(error: MissingData, root: Path) -> str:
    """The command that brings a data set of The Well."""
    command = f"the-well-download --base-path {root} --dataset {error.dataset} --split {error.split}"
    size = SIZES.get(str(error.dataset))
    return f"get it with: {command}" + (f" (the whole data set is {size})" if size else "")


def _protocol(name: str) -> Protocol:
    """A shipped protocol by name, or a user's own from a .toml file."""
    return protocols.read(Path(name)) if name.endswith(".toml") else protocols.load(name)


def _scan(root: Path, protocol: Protocol, split: str) -> well.Scan:
    return well.scan(root, protocol.dataset, split, where=dict(protocol.where))


def _trajectories(wanted: tuple[str, ...], scan: well.Scan) -> tuple[str, ...] | None:
    """Simulation names for `--trajectories`: names, or one number N for the first N."""
    if not wanted:
        return None
    if len(wanted) == 1 and wanted[0].isdigit():
        return tuple(s.name for s in scan.simulations[: int(wanted[0])])
    return wanted


def _ensemble(root: Path, protocol: Protocol, scan: well.Scan) -> tuple[Simulation, ...]:
    """Simulations that widths are taken from: the protocol's ensemble splits, where present."""
    found = list(scan.simulations)
    for split in protocol.ensemble:
        if split != protocol.split:
            try:
                found += _scan(root, protocol, split).simulations
            except MissingData:
                continue  # an optional split: W says from how many simulations it comes
    return tuple(found)
