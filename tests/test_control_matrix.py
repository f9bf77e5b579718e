"""On real truth: every property fails when it should, and only then.

One simulation of the embedded truth, both of its windows, every control; `stranger` shows the truth
of each of the five others.  Documentation holds the same on all six (docs/controls.md).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.paths import ROOT
from harness.results import Run
from harness.specificity import matrix

STRANGERS = ",".join(f"stranger:{places}" for places in range(1, 6))


def test_every_control_fires_what_it_declares_and_nothing_else(tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "pytest", "suites/", "-q", "-n0", "--no-baselines", "--trajectories", "1",
        "--model", f"control:*,oracle,solver,{STRANGERS}", "--reports", str(tmp_path),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    found = matrix(Run.load(tmp_path / "latest"))
    assert found.faults() == []
    alarms, judged, _, _ = found.alarms()
    assert alarms == 0
    assert judged >= 5 * 2 * 10
