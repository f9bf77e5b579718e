"""Figures of one model over many runs: checkpoints of a training, or versions of a solver."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.comparison.sides import CompareError, Key, Side, load
from harness.judging import kept
from harness.results import Run, Verdict, complaint
from harness.suggest import unknown


class _Model(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="strings", extra="forbid", frozen=True)


class Stop(_Model):
    """One run of the trend, in the order of their start."""

    label: str
    run: str
    started: str


class Point(_Model):
    """One criterion in one run, over the windows that all runs share.

    margins: window -> figure over limit (the figure itself where the limit is zero).
    violated: of how many of them the criterion is broken.
    """

    median: float
    violated: int
    margins: dict[str, float]


class Line(_Model):
    """One criterion over all runs; None where a run has no figure of it.

    scale: what the values are: "limits", or "figure" where a limit is zero.
    """

    protocol: str
    name: str
    statement: str
    unit: str
    scale: Literal["limits", "figure"]
    points: tuple[Point | None, ...]


class Trend(_Model):
    """What `harness trend --json` writes."""

    schema_version: Literal[1] = 1
    model: str
    stops: tuple[Stop, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()


def trend(folders: Sequence[Path], model: str | None = None) -> Trend:
    """The figures of one model over the runs in `folders`, oldest first.

    A checkpoint of `model` (label `model.checkpoint`) counts as the model.  Folders without a run or
    without the model, and repeated ones (`latest`), are skipped; runs in which the model has no
    figure, with other steps, precision or draw than the newest, or without a common protocol, are
    left out and named.  Raises CompareError for fewer than two runs, or where several models could
    be meant.
    """
    runs = {path.resolve(): path for path in folders if (path / "results.json").is_file()}
    loaded = sorted(((_loaded(path), path) for path in runs), key=lambda pair: pair[0].started)
    if len(loaded) < 2:
        raise CompareError(f"a trend needs at least two runs, found {len(loaded)}")
    chosen = model or _only_model([run for run, _ in loaded])
    sides, silent = [], []
    for run, path in loaded:
        for side in load(str(path), path):
            if side.model != chosen and not side.model.startswith(f"{chosen}."):
                continue
            if any(test.verdict for test in side.tests.values()):
                sides.append((run, side))
            else:
                silent.append(f"run {run.name} is left out: {side.model} has no judged figure in it")
    if len({id(run) for run, _ in sides}) < 2:
        known = sorted({entry.name for run, _ in loaded for entry in run.models})
        raise CompareError(f"{unknown('model of two runs', chosen, known)}")
    alike, unlike = _alike(sides)
    notes = [*silent, *unlike]
    lines = _lines([side for _, side in alike])
    if len(alike) < 2 or not lines:
        raise CompareError(f"no two runs of {chosen} are alike: {'; '.join(notes)}")
    labels = _labels([(run.name, side.model.removeprefix(f"{chosen}.")) for run, side in alike])
    stops = tuple(
        Stop(label=label, run=run.name, started=run.started)
        for label, (run, _) in zip(labels, alike, strict=True)
    )
    return Trend(model=chosen, stops=stops, lines=tuple(lines), notes=tuple(notes))


def _labels(stops: Sequence[tuple[str, str]]) -> list[str]:
    """Labels of one kind for all (run, checkpoint): the checkpoints, else the runs, else both."""
    kinds = (
        [checkpoint for _, checkpoint in stops],
        [run for run, _ in stops],
        [f"{run} {checkpoint}" for run, checkpoint in stops],
    )
    return next((labels for labels in kinds if len(set(labels)) == len(labels)), kinds[-1])


def _loaded(folder: Path) -> Run:
    try:
        return Run.load(folder)
    except (OSError, ValidationError) as error:
        raise CompareError(complaint(folder, error)) from error


def _only_model(runs: Sequence[Run]) -> str:
    """The model that all runs judge, checkpoints apart."""
    families = [{model.name for model in run.models} for run in runs]
    common = set.intersection(*families)
    if len(common) == 1:
        return common.pop()
    everything = set.union(*families)
    stems = {name.split(".")[0] for name in everything}
    if not common and len(stems) == 1:
        return stems.pop()
    raise CompareError(f"which model? choose by --model: {', '.join(sorted(everything))}")


def _alike(sides: Sequence[tuple[Run, Side]]) -> tuple[list[tuple[Run, Side]], list[str]]:
    """The runs that may be drawn in one plot with the newest, and why others may not."""
    newest = sides[-1][1].conditions
    alike, notes = [], []
    for run, side in sides:
        shared = [p for p in newest if p in side.conditions]
        unlike = [
            f"{name} {side.conditions[p][name]} against {value}"
            for p in shared
            for name, value in newest[p].items()
            if side.conditions[p].get(name) != value
        ]
        if shared and not unlike:
            alike.append((run, side))
        else:
            why = ", ".join(dict.fromkeys(unlike)) or "no common protocol"
            notes.append(f"run {run.name} is left out: {why}")
    return alike, notes


def _lines(sides: Sequence[Side]) -> list[Line]:
    groups: dict[tuple[str, str, str], list[Key]] = {}
    for key in sides[-1].tests:
        groups.setdefault(key[:3], []).append(key)
    lines = []
    for (protocol, prop, criterion), keys in groups.items():
        found = [_verdicts(side, keys) for side in sides]
        common = [key for key in keys if all(key in own for own in found if own)]
        if not common or not found[-1]:
            continue
        limited = all(own[key].limit for own in found if own for key in common)
        scale: Literal["limits", "figure"] = "limits" if limited else "figure"
        lines.append(
            Line(
                protocol=protocol,
                name=f"{prop}[{criterion}]" if criterion else prop,
                statement=sides[-1].tests[common[0]].statement,
                unit=found[-1][common[0]].unit,
                scale=scale,
                points=tuple(_point(own, common, scale) if own else None for own in found),
            )
        )
    return lines


def _verdicts(side: Side, keys: Sequence[Key]) -> dict[Key, Verdict]:
    tests = {key: side.tests[key] for key in keys if key in side.tests}
    return {key: test.verdict for key, test in tests.items() if test.verdict is not None}


def _point(verdicts: Mapping[Key, Verdict], keys: Sequence[Key], scale: str) -> Point:
    margins: dict[str, float] = {}
    for key in keys:
        place = "all" if key.simulation is None else f"{key.simulation}-w{key.window}"
        verdict = verdicts[key]
        margins[place] = verdict.figure if scale == "figure" else verdict.margin or 0.0
    return Point(
        median=statistics.median(margins.values()),
        violated=sum(not kept(verdicts[key]) for key in keys),
        margins=margins,
    )
