"""The dynamic properties from the command line: several records, cost classes, pooled windows."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import cost, plan
from harness.paths import ROOT
from harness.properties import collect
from harness.results import TestResult
from harness.statistics import rate_bound
from harness.statistics.detectability import sign_test
from harness.surrogates.base import STOCHASTIC, TRAITS
from tests import toy
from tests.conftest import Toy
from tests.toy import PROTOCOL
from tests.well_files import write_well_file

#: Which component of B grows is decided by the draw, or by the sign of the input's last digits.
COIN = """\
import torch
from harness.fields import MHD
from harness.surrogates.base import TRAITS, ModuleSurrogate

class Shift(ModuleSurrogate):
    traits = TRAITS | {"stochastic"}

    def __init__(self):
        super().__init__(torch.nn.Identity(), MHD, 1)

    def begin(self, window, draw):
        y_grows = draw.seed is not None and int(draw.numpy(1).integers(2)) == 1

        def step(history, number):
            frame = history[-1].clone()
            by_draw = y_grows if draw.seed is not None else False
            channel = 2 if by_draw else 3
            mean = frame[channel].mean()
            frame[channel] = mean + 2 * (frame[channel] - mean)
            return frame

        return step
"""


#: Moves a thousandth of what the truth does, and pushes B_y only: far more wrong than asymmetric.
SLUGGISH = """\
import torch
from harness.fields import MHD
from harness.surrogates.base import ModuleSurrogate

class Shift(ModuleSurrogate):
    def __init__(self):
        super().__init__(torch.nn.Identity(), MHD, 1)

    def begin(self, window, draw):
        def step(history, number):
            frame = history[-1].clone()
            frame[2] += 1e-3 * (frame[3] - frame[3].mean())
            return frame

        return step
