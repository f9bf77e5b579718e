"""`harness compare`: what it accepts, refuses, says, writes, and how it exits."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.baselines import Baseline, Publication
from harness.cli import app
from harness.judging import expectation
from harness.report.text import number
from harness.results import Expectation, Fact, Run, TestResult
from tests.report_example import HOSTILE, build_example

A, B = "fno-mini", "conv-mini"


def compare(*arguments: object, width: int = 1000) -> tuple[int, str]:
    done = CliRunner().invoke(
        app, ["compare", *map(str, arguments)], env={"COLUMNS": str(width)}, catch_exceptions=False
    )
    return done.exit_code, " ".join(done.output.replace("│", " ").split())


def as_json(*arguments: object) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["compare", *map(str, arguments), "--json", "-"])
    found: dict[str, Any] = json.loads(done.output)
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    build_example(folder, cells=8, simulations=3).save(folder)
    return folder


def changed(run: Path, target: Path, change: Callable[[TestResult], TestResult], **origin: Any) -> Path:
    """The run with its tests and provenance changed."""
    loaded = Run.load(run)
    target.mkdir(exist_ok=True)
    loaded.model_copy(
        update={
            "name": "changed",
            "tests": tuple(change(test) for test in loaded.tests),
            "provenance": loaded.provenance.model_copy(update=origin),
        }
    ).save(target)
    return target


def scaled(
    factor: float, prop: str = "bounded_rollout", model: str = B
) -> Callable[[TestResult], TestResult]:
    def change(test: TestResult) -> TestResult:
        if test.property != prop or test.model != model or test.verdict is None:
            return test
        margin = (test.verdict.margin or 0.0) * factor
        figure = test.verdict.figure * factor
        return test.model_copy(
            update={"verdict": test.verdict.model_copy(update={"figure": figure, "margin": margin})}
        )

    return change


@pytest.mark.parametrize("width", [80, 120])
def test_a_narrow_terminal_cuts_no_number(run: Path, width: int) -> None:
    arguments = ["compare", f"{run}:{A}", f"{run}:{B}"]
    output = CliRunner().invoke(app, arguments, env={"COLUMNS": str(width)}).output
    assert max(map(len, output.splitlines())) <= width
    assert "\u2026" not in output
    (one,) = as_json(f"{run}:{A}", f"{run}:{B}")["comparisons"]
    for criterion in one["criteria"]:
        name = criterion["property"] + (f"[{criterion['criterion']}]" if criterion["criterion"] else "")
        (row,) = [line for line in output.splitlines() if line.startswith(f"{name} ")]
        median = criterion["inference"]["median"]
        assert median is None or number(float(median)) in row.replace("+", " ").replace("\u2020", ""), (
            row
        )
        effect = criterion["inference"]["detectable"]
        assert effect is None or number(float(effect)) in row.replace("\u2020", ""), row
    head = next(line for line in output.splitlines() if line.startswith("property"))
    assert ("detectable" in head) == (width == 120) and ("MDE" in head) == (width == 80)
    assert ("from 110 columns on" in output) == (width == 80)


def test_two_models_of_one_run(run: Path) -> None:
    code, output = compare(f"{run}:{A}", f"{run}:{B}")
    assert code == 1
    assert f"{B} against {A}" in output and "in 6 windows of 3 simulations" in output
    assert "no verdict below 8 simulations" in output
    assert "the range of 3 simulations, which covers the median with 75 %" in output
    assert "Bounded over all 50 steps" in output
    found = as_json(f"{run}:{A}", f"{run}:{B}")
    assert found["failed"] is True
    (one,) = found["comparisons"]
    names = {c["property"] for c in one["criteria"]}
    assert "bounded_rollout" in names and "window_dependence" not in names  # recorded: no verdict
    for criterion in one["criteria"]:
        for case in criterion["cases"]:
            if isinstance(case["difference"], float):
                difference = case["after"]["figure"] - case["before"]["figure"]
                assert case["difference"] == pytest.approx(difference)


def test_a_run_against_itself_is_the_same(run: Path) -> None:
    code, output = compare(f"{run}:{A}", f"{run}:{A}")
    assert code == 0 and "exit 0" in output
    counts = re.search(r"(\d+) same of (\d+) common cases", output)
    assert counts and "worse" not in output.split("common cases")[0]


@pytest.mark.parametrize(
    ("factor", "options", "code"),
    [
        (1.2, [], 1),
        (1.2, ["--worse-than", "30%"], 0),
        (1.2, ["--worse-than", "0.3"], 0),
        (1.2, ["--fail-on", "broken"], 0),
        (1.2, ["--fail-on", "none"], 0),
        (0.8, [], 0),
        (0.8, ["--fail-on", "better,repaired"], 1),
    ],
)
def test_exit_codes_are_the_users(
    run: Path, tmp_path: Path, factor: float, options: list[str], code: int
) -> None:
    new = changed(run, tmp_path / "new", scaled(factor))
    assert compare(f"{run}:{B}", f"{new}:{B}", *options)[0] == code


def test_several_models_pair_by_name(run: Path, tmp_path: Path) -> None:
    new = changed(run, tmp_path / "new", scaled(1.2))
    found = as_json(run, new)
    assert [one["other"]["model"] for one in found["comparisons"]] == [A, B]
    assert found["comparisons"][1]["other"]["label"] == f"{B} (run changed)"
    code, output = compare(run, f"{new}:{B}")  # one of the several
    assert code == 1 and "conv-mini (run changed) against conv-mini (run 2026" in output


def test_the_page_of_several_references_names_each(run: Path, tmp_path: Path) -> None:
    new, target = changed(run, tmp_path / "new", scaled(1.2)), tmp_path / "page.html"
    assert compare(run, new, "--html", target)[0] == 1
    page = target.read_text(encoding="utf-8")
    old = Run.load(run).name
    title = re.search(r"<title>(.*?)</title>", page)
    assert title and title[1] == "; ".join(
        f"{name} (run changed) against {name} (run {old})" for name in (A, B)
    )
    facts = dict(re.findall(r"<dt>([^<]*)</dt><dd>(run [^<]*)</dd>", page))
    names = [f"{name} (run {name_of})" for name in (A, B) for name_of in (old, "changed")]
    assert list(facts) == names
    tables = re.findall(r"<th[^>]*>repaired</th>(.*?)<th[^>]*>detectable", page, re.S)
    assert len(tables) == 2 and all(re.search(">reference<.*>this model<", own) for own in tables)
    cases = page.split('<details class="cases">')[1:]
    heads = {tuple(re.findall(r'<th scope="col" class="number">([^<]*)</th>', one)) for one in cases}
    assert heads == {("reference", "this model", "difference", "limit", "margin", "step")}


def test_what_counts_as_worse_is_said_in_full(run: Path) -> None:
    _, output = compare(f"{run}:{A}", f"{run}:{B}", "--worse-than", "30%")
    assert "worse is a figure beyond the reference's by 30 % of it, and by 1 % of its limit" in output


def test_three_sides_are_each_compared_with_the_first(run: Path, tmp_path: Path) -> None:
    new = changed(run, tmp_path / "new", scaled(0.5))
    found = as_json(f"{run}:{B}", f"{new}:{B}", f"{run}:{A}")
    assert len(found["comparisons"]) == 2
    assert len({one["reference"]["label"] for one in found["comparisons"]}) == 1
    assert len({one["other"]["label"] for one in found["comparisons"]}) == 2


def test_a_crashed_checkpoint_fails(run: Path, tmp_path: Path) -> None:
    def crash(test: TestResult) -> TestResult:
        if test.property == "mass" and test.window == 0:
            return test.model_copy(update={"outcome": "error", "verdict": None, "message": "boom"})
        return test

    code, output = compare(f"{run}:{A}", f"{changed(run, tmp_path / 'new', crash)}:{A}")
    assert code == 1 and "3 broken" in output and "no figure: boom" in output


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ({"precision": "bf16"}, "precision fp32 against bf16"),
        ({"steps": 10}, "steps protocol against 10"),
        ({"draws": "none"}, "draw seeded against none"),
        ({"data": {"simulated": "other"}}, "different data"),
    ],
)
def test_unlike_conditions_are_refused_by_name(
    run: Path, tmp_path: Path, origin: dict[str, Any], said: str
) -> None:
    new = changed(run, tmp_path / "new", lambda test: test, **origin)
    code, output = compare(f"{run}:{A}", f"{new}:{A}")
    assert code == 2 and said in output


def test_unlike_protocols_and_conventions_are_refused(run: Path, tmp_path: Path) -> None:
    def well(test: TestResult) -> TestResult:
        if test.property != "step1_vrmse" or test.verdict is None:
            return test
        unit = "VRMSE[well] at step 1"
        return test.model_copy(update={"verdict": test.verdict.model_copy(update={"unit": unit})})

    new = changed(run, tmp_path / "well", well)
    code, output = compare(f"{run}:{A}", f"{new}:{A}")
    assert code == 2 and "'VRMSE[seed] at step 1', fno-mini (run changed) 'VRMSE[well] at" in output

    loaded = Run.load(run)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    tests = tuple(t.model_copy(update={"protocol": "mhd64-early"}) for t in loaded.tests)
    loaded.model_copy(update={"protocols": ("mhd64-early",), "tests": tests}).save(elsewhere)
    code, output = compare(f"{run}:{A}", f"{elsewhere}:{A}")
    assert code == 2 and "unlike protocols" in output and "mhd64-early" in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{run}"], "nothing to be compared with"),
        (["{run}", "{run}:conv-min"], "did you mean conv-mini or"),
        (["{run}:fno-mini", "{run}"], None),
        (["{run}:fno-mini", "nowhere"], "unknown run or baseline 'nowhere'"),
        (["{run}:fno-mini", "published:walrus"], "unknown run or baseline 'walrus'"),
        (["{run}", "{run}"], "name one by "),
        (["{run}:fno-mini", "{run}:conv-mini", "--fail-on", "worst"], "did you mean worse?"),
        (["{run}:fno-mini", "{run}:conv-mini", "--worse-than", "much"], "no share"),
        (["{run}:fno-mini", "{run}/records"], "neither a run"),
    ],
)
def test_usage_errors_exit_with_2(run: Path, arguments: list[str], said: str | None) -> None:
    code, output = compare(*(text.format(run=run) for text in arguments))
    if said is None:  # the one model is among the several: paired by name
        assert code == 0
    else:
        assert code == 2 and said in output


@pytest.fixture
def baselines(run: Path, tmp_path: Path) -> Path:
    """The run's first model as a measured baseline, and a published one that holds facts only."""
    suites: dict[str, dict[str, Expectation]] = {}
    for test in Run.load(run).tests:
        if test.model == A and test.verdict is not None:
            place = f"{test.simulation}-w{test.window}" + (
                f":{test.criterion}" if test.criterion else ""
            )
            entry = expectation(test.verdict, "measured")
            suites.setdefault(test.suite, {})[f"test_{test.property}[{place}]"] = entry
    conditions = {"steps": "protocol", "precision": "fp32", "draw": "seeded"}
    for suite, entries in suites.items():
        Baseline(tmp_path, A, "simulated").record(suite, entries, conditions)
    facts = {"lambda": Fact(value=0.01, tolerance=0.005, worse="higher")}
    entry = Expectation(verdict="violated", source="published", facts=facts)
    Baseline(tmp_path, "walrus-pt", "simulated").publish(
        Publication("Somebody et al., 2025", conditions),
        {"test_growth": {f"test_bounded_rollout[s{i}-w0]": entry for i in range(3)}},
    )
    return tmp_path


