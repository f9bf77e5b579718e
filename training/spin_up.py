"""Makes the shipped first frames of the embedded test split.

Each is seeded noise advanced for `SPIN_UP` frames (30 time units, some ten correlation times of
the velocity), after which kinetic and magnetic energy are stationary.  Taken are the first six
seeds whose density stays above a tenth of its mean through all frames of the split, far enough
from cavitation for every machine's rounding.

    python training/spin_up.py
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import count
from multiprocessing import get_context

import torch
from safetensors.torch import save_file

from harness.atomic import replacing
from harness.truth.initial import STATES
from harness.truth.mhd import Solver, SolverError
from harness.truth.simulate import SPIN_UP, default_recipe, spin_up

RECIPE = default_recipe("test")
LOWEST_DENSITY = 0.1


def first_frame(seed: int) -> torch.Tensor | None:
    """The first frame that grows from noise of this seed; None if it is to be passed over."""
    torch.set_num_threads(1)
    solver = Solver(RECIPE.settings)
    try:
        first = frame = spin_up(replace(RECIPE, shipped=False, spin_up=SPIN_UP), seed)
        for _ in range(RECIPE.frames - 1):
            frame = solver.advance_stored(frame)
            if frame[0].min() < LOWEST_DENSITY:
                return None
    except SolverError:
        return None
    return first


if __name__ == "__main__":
    workers = 2
    states: list[torch.Tensor] = []
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        for start in count(0, workers):
            for seed, frame in enumerate(pool.map(first_frame, range(start, start + workers)), start):
                print(f"noise seed {seed}: {'passed over' if frame is None else 'taken'}", flush=True)
                if frame is not None:
                    states.append(frame.contiguous())
            if len(states) >= len(RECIPE.seeds):
                break
    with replacing(STATES) as part:
        save_file({f"s{i}": state for i, state in zip(RECIPE.seeds, states, strict=False)}, part)
        part.chmod(0o644)
