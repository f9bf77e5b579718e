"""One sentence per model, assembled from verdicts and recorded figures.

Every clause depends on a figure of the run; a clause without its figure is left out.  Medians are
over windows and say so; "as early as step n" is the first step at which any window breaks the limit.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.report import causes
from harness.report.basins import Basin
from harness.report.outcomes import broken
from harness.report.rollouts import Rollout, of_model
from harness.report.text import counted, criterion_name, listing, number, window_label
from harness.results import Run, TestResult

#: A first step this far below persistence is called good.
WELL = 0.6

FIELDS = {"rho": "the density fluctuations", "B": "the magnetic field", "v": "the velocity"}


@dataclass(frozen=True)
class Story:
    """What a model does, in words.

    model: the subject; sentence: what follows it.  broken, sometimes, kept: the properties broken in
    every window, in some, in none, with their criteria where others of the same property fare
    differently.
    """

    model: str
    sentence: str
    broken: tuple[str, ...]
    sometimes: tuple[str, ...]
    kept: tuple[str, ...]


def stories(run: Run, rollouts: Sequence[Rollout], basins: Sequence[Basin]) -> list[Story]:
    """One story per model of the run."""
    found = []
    for model in run.models:
        tests = [t for t in run.tests if t.model == model.name]
        judged = [t for t in tests if t.verdict is not None]
        own = of_model(rollouts, model.name)
        rows = [basin for basin in basins if basin.model == model.name]
        said = (_sentence(judged, own, _lost(run, judged, rows)), causes.told(tests))
        found.append(
            Story(
                model=model.name,
                sentence="; ".join(filter(None, said)) + ".",
                **_ledger(judged),
            )
        )
    return found


def _sentence(judged: Sequence[TestResult], rollouts: Sequence[Rollout], rows: Sequence[Basin]) -> str:
    if not judged:
        return "has no judged figure in this run"
    one_step = [test for test in judged if test.property == "step1_vrmse"]
    rest = [test for test in judged if test.property != "step1_vrmse"]
    first = _first_step(one_step)
    rollout = _rollout(rest, rollouts, rows, "every other" if any(map(broken, one_step)) else "every")
    return " and ".join(clause for clause in (first, rollout) if clause)


def _first_step(tests: Sequence[TestResult]) -> str:
    verdicts = [test.verdict for test in tests if test.verdict is not None]
    pairs = [(v.figure, v.limit) for v in verdicts if v.limit is not None]
    if not pairs:
        return ""
    failed = sum(broken(test) for test in tests)
    figure = statistics.median(figure for figure, _ in pairs)
    limit = statistics.median(limit for _, limit in pairs)
    convention = verdicts[0].unit.removesuffix(" at step 1") or "error"
    median = number(figure, 2) if math.isfinite(figure) else "not finite"
    figures = f"(median {convention} {median}, persistence {number(limit, 2)})"
    if failed:
        return f"is no better than persistence at one step in {_of(failed, tests)} {figures}"
    if any(figure >= limit for figure, limit in pairs):
        return f"does no better than persistence at one step {figures}"
    if all(figure <= WELL * limit for figure, limit in pairs):
        return f"predicts one step well {figures}"
    return f"beats persistence at one step {figures}"


def _rollout(
    tests: Sequence[TestResult], rollouts: Sequence[Rollout], rows: Sequence[Basin], every: str
) -> str:
    """What becomes of the rollout.

    every: "every", or "every other" where the first step is broken.
    """
    bounded = [test for test in tests if test.property == "bounded_rollout"]
    unbounded = [test for test in bounded if broken(test)]
    if unbounded:
        left = [test for test in unbounded if not _only_ends(test)]
        ends = _divergences(bounded) if left else ""  # else the clause itself says so
        evidence = [_rates(rows), _monopoles(tests), ends]
        clause = _loss(left, bounded, rollouts) if left else _end(unbounded, bounded)
    else:
        others = [test for test in tests if broken(test)]
        if not others:
            return f"keeps {every} judged property in every window" if tests else ""
        names = [name for name, _ in Counter(criterion_name(test) for test in others).most_common(3)]
        rest = len({criterion_name(test) for test in others}) - len(names)
        more = [f"{rest} more"] if rest else []
        stays = "stays bounded over the rollout but breaks" if bounded else "breaks"
        clause = f"{stays} {listing([*names, *more])}"
        evidence = [_monopoles(tests)]
    facts = [fact for fact in evidence if fact]
    return clause + (f": {', '.join(facts)}" if facts else "")


def _loss(
    unbounded: Sequence[TestResult], bounded: Sequence[TestResult], rollouts: Sequence[Rollout]
) -> str:
    """`lets the magnetic field run away in 7 of 12 windows, as early as step 31`.

    `fade` where every variance falls, `loses` where some do or nobody knows.
    """
    places = Counter(_field(test) for test in unbounded)
    field = places.most_common(1)[0][0]
    here = [test for test in unbounded if _field(test) == field]
    first = min((s for test in here if (s := _first_broken(test)) is not None), default=None)
    when = "" if first is None else f", as early as step {first}"
    fades = [_fades(test, rollouts) for test in here]
    known = [fade for fade in fades if fade is not None]
    verb = "loses {}"
    if known and len(set(known)) == 1:
        verb = "lets {} fade" if known[0] else "lets {} run away"
    return f"{verb.format(field)} in {_of(len(here), bounded)}{when} (bounded_rollout)"


def _end(unbounded: Sequence[TestResult], bounded: Sequence[TestResult]) -> str:
    """`is not finite from step 1 on in every window`: no variance leaves its limit before the end."""
    steps = {test.verdict.diverged_at for test in unbounded if test.verdict}
    first = min(step for step in steps if step is not None)
    when = "on" if len(steps) == 1 else "at the earliest"
    where = _of(len(unbounded), bounded)
    return f"is not finite from step {first} {when} in {where} (bounded_rollout)"


def _only_ends(test: TestResult) -> bool:
    """Whether a rollout stays within its limit until it is not finite: no channel is to blame."""
    end = test.verdict.diverged_at if test.verdict else None
    first = _first_broken(test)
    return end is not None and first is not None and first >= end


def _field(test: TestResult) -> str:
    channel = (test.verdict.where if test.verdict else None) or ""
    return FIELDS.get(channel.split("_")[0], channel or "its variance")


def _first_broken(test: TestResult) -> int | None:
    verdict = test.verdict
    if verdict is None:
        return None
    for step, value, limit in zip(verdict.steps, verdict.curve, verdict.limit_curve, strict=False):
        if not value <= limit:
            return step
    return verdict.step


def _fades(test: TestResult, rollouts: Sequence[Rollout]) -> bool | None:
    """Whether the broken channel's variance falls below the truth's; None without a record."""
    verdict = test.verdict
    if verdict is None or verdict.step is None or not math.isfinite(verdict.figure):
        return None
    for rollout in rollouts:
        same = (rollout.entry.protocol, rollout.entry.simulation, rollout.entry.window)
        if same == (test.protocol, test.simulation, test.window) and rollout.has("variance"):
            here = {"step": verdict.step, "channel": verdict.where}
            try:
                pred, truth = (s["variance"].sel(here) for s in (rollout.pred, rollout.truth))
            except KeyError:
                return None
            return bool(pred < truth)
    return None


def _lost(run: Run, judged: Sequence[TestResult], rows: Sequence[Basin]) -> list[Basin]:
    """The rows of the windows that do not stay bounded: elsewhere a fitted rate is turbulence."""
    labels = {
        window_label(run, test.protocol, test.simulation, test.window)
        for test in judged
        if test.property == "bounded_rollout" and broken(test)
    }
    return [row for row in rows if row.label in labels]


def _rates(lost: Sequence[Basin]) -> str:
    """`B_z grows 0.2 e-folds per step there`: the median rate of the channel that leads most often.

    lost: the rows of the windows in which the rollout does not stay bounded.
    """
    growing = [row for row in lost if row.rate is not None and row.rate > 0 and row.fastest]
    if not growing:
        return ""
    channel, n = Counter(row.fastest for row in growing).most_common(1)[0]
    rate = statistics.median(row.rate for row in growing if row.fastest == channel and row.rate)
    where = "there" if n == len(lost) else f"in {n} of these {len(lost)}"
    median = "median, " if n > 1 else ""
    return f"{channel} grows {number(rate, 2)} e-folds per step {where} ({median}last 10 steps)"


def _monopoles(tests: Sequence[TestResult]) -> str:
    """`div B ends at 14 times the truth's`: the median over windows, where div B is broken."""
    if not any(broken(test) for test in tests if test.property == "div_b_ratio"):
        return ""
    noted = [test.values.get("last_over_truth") for test in tests]
    finite = [v for v in noted if isinstance(v, float) and math.isfinite(v)]
    if not finite:
        return ""
    return f"div B ends at {number(statistics.median(finite), 2)} times the truth's (median, stencil)"


def _divergences(bounded: Sequence[TestResult]) -> str:
    steps = [t.verdict.diverged_at for t in bounded if t.verdict and t.verdict.diverged_at is not None]
    if not steps:
        return ""
    return f"{counted(len(steps), 'rollout')} not finite from step {min(steps)}"


def _ledger(judged: Sequence[TestResult]) -> dict[str, tuple[str, ...]]:
    """The properties by how often they are broken: `div_b_ratio`, or `energy_budget[ratio]`."""
    shares: dict[str, dict[str, list[bool]]] = {}
    for test in judged:
        shares.setdefault(test.property, {}).setdefault(test.criterion, []).append(broken(test))
    ledger: dict[str, list[str]] = {"broken": [], "sometimes": [], "kept": []}
    for prop, criteria in shares.items():
        lots: dict[str, list[str]] = {}
        for criterion, found in criteria.items():
            lot = "broken" if all(found) else "sometimes" if any(found) else "kept"
            lots.setdefault(lot, []).append(criterion)
        for lot, names in lots.items():
            ledger[lot].append(prop if len(lots) == 1 else f"{prop}[{', '.join(names)}]")
    return {lot: tuple(names) for lot, names in ledger.items()}


def _of(n: int, tests: Sequence[TestResult]) -> str:
    return (
        f"{n} of {counted(len(tests), 'window')}"
        if n < len(tests)
        else ("every window" if n > 1 else "its only window")
    )
