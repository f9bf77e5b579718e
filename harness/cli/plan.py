"""`harness plan`: what a run would do and cost, with the options of pytest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from harness import paths
from harness.cli.console import show_table


def plan(
    suites: Annotated[Path, typer.Argument(help="folder of property tests")] = paths.ROOT / "suites",
    model: Annotated[list[str] | None, typer.Option(help="as for pytest; repeatable")] = None,
    protocol: Annotated[list[str] | None, typer.Option(help="as for pytest; repeatable")] = None,
    data: Annotated[Path | None, typer.Option(help="folder of the data sets")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="predicted steps")] = None,
    trajectories: Annotated[str, typer.Option(help="the first N simulations, or these")] = "",
    precision: Annotated[str, typer.Option(help="of the rollouts")] = "fp32",
    draw: Annotated[str, typer.Option(help="seeded or none")] = "seeded",
) -> None:
    """Show what a run would cost, in evaluations of the models: property by property, nothing run.

    A record that several properties read is counted once in the total; what the store holds costs
    nothing.
    """
    import torch

    from harness import cost, properties
    from harness import plan as plans
    from harness.engine import Engine
    from harness.numerics import DTYPES
    from harness.record import Store
    from harness.suggest import unknown
    from harness.surrogates.spec import ModelError
    from harness.truth.errors import MissingData, TruthError

    if not suites.is_dir():
        raise typer.BadParameter(f"no folder {str(suites)!r} of property tests")
    for value, known in ((precision, sorted(DTYPES)), (draw, ["seeded", "none"])):
        if value not in known:
            raise typer.BadParameter(unknown("value", value, known))
    models = tuple(model or plans.DEFAULT_MODELS)
    try:
        options = plans.Options(
            models=models,
            protocols=plans.protocols_of(models, protocol),
            data=data,
            precision=precision,
            seeded=draw == "seeded",
            steps=steps,
            trajectories=tuple(name.strip() for name in trajectories.split(",") if name.strip()),
        )
        with Console().status("laying out the run") as status:
            made = plans.make(
                options, lambda name, n, m: status.update(f"simulating truth {name}: {n}/{m}")
            )
    except MissingData as error:
        raise typer.BadParameter(f"{error}\n{plans.how_to_get(error, options.data_root)}") from error
    except (ModelError, TruthError) as error:
        raise typer.BadParameter(str(error)) from error
    if not any(made.windows.values()):
        problems = "\n".join(map(str, made.problems))
        raise typer.BadParameter(f"no trajectory can be judged\n{problems}".strip())
    engine = Engine(Store(paths.cache() / "records"), torch.device("cpu"), made.simulations)
    cases = [
        (declared, case)
        for declared in properties.collect(suites)
        for case in made.cases(declared.criteria, declared.population, declared.windows)
    ]
    rows = cost.estimate(made, cases, lambda m: engine.identity(m).traits, engine.is_stored)
    show_table(*cost.table(rows))
