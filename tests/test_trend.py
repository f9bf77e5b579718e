"""`harness trend`: figures of one model over runs, oldest first, on the windows all runs share."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.cli.trend import MAX_BARS, bars
from harness.results import Run
from tests.report_example import build_example

MODEL = "conv-mini"


def trend(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(
        app, ["trend", *map(str, arguments)], env={"COLUMNS": "1000"}, catch_exceptions=False
    )
    return done.exit_code, done.output


def as_json(*arguments: object) -> dict[str, Any]:
    code, output = trend(*arguments, "--json", "-")
    assert code == 0, output
    found: dict[str, Any] = json.loads(output)
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three checkpoints, written newest first; the last one run has one window fewer."""
    root = tmp_path_factory.mktemp("reports")
    example = build_example(root / "example", cells=8, simulations=2)
    for number, factor in ((3, 0.25), (2, 0.5), (1, 1.0)):
        tests = []
        for test in example.tests:
            if test.model != MODEL or (number == 3 and (test.simulation, test.window) == ("s1", 1)):
                continue
            update: dict[str, object] = {"model": f"{MODEL}.step{number}"}
            if test.verdict is not None and test.property == "bounded_rollout":
                figure, margin = test.verdict.figure * factor, (test.verdict.margin or 0) * factor
                moved = {"figure": figure, "margin": margin}
                update["verdict"] = test.verdict.model_copy(update=moved)
            tests.append(test.model_copy(update=update))
        (model,) = [m for m in example.models if m.name == MODEL]
        folder = root / f"run{number}"
        folder.mkdir()
        example.model_copy(
            update={
                "name": f"run{number}",
                "started": f"2026-02-1{number}T00:00:00+00:00",
                "models": (model.model_copy(update={"name": f"{MODEL}.step{number}"}),),
                "tests": tuple(tests),
            }
        ).save(folder)
    (root / "latest").symlink_to("run3")
    (root / "README.md").write_text("no run")
    (root / "example" / "results.json").unlink(missing_ok=True)
    return root


def folders(runs: Path) -> list[Path]:
    return sorted(runs.iterdir())


def test_checkpoints_are_followed_in_their_order(runs: Path) -> None:
    found = as_json(*folders(runs))
    assert found["model"] == MODEL
    assert [stop["label"] for stop in found["stops"]] == ["step1", "step2", "step3"]
    (line,) = [line for line in found["lines"] if line["name"] == "bounded_rollout"]
    medians = [point["median"] for point in line["points"]]
    assert medians[1] == pytest.approx(medians[0] / 2) and medians[2] == pytest.approx(medians[0] / 4)
    assert line["scale"] == "limits"
    # the window that the newest run lacks is in no point
    assert {tuple(p["margins"]) for p in line["points"]} == {("s0-w0", "s0-w1", "s1-w0")}
    (zero,) = [line for line in found["lines"] if line["name"] == "positivity"]
    assert zero["scale"] == "figure"


def test_labels_are_of_one_kind_and_runs_without_a_figure_are_named(runs: Path, tmp_path: Path) -> None:
    newest = Run.load(runs / "run3")
    lost = [t.model_copy(update={"verdict": None, "outcome": "error"}) for t in newest.tests]
    for name, tests in (("again", newest.tests), ("failed", tuple(lost))):
        (tmp_path / name).mkdir()
        run = newest.model_copy(update={"name": name, "tests": tests, "started": f"2026-03 {name}"})
        run.save(tmp_path / name)
    found = as_json(*folders(runs), *tmp_path.iterdir(), "--model", MODEL)
    assert [stop["label"] for stop in found["stops"]] == ["run1", "run2", "run3", "again"]
    assert found["notes"] == [f"run failed is left out: {MODEL}.step3 has no judged figure in it"]


def test_the_table_names_first_last_best_and_violated(runs: Path) -> None:
    code, output = trend(*folders(runs))
    assert code == 0
    (row,) = [line for line in output.splitlines() if line.startswith("bounded_rollout")]
    assert "█" in row and "step3" in row and " of 3" in row


def test_many_runs_and_narrow_terminals_cut_nothing(runs: Path) -> None:
    assert len(bars([1.0] * 400)) == MAX_BARS
    assert bars([1.0] + [2.0] * 98 + [8.0])[:: MAX_BARS - 1] == "▁█"
    for width in (80, 120):
        arguments = ["trend", *map(str, folders(runs))]
        output = CliRunner().invoke(app, arguments, env={"COLUMNS": str(width)}).output
        assert "\u2026" not in output
        assert max(map(len, output.splitlines())) <= width
        assert ("best" in output) == (width == 120)


def test_a_run_under_other_conditions_is_left_out_and_named(runs: Path, tmp_path: Path) -> None:
    run = Run.load(runs / "run2")
    origin = run.provenance.model_copy(update={"precision": "bf16"})
    other = tmp_path / "other"
    other.mkdir()
    run.model_copy(update={"name": "quick", "provenance": origin}).save(other)
    found = as_json(*folders(runs), other)
    assert len(found["stops"]) == 3
    assert found["notes"] == ["run quick is left out: precision bf16 against fp32"]


def test_the_page_is_one_file(runs: Path, tmp_path: Path) -> None:
    target = tmp_path / "trend.html"
    assert trend(*folders(runs), "--html", target)[0] == 0
    page = target.read_text()
    assert "step1" in page and page.count("data-line=") == len(as_json(*folders(runs))["lines"])
    assert page.count("</script>") == page.count("<script")


def test_usage_errors_exit_with_2(runs: Path, tmp_path: Path) -> None:
    code, output = trend(runs / "run1")
    assert code == 2 and "at least two runs, found 1" in output
    code, output = trend(*folders(runs), "--model", "conv")
    assert code == 2 and "unknown model of two runs 'conv'" in output
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        build_example(folder, cells=8, simulations=1).model_copy(update={"name": name}).save(folder)
    code, output = trend(tmp_path / "a", tmp_path / "b")
    assert code == 2 and "which model? choose by --model: conv-mini, fno-mini" in output


def test_bars() -> None:
    assert bars([1.0, 10.0, 100.0]) == "▁▅█"
    assert bars([1.0, None, math.inf]) == "▁·×"
    assert bars([2.0, 2.0]) == "▁▁"
