"""`harness interventions`: what each intervention does to a model."""

from __future__ import annotations

from dataclasses import replace
from math import isinf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from harness.cli.console import show_table

if TYPE_CHECKING:
    from harness.ablation import Ablation, Arm, Figures, Spread
    from harness.engine import Engine
    from harness.plan import Options, Plan
    from harness.surrogates.spec import ModelSpec

#: under the tables
LEGEND = (
    "lambda: e-folds of amplitude per step over the last 10.  survives to: the first step whose "
    "variances leave W.  D: rms div B over rms |k||B|, at the last step.  slowest, fastest: increments "
    "over the truth's, of the channel that changes least and of the one that changes most (liveness "
    "asks for 1/2 to 2).  Medians over simulations, with the range."
)


def interventions(
    model: Annotated[str, typer.Argument(help="as for pytest --model; its own interventions stay")],
    arm: Annotated[
        list[str] | None,
        typer.Option(help="an intervention, or several joined by +; repeatable (default: each alone)"),
    ] = None,
    protocol: Annotated[str, typer.Option(help="recipe that cuts windows from data")] = "simulated",
    trajectories: Annotated[str, typer.Option(help="the first N simulations, or names")] = "",
    data: Annotated[Path | None, typer.Option(help="folder of the data sets")] = None,
    steps: Annotated[int | None, typer.Option(help="predict N steps instead of the protocol's")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    json: Annotated[bool, typer.Option("--json", help="print everything as JSON instead")] = False,
) -> None:
    """Roll a model bare and under each intervention, on the same windows and draws, and compare."""
    import torch

    from harness import paths
    from harness.ablation import Ablation
    from harness.ablation import arm as row
    from harness.engine import Engine, RolloutError
    from harness.plan import Options
    from harness.record import Store

    torch.set_num_threads(1)
    names = tuple(part for part in trajectories.split(",") if part)
    plan = _plan(Options((model,), (protocol,), data, device, steps=steps, trajectories=names))
    (spec,), (recipe,) = plan.models, plan.protocols
    windows = plan.windows[recipe.name]
    arms = _arms(arm, spec, plan)
    engine = Engine(Store(paths.cache() / "records"), torch.device(device), plan.simulations)
    log = Console(stderr=True)
    bare: list[Figures] | None = None
    rows: list[Arm] = []
    failed: dict[str, str] = {}
    for number, chosen in enumerate(arms):
        changed = replace(spec, interventions=(*spec.interventions, *chosen))
        log.print(Text(f"[{number + 1}/{len(arms)}] {changed.label} on {len(windows)} windows"))
        try:
            found = _figures(engine, plan, changed)
        except RolloutError as error:
            if bare is None:
                raise typer.BadParameter(str(error)) from error
            failed["+".join(chosen)] = str(error)
            continue
        rows.append(row("+".join(chosen), found, bare))
        bare = bare or found
    result = Ablation(
        model=spec.label,
        protocol=recipe.name,
        steps=windows[0].steps,
        simulations=len({w.simulation for w in windows}),
        windows=len(windows),
        arms=tuple(rows),
        failed=failed,
    )
    if json:
        typer.echo(result.model_dump_json(indent=2))
    else:
        _show(result)


def _plan(options: Options) -> Plan:
    """What is to be rolled; BadParameter with the library's own sentence for what cannot be."""
    import torch

    from harness import plan
    from harness.surrogates.spec import ModelError
    from harness.truth.errors import MissingData, TruthError

    try:
        torch.empty(0, device=options.device)
        made = plan.make(options)
    except MissingData as error:
        hint = plan.how_to_get(error, options.data_root)
        raise typer.BadParameter(f"{error}\n{hint}") from error
    except (ModelError, TruthError) as error:
        raise typer.BadParameter(str(error)) from error
    except (RuntimeError, AssertionError) as error:
        raise typer.BadParameter(f"--device {options.device!r}: {error}") from error
    if len(made.models) != 1:
        raise typer.BadParameter(f"one model is taken apart at a time, got {len(made.models)}")
    if not any(made.windows.values()):
        problems = "\n".join(map(str, made.problems))
        raise typer.BadParameter(f"no trajectory can be rolled:\n{problems}")
    return made


def _arms(wanted: list[str] | None, spec: ModelSpec, plan: Plan) -> list[tuple[str, ...]]:
    """The bare model, then what was asked for, else every intervention that the data allow."""
    from harness.interventions import INTERVENTIONS
    from harness.suggest import unknown

    arms: list[tuple[str, ...]] = [()]
    if wanted:
        arms += [tuple(text.split("+")) for text in wanted]
    else:
        fields = set(plan.simulations[0].layout.names)
        arms += [
            (name,)
            for name, intervention in INTERVENTIONS.items()
            if intervention.needs <= fields and name not in spec.interventions
        ]
    for name in (name for arm in arms for name in arm):
        if name not in INTERVENTIONS:
            raise typer.BadParameter(unknown("intervention", name, INTERVENTIONS))
    return arms


def _figures(engine: Engine, plan: Plan, spec: ModelSpec) -> list[Figures]:
    """The figures of one arm on every window, from the store or rolled now."""
    from harness import jobs
    from harness.ablation import figures
    from harness.statistics import Ensemble

    (recipe,) = plan.protocols
    found = []
    for window in plan.windows[recipe.name]:
        kin = plan.kin(recipe.name, window.simulation)
        ensemble = Ensemble(tuple(engine.record(jobs.truth_job(s)) for s in kin))
        job = jobs.bind(jobs.rollout(), spec, window, plan.options.precision, plan.options.seeded)
        found.append(figures(engine.record(job), ensemble, window))
    return found


def _show(result: Ablation) -> None:
    from harness.interventions import INTERVENTIONS

    console, n = Console(soft_wrap=True), result.windows
    console.print(Text(f"{_title(result)}\n"))
    show_table(
        ("arm", "lambda", "survives to", "VRMSE[seed] t=1", "D", "slowest", "fastest", "basins"),
        [
            (
                arm.name or "(bare)",
                _cell(arm.figures, "rate"),
                _cell(arm.figures, "survival", "{:.0f}", result.steps),
                _cell(arm.figures, "step1"),
                _cell(arm.figures, "div_b"),
                _cell(arm.figures, "slowest", "{:.2g}"),
                _cell(arm.figures, "fastest", "{:.2g}"),
                ", ".join(f"{basin} {count}" for basin, count in sorted(arm.basins.items())),
            )
            for arm in result.arms
        ],
    )
    console.print(Text("\nAgainst the bare model, paired by window:\n"))
    show_table(
        ("arm", "d lambda", "survives longer/shorter", "VRMSE t=1", "D", "slowest", "fastest"),
        [
            (
                arm.name,
                _cell(arm.against, "rate", "{:+.3f}"),
                f"{arm.longer}/{arm.shorter} of {n}",
                *(_cell(arm.against, f, "x{:.2g}") for f in ("step1", "div_b", "slowest", "fastest")),
            )
            for arm in result.arms[1:]
        ],
    )
    names = dict.fromkeys(name for arm in result.arms for name in arm.name.split("+") if name)
    console.print()
    show_table(("intervention", "what it does"), [(n, INTERVENTIONS[n].summary) for n in names])
    console.print(Text(f"\n{LEGEND}"))
    for name, reason in result.failed.items():
        console.print(Text(f"\n{name} was not measured: {reason}"))


def _title(result: Ablation) -> str:
    text = f"{result.model} on {result.protocol}, {result.steps} steps, {result.windows} windows of "
    if result.simulations == 1:
        return text + "1 simulation: its figures, which say nothing about others."
    coverage = result.arms[0].figures["rate"].coverage
    return (
        f"{text}{result.simulations} simulations: median over simulations (lowest .. highest). "
        f"The range covers the median with probability {coverage:.3f}."
    )


def _cell(spreads: dict[str, Spread], figure: str, form: str = "{:.3f}", censored: int = 0) -> str:
    """Median (lowest .. highest); an infinite survival is one beyond the last step."""
    if figure not in spreads:
        return "-"
    spread = spreads[figure]

    def text(value: float) -> str:
        return f">{censored}" if censored and isinf(value) else form.format(value)

    if spread.n == 1:
        return text(spread.median)
    return f"{text(spread.median)} ({text(spread.lowest)} .. {text(spread.highest)})"
