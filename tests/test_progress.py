"""What a user sees of long work: one line in a terminal, whole lines from workers."""

from __future__ import annotations

import io
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from _pytest.config import get_config
from _pytest.terminal import TerminalReporter

from harness.plugin import progress
from harness.plugin.progress import ERASE, Progress, Watcher


class Terminal(TerminalReporter):
    """pytest's own reporter, 60 columns wide, writing into `text`."""

    def __init__(self) -> None:
        self.file = io.StringIO()
        super().__init__(get_config(), self.file)
        self._tw.fullwidth = 60
        self.isatty = True

    @property
    def text(self) -> str:
        return self.file.getvalue()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    return Terminal()


def shown(terminal: Terminal) -> Progress:
    plugins = {"terminalreporter": terminal}
    config = SimpleNamespace(pluginmanager=SimpleNamespace(get_plugin=plugins.get))
    return Progress(config)  # type: ignore[arg-type]


def test_all_simulations_are_one_piece_of_work(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 0.0, 10.0, 20.0, 30.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    said = shown(terminal)
    for report in (("s0", 0, 50), ("s1", 0, 50), ("s0", 25, 50), ("s1", 25, 50), ("s1", 50, 50)):
        said.simulate(*report)
    lines = [line.strip() for line in terminal.text.split(ERASE)]
    assert lines[1:] == [
        "simulating the truth (once): frame 25 of 100, 30 s left",
        "simulating the truth (once): frame 50 of 100, 20 s left",
        "simulating the truth (once): frame 75 of 100, 10 s left",
    ]


def test_a_line_is_cut_at_the_width_of_the_terminal(terminal: Terminal) -> None:
    terminal._tw.fullwidth = 20
    shown(terminal).simulate("s0", 1, 2)
    assert terminal.text == f"{ERASE}  simulating the tr"


def test_a_finished_line_leaves_nothing_behind(terminal: Terminal) -> None:
    said = shown(terminal)
    said.simulate("s0", 1, 2)
    said.simulate("s0", 2, 2)
    assert terminal.text.endswith(ERASE)


def test_work_that_breaks_off_leaves_nothing_behind(terminal: Terminal) -> None:
    said = shown(terminal)
    said.clear()
    assert not terminal.text
    said.simulate("s0", 0, 106)
    said.clear()
    said.clear()
    assert terminal.text.endswith(f"frame 0 of 106{ERASE}")


def test_a_worker_s_line_stands_alone_and_says_how_far_the_run_is(
    terminal: Terminal, tmp_path: Path
) -> None:
    watcher = Watcher(tmp_path, terminal, lambda: (132, 642))
    watcher._interval = 0.01
    terminal.write("..x.")
    (tmp_path / "gw1.json").write_text('"twin fno-mini on simulated/s1-w1: step 13 of 50"')
    watcher.start()
    deadline = time.monotonic() + 10
    while "step 13" not in terminal.text and time.monotonic() < deadline:
        time.sleep(0.01)
    watcher.stop()
    watcher.join(timeout=10)
    dots, line, rest = terminal.text.split("\n", 2)
    assert dots == "..x."
    assert line == "[132 of 642 tests] gw1: twin fno-mini on simulated/s1-w1: step 13 of 50"
    assert rest == "", "a line that has not changed is not said again"
