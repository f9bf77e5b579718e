"""Population figures agree with the cases that they summarise."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from harness.paths import ROOT
from harness.record import Record
from harness.results import TestResult
from harness.statistics import Ensemble
from harness.statistics.survival import first_violation
from tests.conftest import Toy
from tests.suites import suite
from tests.toy import waves
from tests.well_files import write_well_file


def of(toy: Toy, prop: str, criterion: str = "") -> list[TestResult]:
    return [t for t in toy.run.tests if (t.property, t.criterion) == (prop, criterion)]


def test_population_figures_are_those_of_the_cases(toy_bench: Toy) -> None:
    suites = ROOT / "suites"
    toy_bench.model(0.0, body="frame[2] *= 1.3 ** number")
    toy_bench.pytest(
        str(suites / "test_errors.py"), str(suites / "test_growth.py"), "--no-baselines",
        suites=str(suites / "test_population.py"),
    )  # fmt: skip
    (survival,) = of(toy_bench, "survival")
    ends: dict[str, list[str]] = {}
    for case in of(toy_bench, "bounded_rollout"):
        verdict = case.verdict
        assert verdict is not None
        step = first_violation(verdict.steps, verdict.curve, verdict.limit_curve)
        ends.setdefault(str(case.simulation), []).append("lasts" if step is None else str(step))
    assert {name: survival.values[name] for name in ends} == {n: ", ".join(s) for n, s in ends.items()}
    every = [step for steps in ends.values() for step in steps]
    assert survival.values["surviving"] == every.count("lasts") / len(every) < 1
    assert survival.values["windows"] == len(every)

    for convention in ("seed", "well", "joint"):
        (typical,) = of(toy_bench, "population", f"step1_vrmse_{convention}")
        windows: dict[str, list[float]] = {}
        for case in of(toy_bench, "step1_vrmse"):
            value = case.values[f"vrmse_{convention}"]
            windows.setdefault(str(case.simulation), []).append(float(value or 0))
        means = [np.mean(values) for values in windows.values()]
        assert typical.values["median"] == np.median(means)
        assert typical.values["coverage"] == 1 - 2.0 ** (1 - len(means))
        assert typical.outcome == "recorded"


@pytest.mark.parametrize(
    ("simulations", "later", "outcome"),
    [(8, 1.5, "violated"), (8, 1.0, "passed"), (7, 1.5, "recorded")],
)
def test_window_dependence_is_seen_from_8_simulations_on(
    toy_bench: Toy, simulations: int, later: float, outcome: str
) -> None:
    """A model that drives a shear in every window, and harder in later ones if it depends on them."""
    folder = toy_bench.folder
    for seed in range(3, simulations):
        path = folder / f"data/datasets/toy/data/test/wave{seed}.hdf5"
        write_well_file(path, waves(seed), dataset_name="toy", parameters={"Ma": 0.7})
    protocol = (folder / "toy.toml").read_text().replace("starts = [0]", "starts = [0, 1]")
    (folder / "toy.toml").write_text(protocol)
    toy_bench.model(0.0, body=f"frame[5] *= (1.5 * (1.0 if window.start == 0 else {later})) ** number")
    toy_bench.pytest("--no-baselines", suites=str(ROOT / "suites" / "test_windows.py"))
    for criterion in ("step1_vrmse", "lambda"):
        (found,) = of(toy_bench, "window_dependence", criterion)
        assert found.outcome == outcome, found.values
    (basins,) = of(toy_bench, "window_dependence", "basin")
    assert basins.outcome == "recorded"


def variances(truth: list[list[float]], pred: list[list[float]]) -> Record:
    """A record of the variances of v_x and v_y, step by step."""
    channels = {"channel": ["v_x", "v_y"], "field": ("channel", ["velocity"] * 2)}
    data = xr.Dataset(
        {"variance": (("side", "step", "channel"), np.array([truth, pred]))},
        coords={"step": np.arange(len(truth)), **channels},
    )
    return Record("", data)


@pytest.mark.parametrize(("simulations", "expected"), [(1, "lasts"), (2, "1")])
def test_survival_means_what_bounded_rollout_judges(simulations: int, expected: str) -> None:
    """With one simulation that is the whole velocity, not its components."""
    loaded = suite("test_population")
    kin = Ensemble((variances([[1, 1], [1.1, 1.1]], [[1, 1], [1, 1]]),) * simulations)
    record = variances([[1, 1], [1, 1]], [[1, 1], [1.3, 0.7]])
    window = SimpleNamespace(steps=1, simulation=SimpleNamespace(name="s0"))
    note: dict[str, object] = {}
    loaded.test_survival(
        [(SimpleNamespace(window=window), record)], SimpleNamespace(ensemble=lambda case: kin), note
    )
    assert note["s0"] == expected
