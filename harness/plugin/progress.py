"""Progress of long work: in a terminal, in a log, and under xdist.

In a terminal one line is rewritten; without one a line is logged every half minute; a worker of
xdist has no terminal, so it leaves its line in a file that the controller prints.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from harness.atomic import replacing
from harness.jobs import Job
from harness.plugin.workers import terminal

LOG_SECONDS = 30.0
LOGGER = logging.getLogger("harness")
FOLDER = "HARNESS_PROGRESS"
#: back to the first column, and clear the line
ERASE = "\r\x1b[2K"


class Progress:
    """Says what is being simulated or rolled out, and how far it is."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._worker = os.environ.get("PYTEST_XDIST_WORKER")
        self._last = 0.0
        self._open = False
        self._started: dict[str, float] = {}
        self._frames: dict[str, tuple[int, int]] = {}

    def simulate(self, simulation: str, frames: int, total: int) -> None:
        """The embedded truth is being made: all simulations are one piece of work."""
        self._frames[simulation] = frames, total
        done, frames_in_all = (sum(counts) for counts in zip(*self._frames.values(), strict=True))
        self._say("simulating the truth (once)", "frame", done, frames_in_all)

    def step(self, job: Job, step: int, steps: int) -> None:
        """A rollout, twin or truth record is being made."""
        self._say(str(job), "step", step, steps)

    def _say(self, what: str, unit: str, done: int, total: int) -> None:
        now = time.monotonic()
        started = self._started.setdefault(what, now)
        finished = done >= total
        interval = 0.2 if self._terminal() is not None else LOG_SECONDS
        if self._worker:
            interval = 1.0
        if now - self._last < interval and not finished:
            return
        self._last = now
        left = (now - started) / done * (total - done) if done else None
        text = f"{what}: {unit} {done} of {total}"
        if left is not None and left >= 1:
            text += f", {left:.0f} s left"
        self._show(text, finished)

    def _terminal(self) -> pytest.TerminalReporter | None:
        reporter = terminal(self._config)
        return reporter if reporter is not None and reporter.isatty else None

    def _show(self, text: str, finished: bool) -> None:
        if self._worker:
            self._leave(text)
        elif (reporter := self._terminal()) is not None:
            capture = self._config.pluginmanager.get_plugin("capturemanager")
            with capture.global_and_fixture_disabled() if capture else nullcontext():
                # A line wider than the terminal would leave its head behind when it is rewritten.
                shown = "" if finished else f"  {text}"[: reporter._tw.fullwidth - 1]
                reporter.write(f"{ERASE}{shown}", flush=True)
                self._open = bool(shown)
        elif not finished:
            LOGGER.info(text)

    def clear(self) -> None:
        """Take back a line of work that broke off, or an error would be printed behind it."""
        if self._open and (reporter := self._terminal()) is not None:
            reporter.write(ERASE, flush=True)
            self._open = False

    def _leave(self, text: str) -> None:
        folder = os.environ.get(FOLDER)
        if folder:
            with replacing(Path(folder) / f"{self._worker}.json") as part:
                part.write_text(json.dumps(text), encoding="utf-8")


class Watcher(threading.Thread):
    """On the controller: prints what the workers left, whenever it changes.

    Args:
        folder: where the workers leave their lines.
        reporter: prints them, each on a line of its own.
        tests: how many tests are done, and how many there are.
    """

    def __init__(
        self,
        folder: Path,
        reporter: pytest.TerminalReporter,
        tests: Callable[[], tuple[int, int]],
    ) -> None:
        super().__init__(daemon=True, name="harness-progress")
        self._folder, self._reporter, self._tests = folder, reporter, tests
        self._interval = 5.0 if reporter.isatty else LOG_SECONDS
        self._over = threading.Event()
        self._shown: dict[str, str] = {}

    def run(self) -> None:
        """Look every few seconds until told to stop."""
        while not self._over.wait(self._interval):
            for file in sorted(self._folder.glob("*.json")):
                try:
                    text = str(json.loads(file.read_text(encoding="utf-8")))
                except (OSError, ValueError):
                    continue  # being replaced right now
                if self._shown.get(file.stem) != text:
                    self._shown[file.stem] = text
                    self._write(file.stem, text)

    def _write(self, worker: str, text: str) -> None:
        # pytest writes its dots without saying so, and write_line would go on behind them.
        if self._reporter._tw.width_of_current_line:
            self._reporter.write("\n")
        done, total = self._tests()
        self._reporter.write_line(f"[{done} of {total} tests] {worker}: {text}")

    def stop(self) -> None:
        """Let the thread end."""
        self._over.set()
