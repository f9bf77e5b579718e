"""The physics table in a terminal and in a log: whole names, whole numbers, no colour where none is."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pytest
from rich.console import Console

from harness.plugin.terminal import _print_run
from harness.results import Run
from harness.summary import rows
from tests.conftest import Toy
from tests.report_example import build_example


def printed(run: Run, width: int, colour: bool = False) -> str:
    file = io.StringIO()
    _print_run(Console(file=file, width=width, force_terminal=colour, highlight=False), run)
    return file.getvalue()


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return build_example(tmp_path_factory.mktemp("example"))


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_is_cut_in_80_and_120_columns(example: Run, width: int) -> None:
    text = printed(example, width)
    assert max(map(len, text.splitlines())) <= width
    assert "\u2026" not in text and "\x1b" not in text
    for model in example.models:
        assert model.name in text
        for row in rows(example, model.name):
            name, bracket, criterion = row.property.partition("[")
            found = [line for line in text.splitlines() if line.startswith(f" {row.property} ")]
            broken = [line for line in text.splitlines() if line.startswith(f" {name} ")]
            lines = found or broken
            assert lines and (found or f"  {bracket}{criterion} " in text), row
            for figure in (row.figure, row.limit, row.baseline):
                assert any(not figure or f" {figure} " in f"{line} " for line in lines), (row, lines)


def test_outcomes_wrap_between_outcomes(example: Run) -> None:
    lines = printed(example, 80).splitlines()
    at = next(i for i, line in enumerate(lines) if "1 regression," in line)
    assert lines[at + 1].strip().startswith("11 expected")
    assert "1 regression, 11 expected" in printed(example, 120)


def test_a_figure_may_be_undefined_while_the_rollout_goes_on(example: Run) -> None:
    test = next(t for t in example.tests if t.property == "bounded_rollout" and t.verdict)
    assert test.verdict is not None
    for diverged_at, word in ((None, "inf"), (7, "diverged")):
        lost = test.verdict.model_copy(update={
            "figure": math.inf, "margin": math.inf, "diverged_at": diverged_at})  # fmt: skip
        run = example.model_copy(update={"tests": (test.model_copy(update={"verdict": lost}),)})
        assert rows(run, test.model)[0].figure == word


@pytest.mark.parametrize(
    ("values", "figure", "place"),
    [
        ({"median": 4.456, "lowest": 3.97, "highest": 8.93, "n": 6.0}, "4.46",
         "median, 3.97 to 8.93, n = 6"),
        ({"surviving": 11 / 12, "windows": 12.0, "horizon": 50.0, "median_survival": None}, "",
         "11 of 12 windows last 50 steps"),
        ({"s0": "y z", "differ": 2.0, "n": 6.0}, "", "2 of 6 simulations differ"),
        ({"s0": "y z"}, "", ""),
    ],
)  # fmt: skip
def test_what_is_recorded_of_a_population_is_told(
    example: Run, values: dict[str, float | str | None], figure: str, place: str
) -> None:
    test = next(t for t in example.tests if t.verdict is None)
    told = test.model_copy(update={"values": values, "outcome": "recorded"})
    (row,) = rows(example.model_copy(update={"tests": (told,)}), test.model)
    assert (row.figure, row.where) == (figure, place)


def test_colour_is_for_terminals(example: Run) -> None:
    assert "\x1b[" in printed(example, 120, colour=True)


def test_a_log_holds_plain_text(toy_bench: Toy) -> None:
    toy_bench.model(0.7)
    toy_bench.pytest()
    table = toy_bench.output.split("physics")[-1]
    assert "\x1b" not in table
    row = next(line for line in table.splitlines() if line.startswith(" offset[mean]"))
    assert row.split()[1:5] == ["3", "violated", "0.7", "0.5"]
    log = Path(toy_bench.folder / "reports" / "latest" / "summary.md").read_text()
    assert "`offset[mean]`" in log
