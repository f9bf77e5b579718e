"""What the diagnostics of a rollout cost, side by side: `python -m benchmarks.side_by_side`.

In one process with one thread, in interleaved rounds, by CPU time (other work on the machine
inflates wall time): a bare FFT of a frame pair, the full set of diagnostics of the same pair, and a
plain numpy implementation with one mask per shell.  Figures are medians of per-round ratios.

The full set is every variable of a record: those that `Measure` takes at every step, those of
structure, taken on the schedule of a rollout and hence at their share of its steps, and those derived
from a whole rollout, at one step's share.  The numpy implementation keeps the same schedule.  A
variable that was not timed, or that the numpy reference does not know, is an error.  Exit status 1
if a goal is missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from statistics import median

import torch

from benchmarks.memory import extra_memory
from benchmarks.turbulence import frame_pairs
from harness.diagnostics.derived import derive
from harness.diagnostics.measure import Measure
from harness.fields import MHD
from harness.rollout import structure_steps
from tests import reference_diagnostics as reference
from tests.standing import standing

GUIDE = (1.0, 0.1, 0.05)
STEPS = 50
#: At 64^3: the full set over a bare FFT; the reference over the full set; MB of extra memory; and
#: MB that this may grow by from 10 to 100 steps, while the heap settles.
AT_MOST_FFT, AT_LEAST_REFERENCE, AT_MOST_MEMORY, AT_MOST_GROWTH = 2.7, 20.0, 64.0, 8.0


#: Steps at which structure is measured, over all steps, the last input frame included.
SHARE = len(structure_steps(STEPS)) / (STEPS + 1)

BARE = "bare rfftn"
EACH, SCHEDULED = "measured at every step", "measured on schedule"
NUMPY, NUMPY_SCHEDULED = "numpy, mask per shell", "numpy, on schedule"
DERIVED, SLOW = "derived variables", (NUMPY, NUMPY_SCHEDULED)
#: Rounds before the first that counts.
WARM_UP = 3


@dataclass(frozen=True)
class Goal:
    """A figure and whether it is met."""

    name: str
    figure: float
    limit: str
    met: bool


def require_all_timed(record: Collection[str], timed: Collection[str]) -> None:
    """Raises ValueError: names the variables of a record that nothing timed produces."""
    missing = sorted(set(record) - set(timed))
    if missing:
        raise ValueError(f"not timed: {', '.join(missing)}")


def require_same(measured: Collection[str], known: Collection[str]) -> None:
    """Raises ValueError: names the variables that only one of two implementations produces."""
    different = sorted(set(measured) ^ set(known))
    if different:
        raise ValueError(f"in Measure or in the reference only: {', '.join(different)}")


def cpu_ms(work: Callable[[], object]) -> float:
    """CPU time of one call, in ms."""
    start = time.process_time()
    work()
    return 1e3 * (time.process_time() - start)


def compare(grid: int, rounds: int, slow_rounds: int) -> list[Goal]:
    """Time everything, print the table, and say which goals are met."""
    stack, previous = frame_pairs(grid, GUIDE)
    measure = Measure(MHD, (grid,) * 3, GUIDE)
    rollout = standing(measure, stack, STEPS, structure_steps(STEPS))
    derived = set(derive(rollout.copy())) - set(rollout)
    known = reference.measure(MHD, stack, previous, GUIDE, with_structure=True)
    found = measure(stack, previous, structure=True)
    variables = (*measure.variables, *measure.structure_variables)
    require_same(variables, found)
    require_same(variables, known)
    require_all_timed(derive(rollout.copy()), set(found) | derived)

    def numpy(structure: bool) -> None:
        reference.measure(MHD, stack, previous, GUIDE, with_structure=structure)

    work: dict[str, Callable[[], object]] = {
        BARE: lambda: torch.fft.rfftn(stack, dim=(2, 3, 4)),
        EACH: lambda: measure(stack, previous),
        SCHEDULED: lambda: measure(stack, previous, structure=True),
        DERIVED: lambda: derive(rollout.copy()),
        NUMPY: lambda: numpy(structure=False),
        NUMPY_SCHEDULED: lambda: numpy(structure=True),
    }
    times: dict[str, list[float]] = {name: [] for name in work}
    # The first calls pay for page faults and plans that no later step pays for.
    for _ in range(WARM_UP):
        for name, call in work.items():
            if name not in SLOW:
                call()
    spacing = max(1, rounds // slow_rounds)
    for number in range(rounds):
        for name, call in work.items():
            if name not in SLOW or number % spacing == spacing - 1:
                times[name].append(cpu_ms(call))
    beside = slice(spacing - 1, None, spacing)  # the rounds in which the reference ran
    bare = times[BARE]
    times[DERIVED] = [ms / STEPS for ms in times[DERIVED]]
    measured = _amortised(times[EACH], times[SCHEDULED])
    full = [m + d for m, d in zip(measured, times[DERIVED], strict=True)]
    slow = _amortised(times[NUMPY], times[NUMPY_SCHEDULED])
    times |= {"full set of a step": full, "numpy of a step": slow}

    print(f"{grid}^3, {rounds} rounds, torch {torch.__version__}; CPU ms per frame pair")
    print(f"structure on {SHARE:.1%} of the steps: {structure_steps(STEPS)} of {STEPS}")
    print(f"{'':24s}{'min':>9s}{'median':>9s}{'/ bare rfftn':>14s}")
    for name, values in times.items():
        same_round = bare if len(values) == len(bare) else bare[beside]
        over_bare = median(v / b for v, b in zip(values, same_round, strict=True))
        print(f"{name:24s}{min(values):9.2f}{median(values):9.2f}{over_bare:14.2f}")
    print(f"{len(variables)} measured and {len(derived)} derived variables timed:")
    print("  " + ", ".join([*variables, *sorted(derived)]))

    ratio = median(f / b for f, b in zip(full, bare, strict=True))
    gain = median(s / f for s, f in zip(slow, full[beside], strict=True))
    memory = extra_memory(grid, 100)
    growth = memory - extra_memory(grid, 10)
    return [
        Goal("full set / bare rfftn", ratio, f"<= {AT_MOST_FFT}", ratio <= AT_MOST_FFT),
        Goal("numpy / full set", gain, f">= {AT_LEAST_REFERENCE}", gain >= AT_LEAST_REFERENCE),
        Goal("extra memory, MB", memory, f"<= {AT_MOST_MEMORY}", memory <= AT_MOST_MEMORY),
        Goal("of it after 10 steps", growth, f"<= {AT_MOST_GROWTH}", growth <= AT_MOST_GROWTH),
    ]


def _amortised(each: list[float], scheduled: list[float]) -> list[float]:
    """Cost of the average step, round by round, of steps with and without structure."""
    return [(1 - SHARE) * e + SHARE * s for e, s in zip(each, scheduled, strict=True)]


def main() -> int:
    """Exit status: 0 if every goal is met."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--grid", type=int, default=64, help="cells along each axis")
    parser.add_argument("--rounds", type=int, default=25, help="interleaved rounds")
    parser.add_argument("--slow-rounds", type=int, default=3, help="rounds of the numpy reference")
    options = parser.parse_args()
    torch.set_num_threads(1)
    goals = compare(options.grid, options.rounds, options.slow_rounds)
    print("goals at 64^3")
    for goal in goals:
        verdict = "met" if goal.met else "MISSED"
        print(f"  {goal.name:26s}{goal.figure:9.2f}  {goal.limit:10s}{verdict}")
    return 0 if all(goal.met for goal in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