def test_a_run_against_its_own_baseline_is_the_same(run: Path, baselines: Path) -> None:
    option = "--baselines", baselines
    for text in (A, f"published:{A}", baselines / A, baselines / A / "simulated"):
        code, output = compare(text, f"{run}:{A}", *option)
        assert code == 0, output
        assert "fno-mini (run" in output and "(baseline)" in output
        assert " worse" not in output.split("common cases")[0]
    code, _ = compare(A, f"{run}:{B}", *option)
    assert code == 1


def test_figures_of_baselines_are_drawn_without_a_unit(baselines: Path, tmp_path: Path) -> None:
    """A baseline holds none, and the name of a criterion is no quantity."""
    copy = tmp_path / "copy" / "other"
    shutil.copytree(baselines / A, copy)
    target = tmp_path / "page.html"
    assert compare(A, copy, "--baselines", baselines, "--html", target)[0] == 0
    units = set(re.findall(r'"unit":"([^"]*)"', target.read_text(encoding="utf-8")))
    assert units == {"figure"}


def test_a_published_baseline_is_compared_by_its_facts(run: Path, baselines: Path) -> None:
    found = as_json("published:walrus-pt", f"{run}:{B}", "--baselines", baselines)
    (one,) = found["comparisons"]
    assert one["reference"]["source"] == "Somebody et al., 2025"
    (criterion,) = one["criteria"]
    for case in criterion["cases"]:
        assert case["noted"]["lambda"][0] == 0.01
        assert case["before"] is None and case["difference"] is None
        assert case["change"] in ("worse", "same", "repaired")
    inference = criterion["inference"]  # of the published value, in its own unit
    assert (inference["unit"], inference["reason"]) == ("figure", "")
    today = [case["noted"]["lambda"][1] for case in criterion["cases"]]
    assert inference["n"] == len({case["simulation"] for case in criterion["cases"]})
    assert min(today) - 0.01 <= inference["low"] <= inference["high"] <= max(today) - 0.01


