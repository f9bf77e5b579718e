"""Every command of README.md, CONTRIBUTING.md and docs/ runs as it is written, or says here why not."""

from __future__ import annotations

import gc
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from harness.cli import app
from harness.paths import ROOT
from harness.results import Run
from harness.surrogates.spec import parse
from harness.surrogates.walrus import source
from harness.surrogates.well_classes import INSTALL
from tests import pages, prepared
from tests.pages import COMMANDS, PAGES, Command

MAKEFILE = (ROOT / "Makefile").read_text()
PROJECT = (ROOT / "pyproject.toml").read_text()


def in_ci(line: str) -> bool:
    """A target of the Makefile that CI runs from a clean clone."""
    run = (ROOT / ".ci" / "run").read_text()
    return bool(re.search(rf"^{line.split()[1]}:", MAKEFILE, re.MULTILINE)) and line in run


def installs(line: str) -> bool:
    """Constraints and extras exist, and CI installs by the same options."""
    extras = re.findall(r"\[(\w+)\]", line)
    constrained = "-c constraints.txt -e" in MAKEFILE and (ROOT / "constraints.txt").is_file()
    return constrained and all(re.search(rf"^{extra} = \[", PROJECT, re.MULTILINE) for extra in extras)


def is_the_pin(line: str) -> bool:
    """The line that the program itself prints."""
    return source.INSTALL.endswith(line)


def names_test_files(line: str) -> bool:
    """The line names test files of this checkout."""
    return all((ROOT / word).is_file() for word in line.split() if word.startswith("tests/"))


def are_labels(line: str) -> bool:
    """The compared models are those of the `pytest` line on the same page."""
    sides = {word.partition(":")[2] for word in line.split()[2:]}
    (judging,) = (c.line for c in COMMANDS if "walrus-pt,walrus-pt=" in c.line)
    return sides == {parse(name).label for name in judging.split()[3].split(",")}


#: What no test runs: how the line begins -> the reason, and what holds instead.
NOT_RUN: dict[str, tuple[str, Callable[[str], bool]]] = {
    "git clone <this repository>": (
        "a placeholder",
        lambda line: line.endswith("&& cd physics-harness"),
    ),
    "python -m venv .venv": ("an environment of its own", lambda _: "$(PYTHON) -m venv" in MAKEFILE),
    "pip install -c": ("asks a package index", installs),
    "pip install --no-deps": ("asks GitHub", is_the_pin),
    "git clone https://github.com": ("asks GitHub", lambda line: line.split()[2] in source.INSTALL),
    "git -C polymathic": ("needs that clone", lambda line: line.endswith(source.COMMIT)),
    "PYTHONPATH=polymathic": ("needs that clone", names_test_files),
    "harness compare reports/latest:walrus-pt": ("needs a run of Walrus", are_labels),
    "make ": ("takes minutes; .ci/run does it", in_ci),
}
#: Commands whose exit code 1 is a finding.
FINDINGS = ("harness compare", "harness controls")
#: What `reports/` holds before a command.
JUDGING = (
    "pytest suites/ --steps 50 -k 'test_mass or test_step1_vrmse' --no-baselines "
    "--model fno-mini,conv-mini,control:mass-drift,stranger"
)
#: What `baselines/` holds before a command.
RECORDING = "pytest suites/ --model fno-mini --update-baselines"
RECORDING_MINE = (
    "pytest suites/ --model my_model.py:MyModel=weights.pt --against my-model --update-baselines"
)
#: Into a cache of their own, so that there is something to make.
MAKES_DATA = ("harness data", "harness fetch")
RUN = sorted({c.line for c in COMMANDS if not c.line.startswith(tuple(NOT_RUN))})