"""


def run(bench: Toy, suite: str, *arguments: str) -> dict[str, TestResult]:
    """Results of one real suite on the toy, by criterion and simulation."""
    bench.pytest("--no-baselines", *arguments, suites=str(ROOT / "suites" / suite))
    return {f"{r.criterion}:{r.simulation}": r for r in bench.run.tests}


def test_draws_that_decide_are_recorded_with_their_bound(toy_bench: Toy) -> None:
    (toy_bench.folder / "toy.py").write_text(COIN)
    found = run(toy_bench, "test_determinism.py", "--trajectories", "2")
    assert len(found) == 4
    drawn = found["draws:wave0"]
    assert drawn.outcome == "recorded" and drawn.verdict is None
    assert drawn.values["n"] == 5
    basins = [drawn.values[f"basin_{i}"] for i in range(1, 6)]
    flips = sum(basin != drawn.values["basin"] for basin in basins)
    assert drawn.values["flips"] == flips > 0 and set(basins) <= {"y", "z"}
    assert drawn.values["flip_rate_at_most"] == pytest.approx(rate_bound(flips, 5))
    noisy = found["input:wave0"]
    assert noisy.outcome == "passed" and noisy.verdict is not None and noisy.verdict.figure == 0
    assert noisy.values["basin_0.01"] == noisy.values["basin"]
    assert len(set(noisy.records)) == len(noisy.records) == 3
    silent = run(toy_bench, "test_determinism.py", "--trajectories", "1", "--draw", "none")
    assert silent["draws:wave0"].outcome == "not-applicable"
    assert "draws no random numbers" in silent["draws:wave0"].message


def test_growth_without_an_integrator_is_recorded_and_replays_are_not_asked(toy_bench: Toy) -> None:
    recorded = run(toy_bench, "test_growth_rate.py", "--trajectories", "1")[":wave0"]
    assert recorded.outcome == "recorded" and recorded.verdict is None
    assert float(str(recorded.values["rate"])) == -float("inf")  # a replay forgets every error at once
    assert recorded.values["forecast_basin"] == "none" == recorded.values["observed_basin"]
    equal = run(toy_bench, "test_equivariance.py", "--trajectories", "1")
    assert {r.outcome for r in equal.values()} == {"not-applicable"}
    assert "lacks the trait autonomous" in equal["rotation:wave0"].message


def test_moving_too_little_excuses_no_asymmetry(toy_bench: Toy) -> None:
    (toy_bench.folder / "toy.py").write_text(SLUGGISH)
    turned = run(toy_bench, "test_equivariance.py", "--trajectories", "1")["rotation:wave0"]
    assert float(str(turned.values["error"])) > 10  # of its own steps
    assert turned.outcome == "violated" and turned.verdict is not None
    assert turned.verdict.limit == 1
    assert turned.verdict.figure > 1


def test_windows_are_paired_over_all_protocols_once(toy_bench: Toy) -> None:
    alone = run(toy_bench, "test_windows.py")
    assert {r.outcome for r in alone.values()} == {"not-applicable"}
    assert "every simulation has one window" in alone["lambda:None"].message
    later = PROTOCOL.replace("starts = [0]", "starts = [1]")
    (toy_bench.folder / "later.toml").write_text(later)
    run(toy_bench, "test_windows.py", "--protocol", "later.toml")
    by_protocol = {(r.protocol, r.criterion): r for r in toy_bench.run.tests}
    pooled = by_protocol["toy", "step1_vrmse"]
    assert pooled.outcome == "recorded" and pooled.values["n"] == 3
    assert {"wave0", "wave1", "wave2", "median", "coverage"} <= set(pooled.values)
    assert by_protocol["toy", "basin"].values["wave0"] == "none none"
    other = by_protocol["later", "lambda"]
    assert other.outcome == "not-applicable" and "toy has the same simulations" in other.message


def test_cost_classes_select_and_the_estimate_counts_each_record_once(toy_bench: Toy) -> None:
    suites = str(ROOT / "suites")
    toy_bench.pytest("--collect-only", "-v", suites=suites)
    rows = _rows(toy_bench.output)
    # Three windows, 6 steps: one rollout each serves every cheap property.
    assert rows["mass"] == ["cheap", "3", "3", "0", "18", "0"]
    assert rows["positivity"] == rows["mass"]
    assert rows["basin_determinism"] == ["expensive", "3", "12", "0", "72", "54"]
    assert rows["equivariance"][1] == "0"  # a replay is not autonomous
    assert rows["growth_rate"] == ["expensive", "3", "6", "0", "54", "36"]
    total = int(rows["total"][3])
    assert total == 18 + 54 + 36
    toy_bench.pytest("--collect-only", "-v", "-m", "not expensive", suites=suites)
    cheap = _rows(toy_bench.output)
    assert "basin_determinism" not in cheap and int(cheap["total"][3]) == 18
    assert cheap["mass"] == rows["mass"]


def test_nothing_that_takes_several_rollouts_is_called_cheaper(toy_bench: Toy) -> None:
    """By what the estimate counts beyond the rollout of a window that every run makes, in rollouts."""
    folder, steps = toy_bench.folder, 50
    path = folder / "data/datasets/toy/data/test/wave0.hdf5"
    write_well_file(path, toy.waves(0, steps + 3), dataset_name="toy", parameters={"Ma": 0.7})
    made = plan.make(
        plan.Options(
            models=(f"{folder}/toy.py:Shift",),
            protocols=(f"{folder}/toy.toml",),
            data=folder / "data",
            steps=steps,
            trajectories=("wave0",),
        )
    )
    pairs = [
        (declared, case)
        for declared in collect(ROOT / "suites")
        for case in made.cases(declared.criteria, declared.population, declared.windows)
    ]
    *rows, _ = cost.estimate(made, pairs, lambda m: TRAITS | {STOCHASTIC}, lambda job: False)
    most = {"cheap": 0.0, "moderate": 1.5, "expensive": float("inf")}
    assert {row.cost for row in rows} == set(most)
    for row in rows:
        beyond = row.alone / steps
        assert beyond <= most[row.cost], f"{row.name} is {row.cost}, and takes {beyond:.2f} rollouts"


def _rows(output: str) -> dict[str, list[str]]:
    lines = [re.split(r"\s{2,}", line.strip()) for line in output.splitlines()]
    rows = {line[0]: line[1:] for line in lines if len(line) in (6, 7) and line[-1].isdigit()}
    return rows


def test_harness_plan_prints_the_same_table(
    toy_bench: Toy, run_cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    folder: Path = toy_bench.folder
    options = [
        "--model", f"{folder}/toy.py:Shift", "--protocol", f"{folder}/toy.toml",
        "--data", f"{folder}/data", "--trajectories", "2",
    ]  # fmt: skip
    done = run_cli("plan", *options)
    assert done.returncode == 0, done.stderr
    rows = _rows(done.stdout)
    assert rows["mass"][:3] == ["cheap", "2", "2"] and rows["mass"][4] == "12"
    assert {p.name for p in collect(ROOT / "suites")} <= set(rows)
    own = run_cli("plan", "--model", "fno-scratch", "--data", f"{folder}/data")
    assert own.returncode == 2 and "MHD_64" in own.stderr  # its own protocol, whose data is not here
    wrong = run_cli("plan", "--model", "conv-mimi", *options[2:])
    assert wrong.returncode == 2 and "conv-mini" in wrong.stderr
    assert run_cli("plan", *options, "--precision", "fp23").returncode == 2
    assert "no trajectory" in run_cli("plan", *options[:-1], "0").stderr


def test_exact_bounds() -> None:
    assert rate_bound(0, 5) == pytest.approx(0.4507, abs=1e-4)
    assert rate_bound(0, 59) < 0.05 < rate_bound(0, 58)
    assert rate_bound(5, 5) == 1 and rate_bound(1, 5) == pytest.approx(0.6574, abs=1e-4)
    assert sign_test([1.0] * 8) == pytest.approx(2 / 256)
    assert sign_test([1.0, -1.0, 0.0]) == 1 and sign_test([]) == 1
