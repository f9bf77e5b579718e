"""Speed of the diagnostics: `pytest benchmarks/ -n0`."""

import pytest
import torch

from benchmarks.turbulence import frame_pairs
from harness.diagnostics.measure import Measure
from harness.fields import MHD
from tests import reference_diagnostics as reference

GUIDE = (1.0, 0.1, 0.05)


@pytest.fixture(params=[24, 64], ids=lambda grid: f"{grid}^3")
def pair(request):
    torch.set_num_threads(1)
    return frame_pairs(request.param, GUIDE)


def test_bare_fft(benchmark, pair):
    benchmark(torch.fft.rfftn, pair[0], dim=(2, 3, 4))


def test_measure(benchmark, pair):
    stack, previous = pair
    measure = Measure(MHD, tuple(stack.shape[2:]), GUIDE)
    found = benchmark(measure, stack, previous)
    assert found["finite"].all()


def test_measure_with_structure(benchmark, pair):
    stack, previous = pair
    measure = Measure(MHD, tuple(stack.shape[2:]), GUIDE)
    assert benchmark(measure, stack, previous, structure=True)["finite"].all()


def test_measure_of_a_tilted_guide_costs_the_same(benchmark, pair):
    stack, previous = pair
    measure = Measure(MHD, tuple(stack.shape[2:]), (0.5, -0.6, 0.7))
    assert benchmark(measure, stack, previous)["finite"].all()


def test_setup(benchmark, pair):
    benchmark(Measure, MHD, tuple(pair[0].shape[2:]), GUIDE)


def test_numpy_reference(benchmark, pair):
    stack, previous = pair
    benchmark.pedantic(reference.measure, (MHD, stack, previous, GUIDE), rounds=2)
