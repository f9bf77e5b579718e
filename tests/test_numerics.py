"""TF32 is a precision of its own: allowed inside the model's step, nowhere else, and recorded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from harness import numerics

CPU = torch.device("cpu")
IEEE = {"matmul_precision": "highest", "cudnn_allow_tf32": "False"}
TF32 = {"matmul_precision": "high", "cudnn_allow_tf32": "True"}


@pytest.fixture(autouse=True)
def strict() -> Iterator[None]:
    with numerics.strict():
        yield


def switches(precision: str = "fp32") -> dict[str, str]:
    return {name: numerics.flags(precision)[name] for name in IEEE}


def test_tf32_is_on_inside_a_step_only() -> None:
    assert switches() == IEEE
    with pytest.raises(RuntimeError), numerics.autocast("tf32", CPU):
        assert switches() == TF32
        raise RuntimeError
    assert switches() == IEEE


def test_the_switches_of_a_precision_are_known_without_a_step() -> None:
    """What a record stores and its key holds; asking changes nothing."""
    assert switches("tf32") == TF32
    assert [switches(p) for p in ("fp32", "fp64", "bf16", "fp32+fp64")] == [IEEE] * 4
    assert switches() == IEEE


def test_weights_and_state_stay_float32() -> None:
    assert numerics.DTYPES["tf32"] is torch.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="TF32 is a GPU's")
def test_tf32_rounds_on_a_gpu() -> None:
    a = torch.randn(256, 256, device="cuda")
    exact = a.double() @ a.double()
    errors = {}
    for precision in ("fp32", "tf32"):
        with numerics.autocast(precision, a.device):
            errors[precision] = float(((a @ a).double() - exact).norm() / exact.norm())
    assert errors["fp32"] < 1e-6 < 1e-4 < errors["tf32"] < 1e-2
