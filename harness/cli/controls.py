"""`harness controls`: does every property fail when it should, and only then?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from harness.cli.console import run_folder, show_table


def controls(
    run: Annotated[Path, typer.Argument(help="a folder under reports/")],
    markdown: Annotated[Path | None, typer.Option(help="write the table here")] = None,
    picture: Annotated[Path | None, typer.Option(help="write the matrix here, as SVG")] = None,
) -> None:
    """Judge a run over controls: every target fires, nothing else does; exit 1 otherwise.

    Make such a run with: pytest suites/ --no-baselines --model "control:*,oracle,solver,stranger"
    """
    from harness import specificity
    from harness.report import controls as pages

    try:
        matrix = specificity.matrix(run_folder(run))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    rows = []
    for subject in matrix.subjects:
        cells = {c: matrix.cells[subject, c] for c in matrix.criteria if (subject, c) in matrix.cells}
        tripped = {c: cell for c, cell in cells.items() if cell.violated}
        ok = all(cell.as_it_should for cell in cells.values())
        must = [c for c, cell in tripped.items() if cell.duty == "must"]
        other = [c for c, cell in tripped.items() if cell.duty != "must"]
        said = [", ".join(must), "besides: " + ", ".join(other) if other else ""]
        rows.append(("ok" if ok else "WRONG", subject, "; ".join(filter(None, said))))
    # one column for both: two of them would break the names of criteria at 80 columns
    show_table(("", "surrogate", "tripped, as it must; besides, as it may"), rows)
    alarms, judged, with_one, simulations = matrix.alarms()
    if judged:
        Console().print(
            f"stranger: {alarms} false alarms in {judged} verdicts, "
            f"in {with_one} of {simulations} simulations"
        )
    if markdown:
        markdown.write_text(pages.table(matrix), encoding="utf-8")
    if picture:
        picture.write_text(pages.picture(matrix), encoding="utf-8")
    faults = matrix.faults()
    for fault in faults:
        Console(stderr=True).print(Text(fault), style="red", soft_wrap=True)
    raise typer.Exit(1 if faults else 0)
