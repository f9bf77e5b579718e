"""The published figures: what the recorded series say, and the baselines made of them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from harness import results
from harness.baselines import Baseline
from harness.cli import app
from harness.engine import Engine
from harness.jobs import Job, truth_job
from harness.paths import ROOT
from harness.published import STUDIED, arrays, build, facts, tables, words
from harness.published.arrays import Run
from harness.record import Store
from harness.statistics import Ensemble
from harness.statistics.aggregates import aggregate
from harness.surrogates.spec import ModelSpec
from harness.truth import protocols
from harness.truth.well import scan
from harness.truth.window import Window
from tests import suites, toy
from tests.mhd64_files import build as build_mhd64

RUNS = arrays.runs()
EARLY, PAPER = RUNS["walrus-pt", "mhd64-early"], RUNS["walrus-pt", "mhd64-paper"]


# ---- the recorded series -------------------------------------------------------------------------


def test_every_studied_model_is_there_with_its_protocols_windows() -> None:
    assert {model for model, _ in RUNS} == set(STUDIED)
    for (_, name), run in RUNS.items():
        protocol = protocols.load(name)
        assert run.steps == protocol.steps
        first = {start + protocol.n_history for start in protocol.starts}
        assert set(run.first_frame.tolist()) == first
        assert run.trajectories == 5 * len(first)
        assert np.isfinite(run.variance).all() and np.isfinite(run.vrmse[:, 1:]).all()


#: (run, reduction, value): numbers that the study or a reader of its arrays printed
HEADLINES: list[tuple[Run, Callable[[Run], float], float]] = [
    (EARLY, lambda r: np.median(r.vrmse[:, 1]), 0.10446502),
    (PAPER, lambda r: np.median(r.vrmse[:, 1]), 0.10190576),
    (EARLY, lambda r: np.median(r.vrmse[:, 50]), 316.05785),
    (EARLY, lambda r: r.vrmse[:, 50].mean(), 10148.173),
    (EARLY, lambda r: r.vrmse[:, 50].max(), 68948.664),
    (PAPER, lambda r: np.median(r.vrmse[:, 50]), 297.54117),
    (EARLY, lambda r: np.median(np.sqrt(2 * r.energy_b[:, 50])), 690.00188),
    (EARLY, lambda r: r.div_b[:, 50].mean(), 0.82364039),
    (EARLY, lambda r: r.truth_div_b.mean(), 0.032969455),
    (EARLY, lambda r: (r.energy_b / r.energy_k)[:, 50].mean(), 3.5650312e9),
    (RUNS["fno-scratch", "mhd64-early"], lambda r: np.median(r.vrmse[:, 1]), 0.5483509),
    (RUNS["fno-ft", "mhd64-early"], lambda r: np.median(r.vrmse[:, 50]), 12.104867),
    (RUNS["fno-pretrained", "mhd64-early"], lambda r: r.vrmse[:, 50].max(), 4.4108214),
]


@pytest.mark.parametrize("number", range(len(HEADLINES)))
def test_headline_numbers(number: int) -> None:
    run, reduce, value = HEADLINES[number]
    assert reduce(run) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("median-of-time-means", 267.76439),
        ("pooled-median", 18.245605),
        ("median-of-medians", 46.522833),
        ("geometric-mean", 54.37838),
    ],
)
def test_one_array_gives_four_numbers(name: str, value: float) -> None:
    assert float(aggregate(tables.over(PAPER, 21, 60), name)) == pytest.approx(value, rel=1e-7)


def test_basins_onsets_and_rates_of_the_early_windows() -> None:
    found = facts.of_run(EARLY)
    assert [f.basin for f in found] == ["y", "z", "z", "both", "both", "z", "z", "y", "y", "y"]
    assert [f.onset["B_y"] for f in found[:4]] == [22, math.inf, math.inf, 35]
    assert [f.onset["B_z"] for f in found[:5]] == [math.inf, 34, 21, 23, 21]
    assert [f.survival for f in found] == [22, 34, 21, 23, 21, 31, 30, 15, 25, 20]
    assert found[0].case == "Ma0.7_Ms0.5-w0" and found[9].case == "Ma0.7_Ms7-w1"
    rates = [f.rate.rate for f in found]
    assert min(rates) == pytest.approx(0.183, abs=1e-3)
    assert max(rates) == pytest.approx(0.412, abs=1e-3)


def test_the_spread_of_the_draws() -> None:
    spread = facts.spread()
    assert spread.basins == ("y",)
    assert spread.onset == 1
    assert spread.rate == pytest.approx(0.0142, abs=2e-4)
    assert spread.step1 == pytest.approx(0.005, abs=2e-4)
    assert spread.decades == pytest.approx(0.40, abs=0.01)  # 0.36 with ddof 0


def test_margins_are_beyond_any_width_of_the_recorded_truth() -> None:
    for simulation in range(5):
        frames = np.concatenate(
            [run.variance[run.simulation == simulation][:, 0] for run in (EARLY, PAPER)]
        )
        divergence = np.log(EARLY.truth_div_b[EARLY.simulation == simulation])
        anisotropy = np.log(frames[:, 2] / frames[:, 3])
        for margin, values in (
            (build.LN_VARIANCE, np.log(frames)),
            (build.ANISOTROPY, anisotropy),
            (build.LN_STENCIL, divergence.ravel()),
        ):
            assert (5 * np.ptp(values, axis=0) < margin).all()


# ---- baselines -----------------------------------------------------------------------------------


def test_the_committed_baselines_are_those_of_the_series(tmp_path: Path) -> None:
    for folder in build.write(tmp_path):
        committed = ROOT / "baselines" / folder.relative_to(tmp_path)
        files = {path.name for path in folder.glob("*.json")}
        assert files == {path.name for path in committed.glob("*.json")}
        for name in files:
            assert (folder / name).read_text() == (committed / name).read_text(), committed / name


#: Facts that a rerun may have to meet; onsets too.
ASSERTED = {"vrmse_seed", "lambda", "survival_x10", "basin", "over_truth_50"}


@pytest.mark.parametrize(("model", "protocol"), RUNS)
def test_each_rollout_has_its_facts_and_amplitudes_are_never_asserted(
    model: str, protocol: str
) -> None:
    baseline = Baseline(ROOT / "baselines", model, protocol)
    assert baseline.published is not None and "7c32011" in baseline.published.citation
    run = RUNS[model, protocol]
    for suite in build.SUITES.values():
        entries = baseline.expectations(suite)
        assert len(entries) == run.trajectories
        for entry in entries.values():
            assert entry.verdict != "passed" and entry.figure is None
            for name, fact in entry.facts.items():
                assert name in ASSERTED or name.startswith("onset_") or fact.tolerance is None, name
    walrus = model == "walrus-pt"
    growth = baseline.expectations("test_growth").values()
    assert all(entry.facts["lambda"].tolerance == 0.0426401 for entry in growth)
    assert all(entry.verdict == "violated" for entry in growth if walrus)


def test_the_suites_note_every_published_fact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    toy.build(tmp_path)
    simulations = scan(tmp_path / "data", "toy", "test").simulations
    engine = Engine(Store(tmp_path / "records"), torch.device("cpu"), simulations)
    record = engine.record(Job("rollout", Window(simulations[0], 0, 0, 3, 6), ModelSpec("oracle")))
    ensemble = Ensemble(tuple(engine.record(truth_job(s)) for s in simulations))
    for test, name in build.SUITES.items():
        known = {
            fact
            for key in RUNS
            for case, entry in build.entries(RUNS[key])[name].items()
            if case.startswith(test)
            for fact in entry.facts
        }
        note: dict[str, Any] = {}
        offered = {
            "record": record, "ensemble": ensemble, "note": note, "criterion": "stencil",
            "judge": lambda *_, **__: None,
        }  # fmt: skip
        function = getattr(suites.suite(name), test)
        wanted = function.__code__.co_varnames[: function.__code__.co_argcount]
        function(**{argument: offered[argument] for argument in wanted})
        assert known <= set(note), test


# ---- printed -------------------------------------------------------------------------------------


def test_words_and_arrays() -> None:
    said = {d.article: d.arrays for d in words.of_walrus()}
    text = " ".join(said.values())
    assert "13 of 15" in text and "5 simulations" in text and "saturates" in text
    assert "holds 93% of its variance" in text
    assert "median-of-time-means 267.8, pooled-median 18.25" in text
    (fno,) = words.of_fno()
    assert "fno-ft does not" in fno.arrays


@pytest.mark.parametrize("model", STUDIED)
def test_the_command_prints_the_tables(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = CliRunner().invoke(app, ["published", model])
    assert done.exit_code == 0, done.output
    tables_end = done.output.index("Where the article's words")
    wide = [line for line in done.output[:tables_end].splitlines() if len(line.rstrip()) > 80]
    # Only what grows may wrap: a list of channels, in the last column.
    assert all("rho " in line or "v_x " in line for line in wide), wide
    assert "7c32011" in done.output and "Ma0.7_Ms0.5-w0" in done.output
    if model == "walrus-pt":
        for number in ("267.8", "18.25", "46.52", "54.38"):
            assert number in done.output


def test_an_unknown_model_is_answered_with_the_nearest() -> None:
    done = CliRunner().invoke(app, ["published", "walrus"])
    assert done.exit_code == 2
    assert "did you mean walrus-pt" in " ".join(done.output.replace("│", " ").split())


def test_baselines_are_json_of_six_digits() -> None:
    text = (ROOT / "baselines/walrus-pt/mhd64-early/test_errors.json").read_text()
    entry = json.loads(text)["test_step1_vrmse[Ma0.7_Ms0.5-w0]"]
    assert entry["facts"]["vrmse_seed"]["value"] == 0.0875394


# ---- against real suites -------------------------------------------------------------------------


def test_the_real_suites_meet_the_published_entries(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The truth itself, judged against what Walrus is published to break: every entry is met."""
    folder = pytester.path
    monkeypatch.setenv("HARNESS_CACHE", str(folder / "cache"))
    build_mhd64(folder, 0.7, 0.5, frames=100, n=8)
    (folder / "conftest.py").write_text('pytest_plugins = ["harness.plugin"]\n')
    (folder / "pytest.ini").write_text("[pytest]\njunit_family = xunit1\n")
    for suite in set(build.SUITES.values()):
        (folder / f"{suite}.py").write_text((ROOT / f"suites/{suite}.py").read_text())
    result = pytester.runpytest_inprocess(
        "--model", "oracle", "--against", "walrus-pt", "--protocol", "mhd64-early", "--data",
        str(folder), "--reports", str(folder / "reports"), "--device", "cpu",
        "-p", "no:cacheprovider", "-p", "no:hypothesispytest",
    )  # fmt: skip
    found = {
        (f"test_{r.property}", r.criterion, r.window): r
        for r in results.Run.load(folder / "reports" / "latest").tests
        if r.window is not None
    }
    entries = build.entries(EARLY)
    for test, suite in build.SUITES.items():
        criterion = "stencil" if test == "test_div_b_ratio" else ""
        for window in (0, 1):
            name = f"{test}[Ma0.7_Ms0.5-w{window}{':' if criterion else ''}{criterion}]"
            met, recorded = found[test, criterion, window].baseline, entries[suite][name]
            assert met is not None and set(met.facts) == set(recorded.facts), name
            broken = recorded.verdict == "violated"
            assert found[test, criterion, window].outcome == ("repaired" if broken else "passed"), name
    other = found["test_liveness", "", 0]  # the study recorded no increments
    assert other.baseline is not None and other.baseline.verdict == "unrecorded"
    assert "7c32011" in other.baseline.source
    assert result.ret == 0, "\n".join(result.outlines)  # repaired is good news under --against
