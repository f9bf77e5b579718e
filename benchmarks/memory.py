"""Extra memory of `Measure` over its inputs: `python -m benchmarks.memory GRID STEPS` prints MB.

In a process of its own, because the system keeps only one high-water mark per process.
"""

from __future__ import annotations

import resource
import subprocess
import sys

import torch

from harness.diagnostics.measure import Measure
from harness.fields import MHD


def extra_memory(grid: int, steps: int) -> float:
    """Peak resident memory of that many steps, less that before the first, in MB."""
    command = [sys.executable, "-m", "benchmarks.memory", str(grid), str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _measured(grid: int, steps: int) -> float:
    torch.set_num_threads(1)
    # No temporaries here: they would raise the mark that the measurement has to exceed.
    frames = torch.rand(2, 2, MHD.n_channels, grid, grid, grid)
    torch.fft.rfftn(frames[0, 0, 0, :8, :8, :8])
    before = _peak()
    measure = Measure(MHD, (grid, grid, grid), (1.0, 0.1, 0.0))
    for step in range(steps):
        measure(frames[step % 2], frames[(step + 1) % 2])
    return _peak() - before


if __name__ == "__main__":
    print(_measured(*map(int, sys.argv[1:])))
