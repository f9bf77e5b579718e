"""One step of what the default run steps: shipped surrogates and the embedded solver, at 24^3.

pytest benchmarks/ -n0
"""

from __future__ import annotations

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from harness import numerics
from harness.surrogates.minis import load_mini
from harness.surrogates.reference import EmbeddedSolver
from harness.truth.initial import shipped_states

torch.set_num_threads(1)


@pytest.mark.parametrize("precision", ["fp32", "fp64"])
@pytest.mark.parametrize("name", ["fno-mini", "conv-mini", "solver"])
def test_step(benchmark: BenchmarkFixture, name: str, precision: str) -> None:
    surrogate = EmbeddedSolver() if name == "solver" else load_mini(name, None)
    dtype = numerics.DTYPES[precision]
    moved = surrogate.to(torch.device("cpu"), dtype)
    history = shipped_states()["s0"].to(dtype).expand(surrogate.n_history, -1, -1, -1, -1)
    if name == "solver":
        from harness.truth.simulate import stored_solver

        advance = stored_solver((24, 24, 24), "cpu", dtype)
        step = lambda: advance(history[-1])  # noqa: E731
    else:
        step = lambda: moved.module(history)  # noqa: E731
    with numerics.strict(), torch.no_grad():
        frame = benchmark.pedantic(step, rounds=5, warmup_rounds=1)
    assert frame.shape == (7, 24, 24, 24)
    assert bool(torch.isfinite(frame).all())