def test_from_eight_simulations_inference_stands_beside_the_facts(tmp_path: Path) -> None:
    build_example(tmp_path, cells=8, simulations=16).save(tmp_path)
    found = as_json(f"{tmp_path}:{A}", f"{tmp_path}:{B}")
    (one,) = found["comparisons"]
    by_name = {c["property"]: c["inference"] for c in one["criteria"]}
    bounded = by_name["bounded_rollout"]
    assert (bounded["n"], bounded["decided"]) == (16, True)
    assert bounded["smallest_p"] == 2.0**-15 == bounded["p"]
    assert by_name["positivity"]["decided"] is False  # all zero on both sides
    (survival,) = one["survival"]
    assert survival["p"] is not None and 0 <= survival["p"] <= 1
    _, output = compare(f"{tmp_path}:{A}", f"{tmp_path}:{B}")
    assert "by a sign test over 16 simulations with Holm's correction at 0.05" in output


def test_files_hold_the_same_counts_and_no_live_markup(tmp_path: Path) -> None:
    build_example(tmp_path, hostile=True, simulations=2, cells=8).save(tmp_path)
    first, second = HOSTILE
    targets = {kind: tmp_path / f"out.{kind}" for kind in ("html", "md", "json")}
    code, output = compare(
        f"{tmp_path}:{first}", f"{tmp_path}:{second}", "--html", targets["html"],
        "--markdown", targets["md"], "--json", targets["json"],
    )  # fmt: skip
    assert code == 1
    said = re.search(r": (\d+ broken.*?) of (\d+) common cases", output)
    assert said is not None
    page, text = targets["html"].read_text(), targets["md"].read_text()
    assert f"{said[1]} of {said[2]} common cases" in " ".join(page.split())
    assert f"{said[1]} of {said[2]} common cases" in text
    for hostile in (*HOSTILE, "<img src=x"):
        assert hostile not in page and hostile not in text
    assert page.count("</script>") == page.count("<script")
    assert len(page) < 8_000_000
    assert "://" not in re.sub(r"<script>.*?</script>", "", page, flags=re.S)
