"""The `harness` command, as a user types it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.report import build
from harness.truth import hydro, simulate
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


def test_data_go_where_every_command_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--data`, else $HARNESS_DATA, else the cache: as `pytest suites/` looks for them."""
    asked: list[Path] = []
    for module in (simulate, hydro):
        monkeypatch.setattr(module, "ensure", lambda root, **more: asked.append(root) or [])
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    for command in ("simulate", "hydro"):
        monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "big"))
        for more in ([], ["--data", str(tmp_path / "named")]):
            assert CliRunner().invoke(app, ["data", command, *more]).exit_code == 0
        monkeypatch.delenv("HARNESS_DATA")
        assert CliRunner().invoke(app, ["data", command]).exit_code == 0
    places = [tmp_path / "big", tmp_path / "named", tmp_path / "cache" / "data"]
    assert asked == places * 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--split", "foo"], "no split 'foo'; there are train, valid, test"),
        (["--grid", "30"], "a multiple of 4 and at least 16"),
        (["--workers", "0"], "workers"),
    ],
)
def test_data_that_cannot_be_simulated_are_no_traceback(
    arguments: list[str], says: str, tmp_path: Path
) -> None:
    done = CliRunner().invoke(app, ["data", "simulate", "--data", str(tmp_path), *arguments])
    assert done.exit_code == 2
    assert says in " ".join(done.output.replace("│", " ").split())
