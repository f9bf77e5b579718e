"""Protocols: the named recipes by which windows are cut from a data set.

Each is a TOML file in the folder beside this module; its file name is its name.  A recipe that fits
any data set (`dataset = "*"`) is asked for with one: NAME=DATASET or NAME=DATASET/SPLIT.
"""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from harness.fields import FieldLayout
from harness.paths import slug
from harness.suggest import unknown
from harness.truth.errors import ProtocolError, TruthError
from harness.truth.well import SPLITS, Scan
from harness.truth.window import Simulation, Window

FOLDER = Path(__file__).parent / "protocols"
#: `dataset` of a recipe that fits any data set
ANY = "*"


@dataclass(frozen=True)
class Protocol:
    """A named evaluation recipe.

    dataset, split: where the simulations come from; dataset `ANY` is still to be chosen.
    ensemble: splits whose simulations with the same parameters give the widths W of the departure
        rule, as far as they are present.
    where: parameter values that select simulations, e.g. (("Ma", 0.7),).
    starts: number of the first input frame of each window, counted from 0.
    n_history: input frames; steps: predicted frames after them.
    fit: `steps` is a maximum; a shorter simulation is predicted as far as it goes.
    fields: names of the fields a simulation must have.
    inertial_range: first and last shell of k_perp between forcing and dissipation, or as near to that
        as the grid allows, for slopes; None where none is known.
    reproduces: the published result, or the purpose, that the recipe stands for.
    """

    name: str
    dataset: str
    split: str
    ensemble: tuple[str, ...]
    where: tuple[tuple[str, float], ...]
    starts: tuple[int, ...]
    n_history: int
    steps: int
    fields: tuple[str, ...]
    inertial_range: tuple[int, int] | None
    reproduces: str
    description: str
    fit: bool = False


class Plan(NamedTuple):
    """The windows to roll out, and why others that were asked for are missing."""

    windows: tuple[Window, ...]
    problems: tuple[TruthError, ...]


def names() -> tuple[str, ...]:
    """Names of all protocols, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load(name: str) -> Protocol:
    """The shipped protocol called `name`, or a user's own where `name` is a .toml file.

    One that fits any data set is asked for as NAME=DATASET[/SPLIT].
    Raises ProtocolError: unknown name, with the nearest ones; no data set where one is needed, or
    one where the recipe has its own; unsafe data set name or unknown split.
    """
    recipe, equals, choice = name.partition("=")
    if recipe.endswith(".toml"):
        protocol = read(Path(recipe))
    elif recipe in names():
        protocol = read(FOLDER / f"{recipe}.toml")
    else:
        raise ProtocolError(unknown("protocol", recipe, names()))
    return choose(protocol, choice) if equals or protocol.dataset == ANY else protocol


def choose(protocol: Protocol, choice: str) -> Protocol:
    """A recipe for any data set, bound to "DATASET" or "DATASET/SPLIT"; its name says to which."""
    if protocol.dataset != ANY:
        raise ProtocolError(
            f"protocol {protocol.name} has a data set of its own, {protocol.dataset}: leave out "
            f"{'=' + choice!r}"
        )
    dataset, _, split = choice.partition("/")
    split = split or protocol.split
    if not dataset or slug(dataset) != dataset or split not in SPLITS:
        raise ProtocolError(
            f"protocol {protocol.name} needs a data set",
            expected=f"{protocol.name}=DATASET or {protocol.name}=DATASET/SPLIT, split one of "
            f"{', '.join(SPLITS)}",
            found=f"{protocol.name}={choice}" if choice else protocol.name,
        )
    label = ".".join([protocol.name, dataset] + ([split] if split != protocol.split else []))
    return replace(protocol, name=label, dataset=dataset, split=split)


def read(path: Path) -> Protocol:
    """The protocol in a TOML file; ProtocolError names the key that is missing or wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProtocolError("protocol cannot be read", file=path, found=error) from error
    for key in table:
        if key not in _KEYS:
            raise ProtocolError(unknown("key", key, tuple(_KEYS)), file=path)
    checked: dict[str, Any] = {}
    for key, (valid, expected) in _KEYS.items():
        value = table.get(key, _DEFAULTS.get(key, _MISSING))
        if key not in table and key in _DEFAULTS:
            checked[key] = value
            continue
        if value is _MISSING or not valid(value):
            found = "nothing" if value is _MISSING else repr(value)
            raise ProtocolError(
                "wrong protocol", file=path, dataset=key, expected=expected, found=found
            )
        checked[key] = tuple(value) if isinstance(value, list) else value
    where = tuple(sorted((key, float(value)) for key, value in checked.pop("where").items()))
    return Protocol(name=slug(path.stem), where=where, **checked)


