"""The number a paper would print: errors of a run by named convention and aggregation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from harness.diagnostics.errors import CONVENTIONS
from harness.report.markdown import plain
from harness.report.text import counted, number
from harness.results import RecordEntry, Run
from harness.statistics.aggregates import AGGREGATIONS, aggregate
from harness.statistics.intervals import Interval, interval

Array = NDArray[np.float64]

HEADER = ("VRMSE", "aggregation", "figure", "interval")


@dataclass(frozen=True)
class Line:
    """One aggregated error with everything that it depends on.

    steps: first and last, inclusive, 1 = first prediction.  diverged: rollouts that are not
    finite by the last of them.
    """

    model: str
    protocol: str
    convention: str
    aggregation: str
    steps: tuple[int, int]
    figure: float
    interval: Interval
    windows: int
    diverged: int

    @property
    def subject(self) -> str:
        """What the figure is of: `fno-mini, simulated, steps 1-50, 12 windows of ...`."""
        lost = f", {counted(self.diverged, 'rollout')} diverged"
        return (
            f"{self.model}, {self.protocol}, steps {self.steps[0]}-{self.steps[1]}, "
            f"{counted(self.windows, 'window')} of "
            f"{counted(self.interval.n, 'simulation')}{lost if self.diverged else ''}"
        )

    @property
    def cells(self) -> tuple[str, ...]:
        """The line as `HEADER` names it."""
        spread = f"{number(self.interval.low)} to {number(self.interval.high)}"
        return (self.convention, self.aggregation, number(self.figure, 4), spread)


class TableError(ValueError):
    """A table that cannot be made of this run: says what is missing."""


def error_table(
    run: Run,
    folder: Path,
    conventions: Iterable[str] = CONVENTIONS,
    recipes: Iterable[str] = AGGREGATIONS,
    steps: tuple[int, int] | None = None,
) -> list[Line]:
    """One line per model, protocol, convention and aggregation.

    steps: first and last predicted step, inclusive; all of them if None.  Raises TableError where
    the run's records do not hold those steps, or are not there.
    """
    lines = []
    recipes = tuple(recipes)
    for (model, protocol), entries in _groups(run).items():
        for convention in conventions:
            errors = [_errors(folder, entry, convention) for entry in entries]
            first, last = steps or (1, min(len(e) for e in errors) - 1)
            if not 1 <= first <= last < min(len(e) for e in errors):
                raise TableError(
                    f"steps {first}-{last} are not all in the rollouts of {model} under {protocol}, "
                    f"which predict steps 1-{min(len(e) for e in errors) - 1}"
                )
            by_simulation: dict[str, list[Array]] = {}
            for entry, error in zip(entries, errors, strict=True):
                chosen = error[first : last + 1]
                finite = np.where(np.isfinite(chosen), chosen, np.inf)
                by_simulation.setdefault(entry.simulation, []).append(finite)
            clusters = [np.stack(windows) for windows in by_simulation.values()]
            everything = np.concatenate(clusters)
            lines += [
                Line(
                    model,
                    protocol,
                    convention,
                    recipe,
                    (first, last),
                    float(aggregate(everything, recipe)),
                    interval(clusters, partial(aggregate, recipe=recipe)),
                    len(everything),
                    int(np.isinf(everything).any(1).sum()),
                )
                for recipe in recipes
            ]
    return lines


def _groups(run: Run) -> dict[tuple[str, str], list[RecordEntry]]:
    """The run's own rollouts by model and protocol: its precision, its first draw."""
    groups: dict[tuple[str, str], list[RecordEntry]] = {}
    for model in run.models:
        for entry in run.records:
            own = entry.kind == "rollout" and entry.precision == run.provenance.precision
            if own and entry.model == model.name and not entry.draw and entry.protocol:
                groups.setdefault((model.name, entry.protocol), []).append(entry)
    if not groups:
        raise TableError(f"run {run.name} holds no rollout")
    return groups


def _errors(folder: Path, entry: RecordEntry, convention: str) -> Array:
    """VRMSE of steps 0, 1, ... of one rollout."""
    path = (folder / entry.file).resolve()
    try:
        if not path.is_relative_to(folder.resolve()):
            raise OSError("it lies outside the run folder")
        with h5py.File(path, "r") as file:
            return np.asarray(file[f"vrmse_{convention}"][...], dtype=np.float64)
    except (OSError, KeyError) as error:
        raise TableError(
            f"record {entry.file} of {entry.model} cannot be read: {error}; run the suites again"
        ) from error


def subjects(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """The lines by what they are of."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.subject, []).append(line)
    return found


def footnotes(lines: Sequence[Line]) -> list[str]:
    """What the table's intervals are, once each."""
    return [f"interval: {text}" for text in dict.fromkeys(str(line.interval) for line in lines)]


def as_json(run: Run, lines: Sequence[Line]) -> str:
    """The lines as JSON; infinities are strings, as in results.json."""
    rows = [
        {
            "model": line.model,
            "protocol": line.protocol,
            "convention": line.convention,
            "aggregation": line.aggregation,
            "first_step": line.steps[0],
            "last_step": line.steps[1],
            "figure": _json(line.figure),
            "low": _json(line.interval.low),
            "high": _json(line.interval.high),
            "coverage": line.interval.coverage,
            "method": line.interval.method,
            "simulations": line.interval.n,
            "windows": line.windows,
            "diverged": line.diverged,
        }
        for line in lines
    ]
    return json.dumps({"run": run.name, "lines": rows}, indent=1, allow_nan=False) + "\n"


def _json(value: float) -> float | str:
    return value if np.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def as_markdown(lines: Sequence[Line]) -> str:
    """One Markdown table per model and protocol, and what the intervals are."""
    blocks = []
    for subject, own in subjects(lines).items():
        rows = [f"| {' | '.join(plain(cell) for cell in line.cells)} |" for line in own]
        head = [f"| {' | '.join(HEADER)} |", "|" + "---|" * len(HEADER)]
        blocks.append("\n".join([f"**{plain(subject)}**", "", *head, *rows]))
    return "\n\n".join([*blocks, *map(plain, footnotes(lines))]) + "\n"
