"""The `harness` command, as a user types it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from harness.report import build
from tests.conftest import Toy

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_models_and_protocols_are_listed(run_cli: Run) -> None:
    models = run_cli("models")
    assert models.returncode == 0, models.stderr
    assert "fno-mini" in models.stdout and "control:blur" in models.stdout
    protocols = run_cli("protocols")
    assert "mhd64-early" in protocols.stdout and "3 frames from 0, 47" in protocols.stdout


def test_report_makes_the_pages_again(toy_bench: Toy, run_cli: Run) -> None:
    toy_bench.pytest()
    folder = toy_bench.folder / "reports" / "latest"
    before = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    done = run_cli("report", str(folder))
    assert done.returncode == 0, done.stderr
    assert (folder / "report.html").read_bytes() == before
    assert build(folder).name == "report.html"


def test_report_of_nothing_says_what_a_run_is(run_cli: Run) -> None:
    done = run_cli("report", "docs")
    assert done.returncode == 2
    assert "holds no results.json" in done.stderr.replace("\n", " ")


def test_data_simulate_is_documented(run_cli: Run) -> None:
    done = run_cli("data", "simulate", "--help")
    assert done.returncode == 0
    assert "--grid" in done.stdout and "--split" in done.stdout
