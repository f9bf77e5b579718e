"""Extra memory of `Measure` over its inputs: `python -m benchmarks.memory GRID STEPS` prints MB.

In a process of its own, because memory freed earlier in a process hides what is taken later.  Linux
only.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from harness.diagnostics.measure import Measure
from harness.fields import MHD
from harness.rollout import STRUCTURE_STEPS


def extra_memory(grid: int, steps: int) -> float:
    """Peak resident memory of that many steps, less that before the first, in MB."""
    command = [sys.executable, "-m", "benchmarks.memory", str(grid), str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def peak(work: Callable[[], object], device: torch.device) -> float:
    """Highest memory during a call in MB: of the GPU, or of this process over what it held before."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        work()
        return torch.cuda.max_memory_allocated(device) / 2**20
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again from here
    before = _status("VmRSS")
    work()
    return _status("VmHWM") - before


def _status(key: str) -> float:
    """Memory of this process as Linux states it, in MB: VmRSS now, VmHWM at its highest."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024


def _measured(grid: int, steps: int) -> float:
    torch.set_num_threads(1)
    frames = torch.rand(2, 2, MHD.n_channels, grid, grid, grid)
    torch.fft.rfftn(frames[0, 0, 0, :8, :8, :8])

    def work() -> None:
        measure = Measure(MHD, (grid, grid, grid), (1.0, 0.1, 0.0))
        for step in range(steps):
            measure(frames[step % 2], frames[(step + 1) % 2], structure=step in STRUCTURE_STEPS)

    return peak(work, torch.device("cpu"))


if __name__ == "__main__":
    print(_measured(*map(int, sys.argv[1:])))