def windows(
    protocol: Protocol,
    scan: Scan,
    steps: int | None = None,
    simulations: Iterable[str] | None = None,
) -> Plan:
    """Cut the protocol's windows from the simulations of `scan`.

    steps: predicted frames, instead of the protocol's own number; where the protocol fits its
        steps to the simulation, still at most as many as there are frames for.
    simulations: names to restrict the windows to.

    A simulation without the protocol's fields, with another resolution than most, or with too few
    frames is reported among the problems, together with those of the scan; the others stay.
    Raises ProtocolError for a name that is no simulation, for steps < 1, and if no simulation is
    selected by the protocol's parameters.
    """
    steps = protocol.steps if steps is None else steps
    if steps < 1:
        raise ProtocolError(f"protocol {protocol.name}: steps must be at least 1, not {steps}")
    chosen = _selected(protocol, scan, simulations)
    problems = list(scan.problems)
    usable: list[Simulation] = []
    for simulation in chosen:
        missing = [name for name in protocol.fields if name not in simulation.layout]
        if missing:
            problems.append(
                _problem(
                    protocol,
                    simulation,
                    f"misses {', '.join(missing)}",
                    ", ".join(protocol.fields),
                    ", ".join(simulation.layout.names),
                )
            )
        else:
            usable.append(simulation)
    common: Counter[tuple[FieldLayout, tuple[int, ...]]] = Counter(
        (simulation.layout, simulation.shape) for simulation in usable
    )
    cut: list[Window] = []
    for simulation in usable:
        layout, shape = common.most_common(1)[0][0]
        if (simulation.layout, simulation.shape) != (layout, shape):
            problems.append(
                _problem(
                    protocol,
                    simulation,
                    "does not match most others",
                    f"{_grid(shape)} points of {', '.join(layout.names)}",
                    f"{_grid(simulation.shape)} points of {', '.join(simulation.layout.names)}",
                )
            )
            continue
        for index, start in enumerate(protocol.starts):
            room = simulation.n_frames - start - protocol.n_history
            fitted = max(1, min(steps, room)) if protocol.fit else steps
            window = Window(simulation, index, start, protocol.n_history, fitted)
            if window.last_frame < simulation.n_frames:
                cut.append(window)
                continue
            problems.append(
                _problem(
                    protocol,
                    simulation,
                    f"has too few frames for window {index}",
                    f"{window.last_frame + 1} ({protocol.n_history} from {start} on, "
                    f"{fitted} predicted)",
                    simulation.n_frames,
                )
            )
    return Plan(tuple(cut), tuple(problems))


def _selected(protocol: Protocol, scan: Scan, simulations: Iterable[str] | None) -> list[Simulation]:
    chosen = [s for s in scan.simulations if set(protocol.where) <= set(s.parameters)]
    if scan.simulations and not chosen:
        there = sorted({s.parameters for s in scan.simulations})
        raise ProtocolError(
            f"protocol {protocol.name} selects no simulation",
            expected=dict(protocol.where),
            found="; ".join(str(dict(p)) for p in there),
        )
    if simulations is None:
        return chosen
    wanted = list(simulations)
    known = tuple(s.name for s in chosen)
    for name in wanted:
        if name not in known:
            raise ProtocolError(unknown("simulation", name, known))
    return [s for s in chosen if s.name in wanted]


def _problem(
    protocol: Protocol, simulation: Simulation, problem: str, expected: object, found: object
) -> ProtocolError:
    return ProtocolError(
        f"protocol {protocol.name}: simulation {simulation.name} {problem}",
        file=simulation.file,
        expected=expected,
        found=found,
    )


def _grid(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _count(least: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and value >= least


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _list_of(valid: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, list)
        and bool(value)
        and all(valid(item) for item in value)
        and len(set(value)) == len(value)
    )


def _parameters(value: Any) -> bool:
    return isinstance(value, dict) and all(
        type(number) in (int, float) and math.isfinite(number) for number in value.values()
    )


_KEYS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "dataset": (
        lambda v: _text(v) and (v == ANY or slug(v) == v),
        f"a data set name, safe as a folder name, or {ANY!r}",
    ),
    "split": (lambda v: v in SPLITS, " or ".join(SPLITS)),
    "ensemble": (_list_of(lambda v: v in SPLITS), f"distinct splits of {', '.join(SPLITS)}"),
    "where": (_parameters, "a table of finite numbers"),
    "starts": (_list_of(_count(0)), "distinct frame numbers, each an integer of at least 0"),
    "n_history": (_count(1), "an integer of at least 1"),
    "steps": (_count(1), "an integer of at least 1"),
    "fit": (lambda v: isinstance(v, bool), "true or false"),
    "fields": (_list_of(_text), "distinct field names"),
    "inertial_range": (
        lambda v: _list_of(_count(1))(v) and len(v) == 2 and v[0] < v[1],
        "first and last shell, integers with 1 <= first < last",
    ),
    "reproduces": (_text, "text"),
    "description": (_text, "text"),
}

_MISSING = object()
#: keys that may be left out
_DEFAULTS: dict[str, Any] = {"where": {}, "fit": False, "fields": (), "inertial_range": None}
