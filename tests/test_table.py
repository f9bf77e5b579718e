"""`harness table`: error figures with their convention, aggregation, steps, n and interval."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from harness.cli import app
from harness.report.error_table import TableError, error_table
from harness.results import ModelEntry, RecordEntry, Run
from tests.conftest import Toy
from tests.report_example import build_example


def table(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["table", *map(str, arguments)], env={"COLUMNS": "100"})
    return done.exit_code, done.output


def run_of(folder: Path, errors: np.ndarray, windows: int) -> Run:
    """A run whose records hold these errors, (trajectory, step), `windows` of each simulation."""
    example = build_example(folder, simulations=1, cells=8)
    entries = []
    for number, row in enumerate(errors):
        file = f"records/errors-{number}.nc"
        data = xr.Dataset({"vrmse_well": ("step", [0.0, *row])})
        data.to_netcdf(folder / file, engine="netcdf4")
        entries.append(
            RecordEntry(
                key=file,
                file=file,
                kind="rollout",
                model="m",
                protocol="p",
                simulation=f"s{number // windows}",
                window=number % windows,
                precision="fp32",
                draw=0,
            )
        )
    model = ModelEntry(name="m", fingerprint="", n_history=1)
    return example.model_copy(update={"models": (model,), "records": tuple(entries)})


def test_the_toy_run_prints_the_number_a_paper_would(toy_bench: Toy) -> None:
    """Against xarray and numpy on the run's own records."""
    toy_bench.pytest()
    run, folder = toy_bench.run, toy_bench.folder / "reports" / "latest"
    errors = []
    for entry in run.records:
        with xr.open_dataset(folder / entry.file) as record:
            errors.append(record["vrmse_joint"].sel(step=slice(2, 4)).values)
    code, output = table(
        folder, "--convention", "joint", "--aggregate", "median-of-time-means", "--steps", "2-4",
        "--json", "-",
    )  # fmt: skip
    assert code == 0, output
    (line,) = json.loads(output)["lines"]
    means = np.mean(errors, axis=1)
    assert line["figure"] == pytest.approx(np.median(means), rel=1e-9)
    assert (line["low"], line["high"]) == pytest.approx((means.min(), means.max()))
    assert (line["method"], line["simulations"], line["coverage"]) == ("range", 3, 0.75)

    code, output = table(folder)
    assert code == 0
    assert all(f" {name}" in output for name in ("geometric-mean", "pooled-median"))
    assert "range of 3 simulations, covers the median with 75 %" in output


def test_from_eight_simulations_a_bootstrap_over_simulations(tmp_path: Path) -> None:
    errors = np.random.default_rng(0).lognormal(size=(20, 6))
    run = run_of(tmp_path, errors, windows=2)
    (line,) = error_table(run, tmp_path, ["well"], ["pooled-median"], (1, 6))
    assert line.figure == pytest.approx(np.median(errors))
    assert (line.interval.method, line.interval.n, line.windows) == ("BCa", 10, 20)
    assert line.interval.low < line.figure < line.interval.high


def test_a_divergence_counts_as_infinite_and_is_named(tmp_path: Path) -> None:
    errors = np.ones((3, 5))
    errors[0, 3:] = np.nan
    run = run_of(tmp_path, errors, windows=1)
    before, after = (
        error_table(run, tmp_path, ["well"], ["median-of-time-means"], (1, last))[0] for last in (3, 5)
    )
    assert (before.diverged, before.interval.high) == (0, 1.0)
    assert (after.diverged, after.figure, after.interval.high) == (1, 1.0, np.inf)
    assert "1 rollout diverged" in after.subject


def test_only_the_runs_own_precision_and_first_draw_count(tmp_path: Path) -> None:
    run = run_of(tmp_path, np.array([[1.0], [5.0], [7.0]]), windows=1)
    first, double, drawn = run.records
    run = run.model_copy(
        update={
            "records": (
                first,
                double.model_copy(update={"precision": "fp64"}),
                drawn.model_copy(update={"draw": 1}),
            )
        }
    )
    (line,) = error_table(run, tmp_path, ["well"], ["pooled-median"])
    assert (line.figure, line.windows) == (1.0, 1)


def test_what_cannot_be_printed_is_said(tmp_path: Path) -> None:
    run = run_of(tmp_path, np.ones((2, 5)), windows=1)
    with pytest.raises(TableError, match=r"steps 3-9 are not all in .* predict steps 1-5"):
        error_table(run, tmp_path, ["well"], ["pooled-median"], (3, 9))
    with pytest.raises(TableError, match="cannot be read"):
        error_table(run, tmp_path, ["seed"], ["pooled-median"])
    outside = run.records[0].model_copy(update={"file": "../secret.nc"})
    with pytest.raises(TableError, match="outside the run folder"):
        error_table(run.model_copy(update={"records": (outside,)}), tmp_path, ["well"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--convention", "wel"], "did you mean well?"),
        (["--aggregate", "mean"], "unknown aggregation 'mean'"),
        (["--steps", "60-21"], "no range of steps"),
        (["--steps", "0-5"], "no range of steps"),
        (["--json", "/proc/none/table.json"], "cannot write"),
    ],
)
def test_usage_errors_exit_with_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    run_of(tmp_path, np.ones((2, 5)), windows=1).save(tmp_path)
    convention = [] if "--convention" in arguments else ["--convention", "well"]
    code, output = table(tmp_path, *convention, *arguments)
    assert code == 2
    assert said in " ".join(output.replace("│", " ").split())


def test_no_run_is_a_usage_error(tmp_path: Path) -> None:
    code, output = table(tmp_path)
    assert code == 2 and "no results.json" in " ".join(output.replace("│", " ").split())
    (tmp_path / "results.json").write_text('{"schema_version": 7}')
    code, output = table(tmp_path)
    assert code == 2 and "not of this version" in " ".join(output.replace("│", " ").split())
