"""Protocols: the named recipes by which windows are cut from a data set.

Each is a TOML file in the folder beside this module; its file name is its name.
"""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from harness.fields import FieldLayout
from harness.paths import slug
from harness.suggest import unknown
from harness.truth.errors import ProtocolError, TruthError
from harness.truth.well import SPLITS, Scan
from harness.truth.window import Simulation, Window

FOLDER = Path(__file__).parent / "protocols"


@dataclass(frozen=True)
class Protocol:
    """A named evaluation recipe.

    dataset, split: where the simulations come from.
    ensemble: splits whose simulations with the same parameters give the widths W of the departure
        rule, as far as they are present.
    where: parameter values that select simulations, e.g. (("Ma", 0.7),).
    starts: number of the first input frame of each window, counted from 0.
    n_history: input frames; steps: predicted frames after them.
    fields: names of the fields a simulation must have.
    inertial_range: first and last shell of k_perp between forcing and dissipation, for slopes.
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
    inertial_range: tuple[int, int]
    reproduces: str
    description: str


class Plan(NamedTuple):
    """The windows to roll out, and why others that were asked for are missing."""

    windows: tuple[Window, ...]
    problems: tuple[TruthError, ...]


def names() -> tuple[str, ...]:
    """Names of all protocols, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load(name: str) -> Protocol:
    """The protocol called `name`; ProtocolError if it is unknown, with the nearest names."""
    known = names()
    if name not in known:
        raise ProtocolError(unknown("protocol", name, known))
    return read(FOLDER / f"{name}.toml")


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
        value = table.get(key, {} if key == "where" else None)
        if value is None or not valid(value):
            found = "nothing" if value is None else repr(value)
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

    steps: predicted frames, instead of the protocol's own number.
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
            window = Window(simulation, index, start, protocol.n_history, steps)
            if window.last_frame < simulation.n_frames:
                cut.append(window)
                continue
            problems.append(
                _problem(
                    protocol,
                    simulation,
                    f"has too few frames for window {index}",
                    f"{window.last_frame + 1} ({protocol.n_history} from {start} on, "
                    f"{steps} predicted)",
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
    "dataset": (lambda v: _text(v) and slug(v) == v, "a data set name, safe as a folder name"),
    "split": (lambda v: v in SPLITS, " or ".join(SPLITS)),
    "ensemble": (_list_of(lambda v: v in SPLITS), f"distinct splits of {', '.join(SPLITS)}"),
    "where": (_parameters, "a table of finite numbers"),
    "starts": (_list_of(_count(0)), "distinct frame numbers, each an integer of at least 0"),
    "n_history": (_count(1), "an integer of at least 1"),
    "steps": (_count(1), "an integer of at least 1"),
    "fields": (_list_of(_text), "distinct field names"),
    "inertial_range": (
        lambda v: _list_of(_count(1))(v) and len(v) == 2 and v[0] < v[1],
        "first and last shell, integers with 1 <= first < last",
    ),
    "reproduces": (_text, "text"),
    "description": (_text, "text"),
}
