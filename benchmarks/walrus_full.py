"""What a rollout of Walrus costs on this machine: `python -m benchmarks.walrus_full`.

The released size, 1,286,199,047 parameters, with random weights (or a checkpoint), on 64^3 with three
frames of history and 50 steps, in every precision: seconds a step, peak memory, and the share of the
diagnostics.  It is the harness's own loop, with a clock around the model's step.  Needs Polymathic's
source and a GPU with 80 GB; `--tiny --device cpu --grid 16 16 16 --steps 3` shows that it works.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from benchmarks.memory import peak
from harness import numerics
from harness.diagnostics.measure import Measure
from harness.fields import MHD
from harness.rollout import Start, roll, structure_steps
from harness.stepping import Draw
from harness.surrogates.walrus import Walrus, load
from tests import walrus_example as example

COLUMNS = (
    "precision", "s a step", "fastest", "first", "TFLOP/s", "peak memory GB", "diagnostics", "steps"
)  # fmt: skip


def wait(device: torch.device) -> None:
    """Until the device has done what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(
    source: Callable[[int], Tensor], device: torch.device, seconds: list[float]
) -> Callable[[int], Tensor]:
    """The source, whose every step but the 0th is timed into a list."""

    def frame(step: int) -> Tensor:
        wait(device)
        start = time.perf_counter()
        made = source(step)
        wait(device)
        if step:
            seconds.append(time.perf_counter() - start)
        return made

    return frame


def measured(walrus: Walrus, options: argparse.Namespace, precision: str) -> tuple[str, ...]:
    """A row of the table: one rollout in one precision."""
    device, shape = torch.device(options.device), tuple(options.grid)
    window = example.window(shape, walrus.n_history, options.steps)
    history = example.history(shape, walrus.n_history).to(device, numerics.DTYPES[precision])
    seconds: list[float] = []
    whole = [0.0]

    def rollout() -> None:
        rolled = Start(walrus, window, history, Draw(0), precision).source()
        sources = {
            "truth": lambda step: history[-1],
            "prediction": timed(rolled, device, seconds),
        }
        measure = Measure(MHD, shape, (1.0, 0.1, 0.05), device=device)
        wait(device)
        start = time.perf_counter()
        with numerics.strict():
            roll(
                sources,
                options.steps,
                measure,
                structure=structure_steps(options.steps),
            )
        wait(device)
        whole[0] = time.perf_counter() - start

    memory = peak(rollout, device)
    step = median(seconds)
    return (
        precision,
        f"{step:.3g}",
        f"{min(seconds):.3g}",
        f"{seconds[0]:.3g}",
        f"{walrus.flops_per_step(window) / step / 1e12:.3g}",
        f"{memory / 1024:.2f}",
        f"{1 - sum(seconds) / whole[0]:.2%}",
        f"{len(seconds)} of {options.steps}",
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse a command line, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--grid", type=int, nargs=3, default=(64, 64, 64), help="cells per axis")
    parser.add_argument("--steps", type=int, default=50, help="steps of a rollout")
    parser.add_argument("--precision", nargs="+", default=["fp32", "tf32", "bf16", "fp64"],
                        choices=sorted(numerics.DTYPES))  # fmt: skip
    parser.add_argument("--compile", action="store_true", help="blocks by torch.compile")
    parser.add_argument("--checkpoint", type=Path, help="folder or file, instead of random weights")
    parser.add_argument("--tiny", action="store_true", help="the miniature of the tests")
    options = parser.parse_args(arguments)
    if options.checkpoint:
        walrus = load(options.checkpoint)
    else:
        walrus = example.drawn(example.TINY if options.tiny else example.FULL)
    walrus.compiled = options.compile
    device = torch.device(options.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    parameters = sum(p.numel() for p in walrus.module.parameters())
    print(f"{name}, torch {torch.__version__}, {parameters:,} parameters in use, grid "
          f"{' x '.join(map(str, options.grid))}, {walrus.n_history} frames, {options.steps} steps"
          f"{', blocks compiled' if options.compile else ''}\n")  # fmt: skip
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for precision in options.precision:
        print(f"| {' | '.join(measured(walrus, options, precision))} |", flush=True)


if __name__ == "__main__":
    main()
