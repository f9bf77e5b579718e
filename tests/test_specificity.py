"""The control matrix: what counts as firing, as a false alarm, and as unproven."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from subprocess import CompletedProcess
from xml.etree import ElementTree

import pytest

from harness.report.controls import picture, table
from harness.results import Outcome, Provenance, Run, TestResult, Verdict
from harness.specificity import matrix
from harness.surrogates.controls import CONTROLS

WINDOWS = (("s0", 0), ("s0", 1), ("s1", 0))


def case(model: str, prop: str, window: tuple[str, int], outcome: Outcome) -> TestResult:
    figure = 2.0 if outcome == "violated" else 0.5
    verdict = None if outcome in ("error", "not-applicable") else Verdict(
        figure=figure, limit=1.0, margin=figure, unit="D")  # fmt: skip
    return TestResult(
        nodeid=f"{prop}[{model}:{window}]", suite="test_x", property=prop, model=model,
        protocol="simulated", simulation=window[0], window=window[1], outcome=outcome, verdict=verdict,
    )  # fmt: skip


def cases(model: str, outcomes: dict[str, Outcome]) -> list[TestResult]:
    return [case(model, prop, w, outcome) for prop, outcome in outcomes.items() for w in WINDOWS]


def run_of(tests: Iterable[TestResult]) -> Run:
    provenance = Provenance(
        command=("pytest",), git_commit=None, git_dirty=None, versions={}, platform="", device="cpu",
        precision="fp32", flags={}, draws="seeded", data={}, workers=1,
    )  # fmt: skip
    return Run(
        name="run", started="2026-01-01T00:00:00Z", seconds=1.0, exit_status=1, provenance=provenance,
        models=(), protocols=("simulated",), tests=tuple(tests), records=(),
    )  # fmt: skip


def healthy() -> list[TestResult]:
    """mass-drift fires mass, flux-drift fires magnetic_flux, and the truth of others is quiet."""
    kept: dict[str, Outcome] = {"mass": "passed", "magnetic_flux": "passed"}
    return [
        *cases("control-mass-drift", kept | {"mass": "violated"}),
        *cases("control-flux-drift", kept | {"magnetic_flux": "violated"}),
        *cases("oracle", kept),
        *cases("stranger", kept),
        *cases("stranger-2", kept),
        *cases("somebody", {"mass": "violated", "liveness": "violated"}),
    ]


def test_a_run_in_which_everything_fires_alone_has_no_fault() -> None:
    found = matrix(run_of(healthy()))
    assert found.faults() == []
    assert found.criteria == ("mass", "magnetic_flux")
    assert "somebody" not in found.subjects
    assert found.alarms() == (0, 12, 0, 2)


def test_a_control_that_is_silent_on_one_window_is_named_with_it() -> None:
    tests = [
        t.model_copy(update={"outcome": "passed"})
        if (t.model, t.property, t.simulation) == ("control-mass-drift", "mass", "s1")
        else t
        for t in healthy()
    ]
    assert matrix(run_of(tests)).faults() == ["control-mass-drift does not trip mass on s1-w0"]


def test_a_control_that_trips_something_else_is_named_with_it() -> None:
    assert not any("mass" in c for c in CONTROLS["flux-drift"].implies)
    tests = [
        t.model_copy(update={"outcome": "violated"})
        if (t.model, t.property, t.window) == ("control-flux-drift", "mass", 1)
        else t
        for t in healthy()
    ]
    assert matrix(run_of(tests)).faults() == ["control-flux-drift also trips mass on s0-w1"]


def test_the_truth_of_another_simulation_may_be_wrong_at_step_one_only() -> None:
    tests = [*healthy(), *cases("stranger", {"step1_vrmse": "violated"})]
    tests += cases("control-step1-error", {"step1_vrmse": "violated"})
    assert matrix(run_of(tests)).faults() == []
    broken = [
        t.model_copy(update={"outcome": "violated"})
        if (t.model, t.property, t.window) == ("stranger-2", "mass", 1)
        else t
        for t in tests
    ]
    assert matrix(run_of(broken)).faults() == [
        "stranger: 1 false alarms in 12 verdicts, 1 in 200 allowed",
        "stranger-2 trips mass on s0-w1",
    ]


def test_a_criterion_that_no_control_trips_is_unproven() -> None:
    found = matrix(run_of([*healthy(), *cases("oracle", {"liveness": "passed"})]))
    assert found.faults() == ["no control shows that liveness can fail"]


def test_a_case_without_a_figure_is_a_fault_and_not_applicable_is_none() -> None:
    tests = healthy() + cases("oracle", {"fp64_invariance": "not-applicable"})
    assert matrix(run_of(tests)).faults() == []
    errors = [*tests, case("stranger", "mass", ("s2", 0), "error")]
    assert matrix(run_of(errors)).faults() == ["no verdict: mass[stranger:('s2', 0)]"]


def test_a_run_without_controls_is_refused_with_the_command() -> None:
    with pytest.raises(ValueError, match="pytest suites/ --no-baselines --model"):
        matrix(run_of(cases("fno-mini", {"mass": "passed"})))


def test_table_and_picture_show_every_criterion_and_subject() -> None:
    found = matrix(run_of(healthy()))
    assert "| `mass` | mass-drift |  | 0 of 6 |" in table(found)
    text = picture(found)
    ElementTree.fromstring(text)
    assert text.count('class="must" cx') == 2 + 1  # two fire, and the legend
    for name in (*found.criteria, "mass-drift", "stranger-2"):
        assert f">{name}</text>" in text


def test_only_what_the_strangers_may_trip_is_said_to_be_theirs() -> None:
    tests = [*healthy(), *cases("control-step1-error", {"step1_vrmse": "violated"})]
    tests += cases("stranger", {"step1_vrmse": "violated"})
    tests += cases("control-carried", {"equivariance[reflection]": "violated"})
    tests += cases("control-stirred", {"equivariance[reflection]": "violated"})
    assert "equivariance[reflection]" in CONTROLS["stirred"].implies
    lines = table(matrix(run_of(tests))).splitlines()
    ends = {line.split("|")[1].strip(): line.split("|")[-2].strip() for line in lines}
    assert ends["`step1_vrmse`"] == "may trip it"
    assert ends["`equivariance[reflection]`"] == "not applicable"  # another control may, no stranger


def test_the_command_says_what_is_wrong(
    run_cli: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    run_of(healthy()).save(tmp_path)
    done = run_cli("controls", str(tmp_path), "--picture", str(tmp_path / "m.svg"))
    assert done.returncode == 0, done.stderr
    assert "0 false alarms in 12 verdicts" in done.stdout
    assert (tmp_path / "m.svg").is_file()
    run_of(cases("control-mass-drift", {"mass": "passed"})).save(tmp_path)
    done = run_cli("controls", str(tmp_path))
    assert done.returncode == 1
    assert "control-mass-drift does not trip mass on s0-w0, s0-w1, s1-w0" in done.stderr
    assert run_cli("controls", str(tmp_path / "none")).returncode == 2
