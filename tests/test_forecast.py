"""A run that would take hours says so before it starts, whatever model it is of."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from harness.plugin import preflight
from tests.conftest import Toy
from tests.toy import CELLS

MODULE = """
import time
from torch import nn

class Net(nn.Module):
    def forward(self, history):
        {body}
        return history[-1]
"""
#: the toy's one window a simulation, three of them, of six steps
STEPS = 18


@pytest.fixture
def bench(toy_bench: Toy, monkeypatch: pytest.MonkeyPatch) -> Toy:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(preflight, "SHORT", 0.5)
    monkeypatch.setattr(preflight, "LIMIT", 0.9)
    return toy_bench


def module(bench: Toy, body: str) -> str:
    (bench.folder / "net.py").write_text(MODULE.format(body=body))
    return "net.py:Net"


def records(bench: Toy) -> list[Path]:
    return list((bench.folder / "cache").rglob("*.nc"))


def test_a_slow_module_asks_for_the_device_to_be_named(bench: Toy) -> None:
    model = module(bench, "time.sleep(0.06)")
    assert bench.pytest("--model", model, "--device", "auto") == 4
    assert "net.Net on cpu in fp32: about 0.06" in bench.output
    assert f"one rollout of each of 3 windows ({STEPS} steps)" in bench.output
    assert "say --device cpu if you mean it" in bench.output
    assert not records(bench)
    bench.pytest("--model", model, "--device", "cpu", "--no-baselines")
    assert "net.Net on cpu in fp32: about" in bench.output
    assert records(bench)


def test_a_quick_module_is_worth_no_line_and_a_broken_one_is_its_tests_to_tell(bench: Toy) -> None:
    assert bench.pytest("--model", module(bench, "pass"), "--device", "auto") == 0, bench.output
    assert "a step or more" not in bench.output
    assert bench.pytest("--model", module(bench, "1 / 0"), "--device", "auto", "-k", "mean") == 1
    assert "ZeroDivisionError" in bench.output


def test_an_exported_program_is_timed_and_refused_for_another_grid(bench: Toy) -> None:
    class Last(nn.Module):
        def forward(self, history: torch.Tensor) -> torch.Tensor:
            return history[-1] * 1.0

    for n, code in ((CELLS, 0), (CELLS // 2, 4)):
        program = torch.export.export(Last(), (torch.ones(1, 7, n, n, n),))
        torch.export.save(program, bench.folder / "last.pt2")
        assert bench.pytest("--model", "exported:last.pt2", "--device", "auto") == code, bench.output
    assert "the program takes (1, 7, 4, 4, 4), wave0 has (1, 7, 8, 8, 8)" in bench.output
