"""A rerun of the study, as its user sees it: frames with the recorded figures, judged by the suites."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.paths import ROOT
from harness.published import arrays, build
from harness.results import Run
from tests import recorded_rollouts as frames


class Bench:
    """The suites that hold published entries, on the frames of one recorded run."""

    def __init__(self, pytester: pytest.Pytester, model: str, protocol: str) -> None:
        self._pytester, self._protocol = pytester, protocol
        self.folder = pytester.path
        recorded = arrays.runs()[model, protocol]
        frames.truth(self.folder, recorded)
        frames.predicted(self.folder / model, recorded)
        (self.folder / "conftest.py").write_text('pytest_plugins = ["harness.plugin"]\n')
        (self.folder / "pytest.ini").write_text("[pytest]\njunit_family = xunit1\n")
        for suite in set(build.SUITES.values()):
            shutil.copy(ROOT / f"suites/{suite}.py", self.folder)
        self._model = model

    def judge(self, *arguments: str) -> int:
        """Run the suites; returns the exit code, keeps the output."""
        result = self._pytester.runpytest_inprocess(
            "--model", f"saved:{self._model}", "--protocol", self._protocol, "--data", str(self.folder),
            "--reports", str(self.folder / "reports"), "--device", "cpu", "-p", "no:cacheprovider",
            "-p", "no:hypothesispytest", *arguments,
        )  # fmt: skip
        self.output = "\n".join(result.outlines + result.errlines)
        return int(result.ret)

    def outcomes(self, prop: str, criterion: str = "") -> Counter[str]:
        """How often each outcome occurs among the windows of a property."""
        tests = Run.load(self.folder / "reports/latest").tests
        return Counter(
            t.outcome for t in tests if (t.property, t.criterion) == (prop, criterion) and t.simulation
        )


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.parametrize(
    ("model", "protocol"),
    [("walrus-pt", "mhd64-early"), ("walrus-pt", "mhd64-paper"), ("fno-ft", "mhd64-early")],
)
def test_a_rerun_with_the_recorded_figures_is_green_and_meets_every_one(
    pytester: pytest.Pytester, model: str, protocol: str
) -> None:
    """As the model's own baseline, which holds facts to their spread in both directions."""
    bench = Bench(pytester, model, protocol)
    own = bench.folder / "baselines"
    shutil.copytree(ROOT / "baselines" / model, own / f"saved.{model}")
    assert bench.judge("--baselines", str(own)) == 0, bench.output
    entries = build.entries(arrays.runs()[model, protocol])
    for test, suite in build.SUITES.items():
        criterion = "stencil" if test == "test_div_b_ratio" else ""
        found = bench.outcomes(test.removeprefix("test_"), criterion)
        broken = [
            e for n, e in entries[suite].items() if n.startswith(test) and e.verdict == "violated"
        ]
        assert found["expected"] == len(broken), (test, found)
        assert set(found) <= {"expected", "unrecorded", "passed"}
    assert set(bench.outcomes("div_b_ratio", "spectral")) == {"unrecorded"}  # the study has none
    assert "walrus-pt" not in model or bench.outcomes("step1_vrmse") == {"passed": sum(found.values())}


def test_a_rerun_that_differs_is_red_and_says_in_what(pytester: pytest.Pytester) -> None:
    bench = Bench(pytester, "walrus-pt", "mhd64-early")
    own = bench.folder / "baselines"
    shutil.copytree(ROOT / "baselines/walrus-pt", own / "saved.walrus-pt")
    # Ten steps earlier in the basin, and a first step twice as bad.
    frames.scale(bench.folder / "walrus-pt", "Ma0.7_Ms0.5-w0", "B_y", 4.0, since=12)
    frames.scale(bench.folder / "walrus-pt", "Ma0.7_Ms7-w1", "v_x", 1.8, since=1)
    two = ("--trajectories", "Ma0.7_Ms0.5,Ma0.7_Ms7")
    assert bench.judge("--baselines", str(own), *two) == 1
    assert "onset_B_y = 12, published 22 +- 2" in bench.output
    assert "vrmse_seed = " in bench.output and "published 0.126 +- 0.0063" in bench.output
    assert bench.outcomes("step1_vrmse") == {"passed": 3, "regression": 1}
    # Under --against, what comes later than published is no fault.
    frames.scale(bench.folder / "walrus-pt", "Ma0.7_Ms0.5-w0", "B_y", 0.02, since=12)
    assert bench.judge("--against", "walrus-pt", "-k", "bounded_rollout", *two) == 0, bench.output


def test_a_run_is_compared_with_what_was_published(pytester: pytest.Pytester) -> None:
    bench = Bench(pytester, "walrus-pt", "mhd64-early")
    frames.scale(bench.folder / "walrus-pt", "Ma0.7_Ms0.5-w0", "v_x", 1.8, since=1)
    bench.judge("--no-baselines", "--trajectories", "2")
    run = str(bench.folder / "reports/latest")

    def compare(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["compare", *arguments])
        return done.exit_code, " ".join(done.output.replace("│", " ").split())

    code, said = compare("published:walrus-pt", run)
    assert code == 1
    assert "1 worse, 19 same of 20 common cases, in 4 windows of 2 simulations" in said
    assert "worse step1_vrmse Ma0.7_Ms0.5-w0: by the published facts (vrmse_seed 0.0875" in said
    code, said = compare("published:fno-scratch", run)
    assert code == 1 and "step1_vrmse vrmse_seed 4 better" in said
    assert "with the range of 2 simulations" in said  # of each published value's difference
    code, said = compare(run, "published:fno-scratch", "--fail-on", "none")
    assert code == 0 and "step1_vrmse vrmse_seed 4 worse" in said
    code, said = compare("fno-mini", "published:walrus-pt")
    assert code == 2
    assert "fno-mini has simulated, walrus-pt has mhd64-early, mhd64-paper" in said
    assert "judge both under one of them" in said
