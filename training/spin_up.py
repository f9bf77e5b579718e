"""Makes the shipped first frames of the embedded test split.

Each is seeded noise advanced for `SPIN_UP` frames (30 time units, some ten correlation times
of the velocity), after which kinetic and magnetic energy are stationary.

    python training/spin_up.py
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import torch
from safetensors.torch import save_file

from harness.truth.initial import STATES
from harness.truth.simulate import SPIN_UP, default_recipe, spin_up


def state(seed: int) -> torch.Tensor:
    """The first frame of the test simulation of one seed."""
    torch.set_num_threads(1)
    return spin_up(replace(default_recipe("test"), shipped=False, spin_up=SPIN_UP), seed)


if __name__ == "__main__":
    seeds = default_recipe("test").seeds
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        states = dict(zip((f"s{seed}" for seed in seeds), pool.map(state, seeds), strict=True))
    STATES.parent.mkdir(exist_ok=True)
    save_file({name: frame.contiguous() for name, frame in states.items()}, STATES)
