"""Run the gate of docs/ci-gate.md on three checkpoints and check what it answers.

    python docs/examples/gate.py

Takes the shipped weights, one simulation of the embedded truth and a minute or two.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from checkpoints import make

#: Checkpoint -> the exit code of its gate, and words of what is printed.
EXPECTED = {
    "repaired": (0, "repaired: recorded as broken, kept today"),
    "regressed": (1, "(baseline 2.75)"),
    "damaged": (1, "is not a complete safetensors file"),
}


def gate(checkpoint: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """The gate as a CI job runs it, on the first simulation."""
    command = [
        sys.executable, "-m", "pytest", "suites/", "--model", f"fno-mini={checkpoint}",
        "--against", "fno-mini", "--trajectories", "s0", "--reports", str(folder / "reports"),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main() -> int:
    """0 if every checkpoint gets the answer it deserves."""
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder)
        for checkpoint, (code, words) in EXPECTED.items():
            done = gate(folder / f"{checkpoint}.safetensors", folder)
            right = done.returncode == code and words in done.stdout + done.stderr
            print(f"{checkpoint}: exit {done.returncode}, expected {code}{'' if right else ': WRONG'}")
            if not right:
                print(done.stdout[-4000:], done.stderr[-2000:])
                wrong += 1
    return wrong


if __name__ == "__main__":
    raise SystemExit(main())
