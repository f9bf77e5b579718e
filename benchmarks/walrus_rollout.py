"""Walrus's adapter against the published notebook loop: `python -m benchmarks.walrus_rollout`.

Both run Polymathic's model with the same drawn weights and the same draws, in interleaved rounds, in
one process with one thread.  Ratios are medians of per-round ratios: of CPU time, or on a GPU of wall
time.  Peak memory is measured in a process of its own for each loop.  `--full` is the released size
with random weights, for a GPU.  Needs a checkout of Polymathic's source (docs/walrus.md).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from benchmarks.memory import peak
from harness import numerics
from harness.diagnostics.measure import Measure
from harness.fields import MHD
from harness.rollout import Start
from harness.stepping import Draw
from harness.surrogates.walrus import Walrus, config, cost
from tests import walrus_example as example
from tests import walrus_notebook as notebook

DRAW = Draw(0)
#: between the miniature of the tests and the released model: a few seconds a step on one core
MIDDLE = {"hidden": 64, "inner": 32, "blocks": 4, "groups": 4, "heads": 4}


def loops(options: argparse.Namespace, size: dict[str, int]) -> dict[str, Callable[[], Tensor]]:
    """The two rollouts, each giving its last frame."""
    device = torch.device(options.device)
    shape = tuple(options.grid)
    walrus = example.drawn(size, options.compile).to(device, numerics.DTYPES[options.precision])
    history = example.history(shape).to(device, numerics.DTYPES[options.precision])

    def published() -> Tensor:
        return notebook.rollout(walrus.module, DRAW, history, options.steps)[-1]

    def adapter() -> Tensor:
        rolled = Start(walrus, example.window(shape), history, DRAW, options.precision).source()
        with torch.no_grad():
            return [rolled(number) for number in range(1, options.steps + 1)][-1]

    return {"notebook": published, "adapter": adapter}


def seconds(work: Callable[[], object], device: str) -> float:
    """CPU seconds of a call, or wall seconds on a GPU."""
    if device == "cpu":
        start = time.process_time()
        work()
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def compare(options: argparse.Namespace, size: dict[str, int]) -> None:
    """Time both loops, and print ratios, equality, memory and what a step is made of."""
    work = loops(options, size)
    with numerics.strict():
        frames = {name: call() for name, call in work.items()}
        rounds = [
            {name: seconds(call, options.device) / options.steps for name, call in work.items()}
            for _ in range(options.rounds)
        ]
    scale = frames["notebook"].abs().max()
    difference = float((frames["adapter"] - frames["notebook"]).abs().max() / scale)
    for name in work:
        times = [r[name] for r in rounds]
        print(f"{name:10s} {min(times):9.3f} s a step (median {median(times):.3f})")
    ratios = [r["notebook"] / r["adapter"] for r in rounds]
    print(f"notebook / adapter: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"largest difference of the last frame: {difference:.1e} of its largest value")
    print(f"diagnostics / step: {diagnostics(options) / median(r['adapter'] for r in rounds):.2%}")


def diagnostics(options: argparse.Namespace) -> float:
    """Seconds of all diagnostics of a frame pair."""
    device = torch.device(options.device)
    shape = tuple(options.grid)
    stack = example.history(shape, 2).float().to(device)
    measure = Measure(MHD, shape, (1.0, 0.1, 0.05), device=device)
    return min(seconds(lambda: measure(stack, stack), options.device) for _ in range(5))


def memory(options: argparse.Namespace) -> None:
    """Peak memory of each loop, in a process of its own."""
    for name in ("notebook", "adapter"):
        command = [sys.executable, "-m", "benchmarks.walrus_rollout", *sys.argv[1:], "--peak", name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(f"peak memory of {name}: {json.loads(done.stdout.splitlines()[-1]):.0f} MB")


def estimate(options: argparse.Namespace) -> None:
    """What the released model costs, from counted operations and a matrix product measured here."""
    with tempfile.TemporaryDirectory() as folder:
        configuration = config.read(example.write_config(Path(folder), example.tree(example.FULL)))
    walrus = Walrus(config.build(configuration), configuration)
    flops = walrus.flops_per_step(example.window((64, 64, 64)))
    device = torch.device(options.device)
    rate = cost.rate(device, options.precision)
    print(
        f"released model, 64^3, 3 frames: {flops / 1e12:.2f} TFLOP a step; a matrix product in "
        f"{options.precision} on {options.device} runs at {rate / 1e9:.0f} GFLOP/s: "
        f"at least {flops / rate:.3g} s a step"
    )


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--grid", type=int, nargs=3, default=(64, 16, 16), help="cells per axis")
    parser.add_argument("--steps", type=int, default=2, help="steps of a rollout")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32", choices=sorted(numerics.DTYPES))
    parser.add_argument("--compile", action="store_true", help="the adapter's blocks compiled")
    parser.add_argument("--full", action="store_true", help="the released size: needs a GPU")
    parser.add_argument("--peak", choices=["notebook", "adapter"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    size = example.FULL if options.full else MIDDLE
    if options.peak:
        with numerics.strict():
            work = loops(options, size)[options.peak]
            print(json.dumps(peak(work, torch.device(options.device))))
        return
    print(f"{options.grid}, {size}, {options.precision} on {options.device}, torch {torch.__version__}")
    compare(options, size)
    memory(options)
    estimate(options)


if __name__ == "__main__":
    main()