class Reader:
    """Who types a page's command, in a folder of their own."""

    def __init__(self, shared: Path, pytester: pytest.Pytester, patch: pytest.MonkeyPatch) -> None:
        self.shared, self.folder = shared, pytester.path
        self._pytester, self._patch = pytester, patch
        self.output = ""
        prepared.furnish(self.folder, shared)
        for name, value in prepared.environment(self.folder, shared).items():
            patch.setenv(name, value)
        if (shared / "reports").is_dir():
            shutil.copytree(shared / "reports", self.folder / "reports", symlinks=True)
            shutil.copytree(shared / "baselines", self.folder / "baselines", dirs_exist_ok=True)

    def types(self, line: str) -> int:
        """Run a line; returns the exit code, keeps the output."""
        if line.startswith(MAKES_DATA):
            self._patch.setenv("HARNESS_CACHE", str(self.folder / "cache"))
        program, *arguments = prepared.words(line)
        for start, more in prepared.SMALLER.items():
            arguments += more if line.startswith(start) else []
        if program == "pytest":
            apart = "-n" in arguments
            run = self._pytester.runpytest_subprocess if apart else self._pytester.runpytest_inprocess
            result = run(*arguments)
            self.output = "\n".join(result.outlines + result.errlines)
            return int(result.ret)
        if program == "harness":
            done = CliRunner().invoke(app, arguments)
            self.output = done.output
            return done.exit_code
        assert program == "python", f"no test knows how to run {program!r}: say so in NOT_RUN"
        script = [sys.executable, *arguments]
        ended = subprocess.run(script, cwd=self.folder, capture_output=True, text=True, timeout=300)
        self.output = ended.stdout + ended.stderr
        return ended.returncode

    @property
    def run(self) -> Run:
        """The newest run's results."""
        return Run.load(self.folder / "reports" / "latest")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Made once for all workers of this session."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "shared"
    with FileLock(f"{folder}.lock"):
        if not (folder / "made").exists():
            folder.mkdir()
            prepared.share(folder)
            (folder / "made").touch()
    # The engine collects garbage between models: slow, where it looks at all that pytest holds.
    gc.freeze()
    return folder


@pytest.fixture
def reader(shared: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """A reader who has recorded two models, and judged one beside others, twice, over 50 steps."""
    with FileLock(f"{shared}.lock"):
        if not (shared / "reports").exists():
            first = Reader(shared, pytester, monkeypatch)
            for recording in (f"{RECORDING} --force-update", RECORDING_MINE):
                assert first.types(recording) == 0, first.output
            shutil.rmtree(first.folder / "reports")
            for _ in range(2):
                assert first.types(JUDGING) in (0, 1), first.output
            shutil.copytree(first.folder / "baselines", shared / "baselines")
            shutil.copytree(first.folder / "reports", shared / "reports", symlinks=True)
            for path in first.folder.iterdir():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return Reader(shared, pytester, monkeypatch)


@pytest.mark.parametrize("line", [line for line in RUN if line.startswith("pytest ")])
def test_a_judgement_runs(reader: Reader, line: str) -> None:
    code = reader.types(line)
    missing = lacks(line)
    if missing:
        assert code == 4 and missing in reader.output, reader.output
        return
    outcomes = {t.outcome for t in reader.run.tests}
    if "damaged" in line:
        assert code == 1 and outcomes == {"error"}, reader.output
        return
    assert code in (0, 1), reader.output
    assert "NOT updated" not in reader.output
    assert not outcomes & {"error", "missing"}, reader.output
    assert outcomes - {"not-applicable"}, "nothing was judged"


def lacks(line: str) -> str:
    """What a model lacks here, as its refusal says it; tests/test_walrus_run.py runs Walrus."""
    if "walrus-pt" in line:
        if prepared.has_walrus():
            return f"Walrus cannot take {prepared.MHD64_CELLS} points"
        return source.INSTALL
    if "well-fno" in line and not prepared.has_fno():
        return INSTALL
    return ""


@pytest.mark.parametrize("line", [line for line in RUN if not line.startswith("pytest ")])
def test_another_command_runs(reader: Reader, line: str) -> None:
    with prepared.small_hub(reader.shared), prepared.small_flows(frames=2):
        code = reader.types(line)
    missing = lacks(line)
    if missing and line.startswith("harness plan"):
        assert code == 2 and missing in reader.output, reader.output
        return
    assert code in ((0, 1) if line.startswith(FINDINGS) else (0,)), reader.output
    assert "Traceback" not in reader.output


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.line.startswith(tuple(NOT_RUN))], ids=str)
def test_what_is_not_run_holds_in_another_way(command: Command) -> None:
    (start,) = (start for start in NOT_RUN if command.line.startswith(start))
    assert NOT_RUN[start][1](command.line), NOT_RUN[start][0]


def test_the_list_of_what_is_not_run_is_in_use() -> None:
    for start in NOT_RUN:
        assert any(command.line.startswith(start) for command in COMMANDS), start


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_whether_it_is_typed(page: str) -> None:
    assert pages.languages(PAGES[page]) <= pages.TYPED | pages.OTHERS


def test_commands_are_found_however_they_are_shown() -> None:
    text = """
Text with `inline code`.

    harness models   # a comment
    pytest suites/ \\
      -n 2

- item
  that goes on

```bash
curl example.org  # fetched
```
```text
    not typed
```
"""
    found = ["curl example.org", "harness models", "pytest suites/ -n 2"]
    assert pages.commands(text) == found


def test_a_file_has_one_content_on_all_pages() -> None:
    for page, text in PAGES.items():
        for name, content in pages.files(text).items():
            assert pages.FILES[name] == content, (page, name)
