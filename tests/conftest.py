"""Fixtures of the harness's own tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import typer.rich_utils  # noqa: F401  before pytester sets PY_COLORS=0, which it takes for a wish for colours
from _pytest import pytester

import harness.report
from harness.engine import Engine
from harness.paths import ROOT
from harness.record import Store
from harness.results import Run, TestResult
from harness.surrogates import registry
from harness.surrogates.base import Surrogate
from tests import chromium, toy, waves
from tests.report_example import build_example

torch.set_num_threads(1)


class Snapshot(pytester.SysModulesSnapshot):
    """What pytester restores after a run inside this process: all modules but installed ones.

    Torch imports many parts of itself, and of sympy, lazily; it registers them once, and cannot import
    them twice.
    """

    def __init__(self, preserve: Callable[[str], bool] | None = None) -> None:
        super().__init__(lambda name: _installed(name) or (preserve is not None and preserve(name)))


def _installed(name: str) -> bool:
    origin = getattr(getattr(sys.modules.get(name), "__spec__", None), "origin", None)
    return name.split(".")[0] == "torch" or "site-packages" in str(origin)


pytester.SysModulesSnapshot = Snapshot  # type: ignore[misc]


class Toy:
    """A miniature benchmark in a folder of its own.

    Runs share this process, which saves importing torch each time; those under xdist, which need
    workers, have a process of their own.
    """

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self._pytester, self._monkeypatch = pytester, monkeypatch
        self.folder = toy.build(pytester.path)
        self.output = ""

    def model(self, offset: float, body: str = "pass") -> None:
        """Change the model under test."""
        toy.write_surrogate(self.folder, offset, body)

    def pytest(self, *arguments: str, suites: str = "suites", **environment: str) -> int:
        """Run the suite; returns the exit code, keeps the output."""
        variables = {
            "HARNESS_CACHE": str(self.folder / "cache"), "PYTHONPATH": str(ROOT), "COLUMNS": "200",
        }  # fmt: skip
        with self._monkeypatch.context() as patch:
            for name, value in (variables | environment).items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            run = self._pytester.runpytest_inprocess
            if "-n" in arguments:
                run = self._pytester.runpytest_subprocess
            result = run(suites, *toy.arguments(self.folder), *arguments)
        self.output = "\n".join(result.outlines + result.errlines)
        return int(result.ret)

    @property
    def run(self) -> Run:
        """The newest run's results."""
        return Run.load(self.folder / "reports" / "latest")

    def result(self, case: str, prop: str = "offset") -> TestResult:
        """One result, by simulation and criterion: "wave0:mean"."""
        simulation, _, criterion = case.partition(":")
        (found,) = [
            r
            for r in self.run.tests
            if (r.simulation, r.criterion, r.property) == (simulation, criterion, prop)
        ]
        return found


@pytest.fixture
def toy_bench(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A fresh miniature benchmark."""
    return Toy(pytester, monkeypatch)


@pytest.fixture
def engine_of(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> waves.EngineOf:
    """Engines without a benchmark around them."""

    def make(surrogate: Surrogate) -> Engine:
        monkeypatch.setattr(registry, "load", lambda spec, simulations: surrogate)
        engine = Engine(Store(tmp_path_factory.mktemp("store")), torch.device("cpu"), ())
        engine.surrogate(waves.SPEC)  # held from now on, whatever the next engine is given
        return engine

    return make


@pytest.fixture
def recorded(toy_bench: Toy) -> Toy:
    """A benchmark whose model breaks the criterion by 0.7 > 0.5, and has a baseline that says so."""
    toy_bench.model(0.7)
    assert toy_bench.pytest("--update-baselines") == 0, toy_bench.output
    return toy_bench


@pytest.fixture(scope="session")
def run_cli() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The `harness` command in a process of its own."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from harness.cli import app; app()", *arguments],
            cwd=ROOT, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A run made up of everything a report can show, and its folder with the pages."""
    return _reported(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """The same under names that would be markup, were they not escaped."""
    return _reported(tmp_path_factory.mktemp("hostile"), hostile=True, simulations=2)


def _reported(folder: Path, **options: int) -> tuple[Run, Path]:
    run = build_example(folder, **options)
    harness.report.build(folder)
    return run, folder


@pytest.fixture(scope="module")
def tab() -> Iterator[chromium.Tab]:
    """A tab of a real browser; skips without one, and fails where CI should have it."""
    executable = chromium.find()
    if executable is None:
        advice = f"no Chromium on PATH; install one: {chromium.INSTALL}"
        if os.environ.get("CI"):
            pytest.fail(advice)
        pytest.skip(advice)
    with chromium.browser(executable) as opened:
        yield opened
