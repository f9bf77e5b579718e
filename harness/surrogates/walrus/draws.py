"""The random numbers of one step, taken from a `Draw`.

Walrus draws its patch jitter from torch's global generator and the rolls before each block from
numpy's, in evaluation as in training.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from harness.stepping import Draw


@contextmanager
def numbers(draw: Draw, step: int) -> Iterator[None]:
    """Both global generators give the draw's numbers of this step inside; restored after it.

    Nothing is touched where the draw holds no randomness: a model that draws all the same would
    show in a repetition.
    """
    if draw.seed is None:
        yield
        return
    # Only the CPU generator is concerned: `torch.manual_seed` would reseed the GPUs' as well.
    before = torch.get_rng_state(), np.random.get_state()
    words = draw.numpy(step).integers(2**32, size=8, dtype=np.uint32)
    torch.set_rng_state(draw.torch(step).get_state())
    np.random.set_state(np.random.RandomState(words).get_state())
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])
