"""From options to what a run will do: models, protocols, windows, and the cases of every test."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from harness import jobs, paths
from harness.properties import Windows
from harness.suggest import unknown
from harness.surrogates import registry
from harness.surrogates.spec import MissingModel, ModelSpec
from harness.truth import files, hydro, protocols, simulate, well
from harness.truth.errors import MissingData, TruthError
from harness.truth.files import EMBEDDED
from harness.truth.protocols import Protocol
from harness.truth.window import Simulation, Window

DEFAULT_MODELS = ("fno-mini", "conv-mini")
DEFAULT_PROTOCOL = "simulated"
#: what to say of a data set's size: 10 files a split, of 100 frames of 64^3 cells and 7 float32
#: channels each; the whole is 71.6 GB (The Well, arXiv 2412.00568, table of data sets)
SIZES = {"MHD_64": "7.3 GB; M_A = 0.7 only, half of it: --match '*Ma_0.7*'"}


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
        named = self.data or Path(os.environ.get("HARNESS_DATA") or paths.cache() / "data")
        return named.expanduser()


def protocols_of(models: Sequence[str], named: Sequence[str] | None = None) -> tuple[str, ...]:
    """The protocols of a run: those named, comma separated, else the models' own, else the default.

    Raises ModelError for a model that cannot be read.
    """
    asked = named or [registry.protocol_of(models) or DEFAULT_PROTOCOL]
    return tuple(name.strip() for value in asked for name in value.split(","))


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

    def cases(
        self, criteria: tuple[str, ...], population: bool, windows: Windows = "all"
    ) -> list[Case]:
        """The cases of a property, model by model, window by window.

        A protocol without a window has none, not even of a population.
        """
        return [
            Case(model, protocol.name, window, criterion)
            for model in self.models
            for protocol in self.protocols
            if self.windows[protocol.name]
            for window in ((None,) if population else self._chosen(protocol.name, windows))
            for criterion in criteria
        ]

    def _chosen(self, protocol: str, windows: Windows) -> tuple[Window, ...]:
        """All windows of a protocol, or the first of each simulation."""
        cut = self.windows[protocol]
        if windows == "all":
            return cut
        first: dict[Simulation, Window] = {}
        for window in cut:
            first.setdefault(window.simulation, window)
        return tuple(first.values())

    def pool(self, protocol: str) -> list[tuple[str, Window]]:
        """(protocol, window) for every window of the run on a simulation of this protocol."""
        own = {window.simulation for window in self.windows[protocol]}
        return [
            (name, window)
            for name, windows in self.windows.items()
            for window in windows
            if window.simulation in own
        ]

    def pooled_with(self, protocol: str) -> str | None:
        """An earlier protocol of the run with the same simulations: pooled figures are its own."""
        first, _ = self.pool(protocol)[0]
        return None if first == protocol else first

    def every_case(self) -> list[Case]:
        """One case for each model and window, then one for each model and protocol."""
        return [*self.cases(("",), False), *self.cases(("",), True)]

    @cached_property
    def _groups(self) -> dict[str, Case]:
        return {case.group: case for case in self.every_case()}

    def case_named(self, nodeid: str) -> Case | None:
        """The case, criterion included, that a test's node id names; None for an ordinary test."""
        inside = nodeid.partition("::")[2].partition("[")[2].removesuffix("]")
        if inside in self._groups:
            return self._groups[inside]
        group, _, criterion = inside.rpartition(":")
        case = self._groups.get(group)
        return replace(case, criterion=criterion) if case else None

    def job(self, request: jobs.Request, model: ModelSpec, window: Window) -> jobs.Job:
        """What a request means for a model and a window under the options of this run."""
        chosen = self.options
        return jobs.bind(request, model, window, chosen.precision, chosen.seeded, chosen.keep_fields)

    def kin(self, protocol: str, simulation: Simulation) -> tuple[Simulation, ...]:
        """The simulations of a protocol's ensemble with the parameters of one of them."""
        return tuple(s for s in self.ensembles[protocol] if s.parameters == simulation.parameters)


def make(options: Options, on_progress: Callable[[str, int, int], None] | None = None) -> Plan:
    """Check the options, bring the embedded truth if it is asked for, and lay out the run.

    on_progress(simulation, frames done, frames in all) is called while truth is simulated.
    Raises ModelError, ProtocolError or MissingData, before anything expensive.  Where a model lacks
    something, what its data lacks is said with it.
    """
    try:
        models = registry.resolve(options.models)
    except MissingModel as error:
        raise MissingModel("\n".join([str(error), *_missing_data(options)])) from error
    chosen = tuple(protocols.load(name) for name in options.protocols)
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
    made = Plan(options, models, chosen, windows, ensembles, tuple(problems))
    for spec in models:
        registry.fit(spec, made.simulations)
    return made


def _missing_data(options: Options) -> list[str]:
    """What to say of data that the protocols need and that is not here."""
    said = []
    for protocol in (protocols.load(name) for name in options.protocols):
        try:
            if protocol.dataset != EMBEDDED:
                files.find(options.data_root, protocol.dataset, protocol.split)
        except MissingData as error:
            said.append(f"{error}\n{how_to_get(error, options.data_root)}")
    return said


def how_to_get(error: MissingData, root: Path) -> str:
    """The command that brings or makes a data set; for an unknown one, the nearest names."""
    from the_well.data.utils import WELL_DATASETS  # imports much, and only a failure needs it

    made_here = [flow.name for flow in hydro.FLOWS]
    if error.dataset in made_here:
        splits = " and ".join(hydro.SEEDS)
        return f"make it with: harness data hydro --data {root}\n({splits}; takes a minute)"
    if error.dataset not in WELL_DATASETS:
        return unknown("data set", str(error.dataset), [*made_here, *sorted(WELL_DATASETS)])
    command = f"harness fetch {error.dataset} --split {error.split} --data {root}"
    return f"get it with: {command}\n({size_of(str(error.dataset))})"


def size_of(dataset: str) -> str:
    """What to say of the size of a data set's test split."""
    return SIZES.get(dataset, "add --dry-run to see its size first")


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
