"""Every row of the outcome table, with real runs of a miniature benchmark."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from harness.paths import ROOT
from harness.results import Run
from tests import toy
from tests.conftest import Toy

BASELINE = "toy.Shift/toy/test_toy.json"


def entries(bench: Toy) -> dict[str, dict[str, float | str]]:
    return json.loads((bench.folder / "baselines" / BASELINE).read_text())


def edit(bench: Toy, name: str, **values: float | str) -> None:
    path = bench.folder / "baselines" / BASELINE
    content = json.loads(path.read_text())
    content[name] |= values
    path.write_text(json.dumps(content))


def reds(bench: Toy) -> set[str]:
    return {r.nodeid for r in bench.run.tests if r.outcome in ("violated", "regression", "error")}


def test_violated_as_recorded_is_expected_and_green(recorded: Toy) -> None:
    assert recorded.pytest() == 0, recorded.output
    result = recorded.result("wave0:mean")
    assert result.outcome == "expected"
    assert result.verdict is not None and result.verdict.figure == pytest.approx(0.7)
    # The xfail line names physics, figure, limit and step, and the recorded figure beside them.
    assert re.search(
        r"EXPECTED .*wave0-w0:mean\] - offset\[mean\] offset = 0.7 > 0.5 at step \d \(baseline 0.7\)",
        recorded.output,
    ), recorded.output


def test_violated_and_worse_is_a_regression(recorded: Toy) -> None:
    recorded.model(0.9)
    assert recorded.pytest() == 1
    assert recorded.result("wave0:mean").outcome == "regression"
    assert "offset[mean] offset = 0.9 > 0.5" in recorded.output
    assert "(baseline 0.7)" in recorded.output


def test_violated_and_now_kept_is_repaired_and_red(recorded: Toy) -> None:
    recorded.model(0.1)
    assert recorded.pytest() == 1
    assert recorded.result("wave1:mean").outcome == "repaired"
    assert "update the baseline" in recorded.output


def test_repaired_is_reported_but_green_under_against(recorded: Toy) -> None:
    recorded.model(0.1)
    assert recorded.pytest("--against", "toy.Shift") == 0, recorded.output
    assert recorded.result("wave1:mean").outcome == "repaired"
    assert "REPAIRED" in recorded.output
    assert "6 repaired: recorded as broken, kept today" in recorded.output
    assert "## Repaired: 6 tests" in (recorded.folder / "reports" / "latest" / "summary.md").read_text()


def pages(bench: Toy) -> str:
    folder = bench.folder / "reports" / "latest"
    return (folder / "summary.md").read_text() + (folder / "report.html").read_text()


def test_a_gate_that_is_not_typed_is_a_gate_on_the_pages_too(recorded: Toy) -> None:
    recorded.model(0.1)
    environment = {"PYTEST_ADDOPTS": "--against toy.Shift"}
    assert recorded.pytest(**environment) == 0, recorded.output
    assert recorded.run.provenance.against == "toy.Shift"
    (line,) = (x.strip() for x in recorded.output.splitlines() if "--update-baselines" in x)
    assert line.endswith("--against toy.Shift --update-baselines")
    text = pages(recorded)
    assert "Nothing is red." in text and "## Red" not in text and line in text
    recorded.model(0.9)
    assert recorded.pytest(**environment) == 1
    again = re.search(r"`(pytest 'suites/.*)`", pages(recorded))
    assert again is not None and "--against toy.Shift" in again[1]


def test_violations_that_were_recorded_are_not_red_on_the_pages(toy_bench: Toy) -> None:
    toy_bench.model(0.7)
    assert toy_bench.pytest("--update-baselines") == 0, toy_bench.output
    assert "Nothing is red." in pages(toy_bench) and "## Red" not in pages(toy_bench)
    # An update that was refused has recorded nothing.
    assert toy_bench.pytest("--update-baselines", "--trajectories", "1") == 1
    assert "## Red: 2 tests" in pages(toy_bench)


def test_a_selection_that_is_not_typed_is_recorded_by_force(recorded: Toy) -> None:
    recorded.model(0.1)
    options = {"PYTEST_ADDOPTS": "--against toy.Shift -k wave0"}
    assert recorded.pytest(**options) == 0, recorded.output
    (line,) = (x.strip() for x in recorded.output.splitlines() if "--update-baselines" in x)
    assert line.endswith("--update-baselines --force-update")


def test_results_of_an_older_harness_load(recorded: Toy) -> None:
    recorded.pytest()
    path = recorded.folder / "reports" / "latest" / "results.json"
    old = json.loads(path.read_text())
    for name in ("against", "recorded", "partial"):
        del old["provenance"][name]
    path.write_text(json.dumps(old))
    assert recorded.run.provenance.against is None and not recorded.run.provenance.recorded


def test_the_printed_line_records_what_was_repaired(recorded: Toy) -> None:
    recorded.model(0.1)
    recorded.pytest("--against", "toy.Shift")
    line = next(x.strip() for x in recorded.output.splitlines() if x.endswith(" --update-baselines"))
    added = shlex.split(line)[2 + len(toy.arguments(recorded.folder)) :]
    assert added == ["--against", "toy.Shift", "--update-baselines"]
    assert recorded.pytest(*added) == 0, recorded.output
    assert "baselines updated" in recorded.output
    assert recorded.pytest("--against", "toy.Shift") == 0
    assert recorded.result("wave1:mean").outcome == "passed"


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_printed_line_runs_the_test_again(toy_bench: Toy, workers: str) -> None:
    toy_bench.model(0.7)
    assert toy_bench.pytest("--no-baselines", "-n", workers) == 1
    line = re.search(r"^again: (.*wave1-w0:mean.*)$", toy_bench.output, re.MULTILINE)
    assert line is not None
    command = [sys.executable, "-m", *shlex.split(line[1]), "--reports", "once-more"]
    environment = {**os.environ, "HARNESS_CACHE": "cache", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=toy_bench.folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1, done.stdout + done.stderr
    (again,) = Run.load(toy_bench.folder / "once-more" / "latest").tests
    assert again.verdict == toy_bench.result("wave1:mean").verdict


def test_a_partial_gate_records_only_what_it_judged(recorded: Toy) -> None:
    before = entries(recorded)
    recorded.model(0.1)
    recorded.pytest("--against", "toy.Shift", "--trajectories", "1")
    (line,) = (x for x in recorded.output.splitlines() if "--update-baselines" in x)
    assert line.endswith("--trajectories 1 --update-baselines --force-update")
    recorded.pytest("--against", "toy.Shift", *line.split()[-4:])
    changed = {name for name, entry in entries(recorded).items() if entry != before[name]}
    assert changed == {"test_offset[wave0-w0:mean]", "test_offset[wave0-w0:maximum]"}


def test_another_checkpoint_is_recorded_into_the_baseline_it_is_judged_by(recorded: Toy) -> None:
    assert recorded.pytest("--against", "nightly", "--update-baselines") == 0, recorded.output
    assert (recorded.folder / "baselines" / "nightly" / "toy" / "test_toy.json").is_file()
    assert recorded.pytest("--against", "nightly") == 0


def test_an_unknown_baseline_and_an_update_of_two_models_are_refused(recorded: Toy) -> None:
    assert recorded.pytest("--against", "toy.Shit") == 4
    assert "unknown baseline 'toy.Shit'; did you mean toy.Shift?" in recorded.output
    assert recorded.pytest("--model", "oracle", "--against", "toy.Shift", "--update-baselines") == 4
    assert "records one model, not toy.Shift, oracle" in recorded.output


def test_against_is_red_when_broken_worse(recorded: Toy) -> None:
    recorded.model(0.9)
    assert recorded.pytest("--against", "toy.Shift") == 1


def test_passed_and_now_violated_is_red(toy_bench: Toy) -> None:
    toy_bench.model(0.2)
    assert toy_bench.pytest("--update-baselines") == 0
    assert toy_bench.pytest() == 0
    toy_bench.model(0.8)
    assert toy_bench.pytest() == 1
    assert toy_bench.result("wave0:mean").outcome == "violated"


def test_passed_and_kept_but_worse_is_a_regression(toy_bench: Toy) -> None:
    toy_bench.model(0.2)
    assert toy_bench.pytest("--update-baselines") == 0
    toy_bench.model(0.4)
    assert toy_bench.pytest() == 1
    assert toy_bench.result("wave0:mean").outcome == "regression"


def test_no_entry_gives_the_plain_verdict(toy_bench: Toy) -> None:
    toy_bench.model(0.8)
    assert toy_bench.pytest() == 1
    assert toy_bench.result("wave0:mean").outcome == "violated"
    toy_bench.model(0.0)
    assert toy_bench.pytest() == 0
    assert toy_bench.result("wave0:mean").outcome == "passed"


def test_one_entry_removed_turns_exactly_that_test_red(recorded: Toy) -> None:
    path = recorded.folder / "baselines" / BASELINE
    content = json.loads(path.read_text())
    del content["test_offset[wave1-w0:mean]"]
    path.write_text(json.dumps(content))
    assert recorded.pytest() == 1
    (red,) = reds(recorded)
    assert "wave1-w0:mean" in red


def test_one_figure_improved_by_a_fifth_is_exactly_that_regression(recorded: Toy) -> None:
    figure = float(entries(recorded)["test_offset[wave2-w0:maximum]"]["figure"])
    edit(recorded, "test_offset[wave2-w0:maximum]", figure=0.8 * figure)
    assert recorded.pytest() == 1
    (red,) = reds(recorded)
    assert "wave2-w0:maximum" in red
    assert recorded.result("wave2:maximum").outcome == "regression"


def test_unrecorded_is_new_knowledge_and_not_red(recorded: Toy) -> None:
    name = "test_offset[wave0-w0:mean]"
    path = recorded.folder / "baselines" / BASELINE
    content = json.loads(path.read_text())
    content[name] = {"verdict": "unrecorded", "source": "somebody's paper"}
    path.write_text(json.dumps(content))
    assert recorded.pytest() == 0, recorded.output
    assert recorded.result("wave0:mean").outcome == "unrecorded"


def test_no_baselines_shows_the_same_figures_naked(recorded: Toy) -> None:
    recorded.pytest()
    with_baselines = {r.nodeid: r.verdict for r in recorded.run.tests}
    assert recorded.pytest("--no-baselines") == 1
    assert {r.nodeid: r.verdict for r in recorded.run.tests} == with_baselines
    assert recorded.result("wave0:mean").outcome == "violated"


def test_unlike_conditions_give_plain_verdicts_and_one_line(recorded: Toy) -> None:
    assert recorded.pytest("--steps", "4") == 1
    assert recorded.result("wave0:mean").outcome == "violated"
    assert recorded.output.count("does not apply (steps: recorded protocol, now 4)") == 1


def test_error_in_an_expected_failure_is_red(recorded: Toy) -> None:
    recorded.model(0.7, body="raise MemoryError('no room')")
    assert recorded.pytest() == 1
    result = recorded.result("wave0:mean")
    assert result.outcome == "error"
    assert "no room" in result.message


def test_divergence_is_a_violation_at_its_first_step(toy_bench: Toy) -> None:
    toy_bench.model(0.0, body="frame[5] *= float('nan') if number == 4 else 1.0")
    assert toy_bench.pytest() == 1
    verdict = toy_bench.result("wave0:mean").verdict
    assert verdict is not None
    assert (verdict.figure, verdict.diverged_at, verdict.step) == (float("inf"), 4, 4)
    assert "diverged at step 4" in toy_bench.output
    (entry,) = {(r.diverged_at, r.diverged_in) for r in toy_bench.run.records}
    assert entry == (4, "v_y")


def test_not_applicable_and_recorded_are_neither_passed_nor_red(toy_bench: Toy) -> None:
    assert toy_bench.pytest() == 0
    assert toy_bench.result("wave0", "pressure").outcome == "not-applicable"
    assert "the data has no pressure" in toy_bench.result("wave0", "pressure").message
    (population,) = [r for r in toy_bench.run.tests if r.property == "offsets"]
    assert population.outcome == "recorded"
    assert set(population.values) == {"wave0", "wave1", "wave2"}


def test_run_folder_holds_everything(toy_bench: Toy) -> None:
    toy_bench.pytest()
    folder = toy_bench.folder / "reports" / "latest"
    assert folder.is_symlink()
    for name in ("results.json", "junit.xml", "report.html", "summary.md"):
        assert (folder / name).stat().st_size > 0, name
    run = toy_bench.run
    assert {(folder / r.file).is_file() for r in run.records} == {True}
    assert len(run.records) == 3
    assert run.provenance.command[:2] == ("pytest", "suites")
    truth = run.provenance.truth["toy"]
    assert truth.startswith("3 simulations of toy; 8 x 8 x 8 cells, periodic; dt = ")
    assert truth.endswith("; Ma = 0.7")
    assert truth in (folder / "report.html").read_text(encoding="utf-8")


def test_a_name_that_selects_nothing_leaves_no_run(toy_bench: Toy) -> None:
    toy_bench.pytest()
    latest = (toy_bench.folder / "reports" / "latest").resolve()
    assert toy_bench.pytest("-k", "nothing_of_that_name") == pytest.ExitCode.NO_TESTS_COLLECTED
    assert toy_bench.pytest(suites="suites/test_absent.py") == pytest.ExitCode.USAGE_ERROR
    assert (toy_bench.folder / "reports" / "latest").resolve() == latest
    assert [path for path in (toy_bench.folder / "reports").iterdir() if path.is_dir()
            and not path.is_symlink()] == [latest]  # fmt: skip


def test_a_window_of_two_protocols_is_filed_under_both(toy_bench: Toy) -> None:
    # The same frames, as window 1 of the other protocol.
    other = toy.PROTOCOL.replace("starts = [0]", "starts = [1, 0]")
    (toy_bench.folder / "other.toml").write_text(other)
    toy_bench.pytest("--protocol", "other.toml")
    entries = [r for r in toy_bench.run.records if r.simulation == "wave0"]
    filed = {(r.protocol, r.window): r.key for r in entries}
    assert set(filed) == {("toy", 0), ("other", 0), ("other", 1)} and len(entries) == 3
    assert filed["toy", 0] == filed["other", 1] != filed["other", 0]
    assert len(list((toy_bench.folder / "reports" / "latest" / "records").iterdir())) == 6


def test_a_changed_model_never_meets_its_old_record(toy_bench: Toy) -> None:
    toy_bench.model(0.1)
    toy_bench.pytest()
    before = {r.key for r in toy_bench.run.records}
    toy_bench.pytest()
    assert {r.key for r in toy_bench.run.records} == before
    assert all(r.from_store for r in toy_bench.run.records)
    toy_bench.model(0.2)
    toy_bench.pytest()
    assert not before & {r.key for r in toy_bench.run.records}


def test_junit_is_xunit1_with_the_figure_in_the_first_line(recorded: Toy) -> None:
    import xml.etree.ElementTree as ElementTree

    recorded.model(0.9)
    recorded.pytest()
    tree = ElementTree.parse(recorded.folder / "reports" / "latest" / "junit.xml")
    failures = [f.attrib["message"].splitlines()[0] for f in tree.iter("failure")]
    assert len(failures) == 6
    assert all("offset = 0.9" in message for message in failures)
    properties = {p.attrib["name"] for p in tree.iter("property")}
    assert {"figure", "limit", "outcome"} <= properties


def test_hostile_names_are_refused_or_inert(toy_bench: Toy) -> None:
    evil = toy_bench.folder / "data/datasets/toy/data/test/<img src=x onerror=alert(1)>.hdf5"
    (toy_bench.folder / "data/datasets/toy/data/test/wave0.hdf5").rename(evil)
    assert toy_bench.pytest() == 0, toy_bench.output
    page = (toy_bench.folder / "reports" / "latest" / "report.html").read_text()
    assert "<img src=x" not in page
    assert not list(Path(toy_bench.folder / "reports").rglob("*<*"))
