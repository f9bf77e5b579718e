"""`harness compare`: two models, or two states of one, on the trajectories both were judged on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness import paths
from harness.cli.console import out, print_table, table_width
from harness.suggest import unknown

if TYPE_CHECKING:
    from harness.comparison import Comparison, Comparisons
    from harness.comparison.changes import Change
    from harness.report.compare_text import Row

SIDES = typer.Argument(
    metavar="SIDE",
    help="A is the reference. A run folder, RUN:MODEL, a baseline folder, a model with a baseline, "
    "or published:NAME",
)
FAIL_ON = typer.Option(help="changes that fail the comparison, by commas; none for never")
WORSE = typer.Option(help="how much larger a figure must be to count as worse")
BASELINES = typer.Option(help="folder of the baselines", show_default="of this checkout")
JSON = typer.Option("--json", help="write the comparison as JSON; - prints it", allow_dash=True)
MARKDOWN = typer.Option("--markdown", help="write it as Markdown; - prints it", allow_dash=True)
HTML = typer.Option("--html", help="write one self-contained page with overlaid curves")

#: Columns from which on differences are printed with their range and the detectable effect.
ROOMY = 110
#: What the columns of inference are called, and for short below that.
LONG, SHORT = ("difference", "detectable"), ("diff.", "MDE")
#: Cases printed one by one.
MAX_GROUPS = 12

STYLES: dict[str, str] = {
    "broken": "bold red", "worse": "red", "same": "dim", "better": "green", "repaired": "bold green",
}  # fmt: skip


def compare(
    sides: Annotated[list[str], SIDES],
    fail_on: Annotated[str, FAIL_ON] = "broken,worse",
    worse_than: Annotated[str, WORSE] = "5%",
    as_json: Annotated[Path | None, JSON] = None,
    markdown: Annotated[Path | None, MARKDOWN] = None,
    html: Annotated[Path | None, HTML] = None,
    baselines: Annotated[Path, BASELINES] = paths.ROOT / "baselines",
) -> None:
    """Compare models on common trajectories; exit 1 if something broke or got worse.

    What became of each case (broken, worse, same, better, repaired) is a fact.
    Whether it generalises is said beside it, as far as n allows.
    """
    from harness import comparison
    from harness.comparison import CompareError, Comparisons, load
    from harness.comparison.pairing import labelled, pairs
    from harness.report.compare import render
    from harness.report.compare_markdown import markdown as in_markdown

    if len(sides) < 2:
        raise typer.BadParameter(f"one side has nothing to be compared with: {sides[0]} and what?")
    chosen, tolerance = _changes(fail_on), _share(worse_than)
    try:
        reference = load(sides[0], baselines)
        couples = labelled(
            [
                couple
                for text in sides[1:]
                for couple in pairs(reference, load(text, baselines), (sides[0], text))
            ]
        )
        comparisons = tuple(comparison.compare(*couple, tolerance) for couple in couples)
    except CompareError as error:
        raise typer.BadParameter(str(error)) from None
    failed = any(one.counts()[change] for one in comparisons for change in chosen)
    found = Comparisons(fail_on=chosen, failed=failed, comparisons=comparisons)
    if as_json:
        out(as_json, found.model_dump_json(indent=1) + "\n")
    if markdown:
        out(markdown, in_markdown(found))
    if html:
        out(html, render(found, couples))
    if Path("-") not in (as_json, markdown):
        _print(found)
    raise typer.Exit(int(failed))


def _changes(text: str) -> tuple[Change, ...]:
    from harness.comparison.changes import CHANGES

    names = [name.strip() for name in text.split(",") if name.strip()]
    if names in ([], ["none"]):
        return ()
    for name in names:
        if name not in CHANGES:
            raise typer.BadParameter(unknown("change for --fail-on", name, CHANGES))
    return tuple(change for change in CHANGES if change in names)


def _share(text: str) -> float:
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise typer.BadParameter(f"--worse-than {text!r} is no share, such as 5% or 0.05")
    return value


def _print(found: Comparisons) -> None:
    from harness.report import compare_text as text

    console = Console()
    for one in found.comparisons:
        _print_one(console, one, found)
    status = ("exit 1", "bold red") if found.failed else ("exit 0", "bold green")
    console.print(Text.assemble(status, ". ", text.gate(found)))


def _print_one(console: Console, one: Comparison, found: Comparisons) -> None:
    from harness.report import compare_inference as inference
    from harness.report import compare_text as text

    title = f"[bold]{escape(one.other.label)}[/] against [bold]{escape(one.reference.label)}[/]"
    console.print(f"{title}: {escape(text.headline(one))}", highlight=False)
    print_table(_table(one, table_width() >= ROOMY))
    groups = text.gravest(one, found.fail_on)
    for group in groups[:MAX_GROUPS]:
        console.print(Text.assemble((f"{group.change} ", STYLES[group.change]), str(group)))
    if len(groups) > MAX_GROUPS:
        console.print(f"and {len(groups) - MAX_GROUPS} more: --markdown names the worst of each")
    narrow = (
        f"{SHORT[0]}: {LONG[0]}, {SHORT[1]}: {LONG[1]}; ranges from {ROOMY} columns on, and in files."
    )
    lines = (
        *([] if table_width() >= ROOMY else [narrow]),
        *text.survival_line(one),
        *inference.generalises(one),
        inference.columns(one),
        *text.footer(one),
    )
    for line in lines:
        console.print(Text(line, "dim"))


def _table(one: Comparison, roomy: bool) -> Table:
    """One row per criterion; where there is no room, medians without ranges."""
    from harness.comparison.changes import CHANGES
    from harness.report import compare_text as text

    rows = text.rows(one)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2 if roomy else 1, 0, 0))
    table.add_column("property", no_wrap=True)
    pieces = [f"{count} {name}," for row in rows for name, count in row.counts.items() if count]
    table.add_column("changes", overflow="fold", min_width=max(map(len, pieces), default=0))
    sides = (one.reference.label, one.other.label) if roomy else text.heads(one)
    names = (*sides, *(LONG if roomy else SHORT))
    heads = dict(zip(("before", "after", "difference", "detectable"), names, strict=True))
    for name, head in heads.items():
        numbers = [number for row in rows for number in _cell(row, name, roomy).split()]
        table.add_column(Text(head), overflow="fold", min_width=max(map(len, numbers), default=0))
    for row in rows:
        changes = Text(", " if roomy else ",\n").join(
            Text(f"{row.counts[name]} {name}", STYLES[name]) for name in CHANGES if row.counts[name]
        )
        table.add_row(Text(row.name), changes, *(Text(_cell(row, name, roomy)) for name in heads))
    return table


def _cell(row: Row, name: str, roomy: bool) -> str:
    text: str = getattr(row, name)
    return text if roomy else text.partition(" ")[0]
