"""Directional derivatives of one step of a surrogate, by the best means that it supports.

    forward           forward-mode differentiation: exact, about five evaluations, bounded memory
    double-backward   reverse mode twice, for operators without a forward rule
    central           (f(x + h v) - f(x - h v)) / 2h, for whatever cannot be differentiated

A derivative by a program can be silently wrong: a detached tensor, a custom operator, a NumPy call
in between drops the tangent.  So the first one is compared with a central difference, and a means
that disagrees is not used.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from harness.probes.scales import norm, sigma
from harness.stepping import Stepper

Method = Literal["forward", "double-backward", "central"]
#: (history, direction, step) -> (next frame, its derivative along the direction)
Derivative = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]

#: Largest disagreement of a derivative with the central difference, relative.
DISAGREEMENT = 0.05


def increment(dtype: torch.dtype) -> float:
    """Half distance of the two points in units of sigma: the cube root of the machine epsilon.

    There rounding, eps/h, and the truncation of the series, h^2, are equal: 4e-11 of the derivative
    in float64, 2e-5 in float32.
    """
    return float(torch.finfo(dtype).eps ** (1 / 3))


def central(advance: Stepper) -> Derivative:
    """Central differences.  The frame is the mean of the two, f(x) + O(h^2): no third evaluation."""

    def derivative(history: Tensor, direction: Tensor, step: int) -> tuple[Tensor, Tensor]:
        size = norm(direction, sigma(history[-1]))
        h = increment(history.dtype) / size if size else 1.0
        above = advance(history + h * direction, step)
        below = advance(history - h * direction, step)
        return (above + below) / 2, (above - below) / (2 * h)

    return derivative


def forward(advance: Stepper) -> Derivative:
    """Forward-mode differentiation."""

    def derivative(history: Tensor, direction: Tensor, step: int) -> tuple[Tensor, Tensor]:
        with sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
            # Fused attention has no forward rule; and torch writes some of its own forward rules in
            # a language that it has deprecated.
            warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
            frame, tangent, *_ = torch.func.jvp(lambda x: advance(x, step), (history,), (direction,))
        return frame, tangent

    return derivative


def double_backward(advance: Stepper) -> Derivative:
    """The derivative of a vector-Jacobian product in its vector, which is linear in it."""

    def derivative(history: Tensor, direction: Tensor, step: int) -> tuple[Tensor, Tensor]:
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
            # A number of time steps, say, depends on the state but not smoothly: it has no derivative.
            warnings.filterwarnings("ignore", "Converting a tensor with requires_grad", UserWarning)
            frame, tangent = torch.autograd.functional.jvp(  # type: ignore[no-untyped-call]
                lambda x: advance(x, step), history, direction
            )
        return frame.detach(), tangent.detach()

    return derivative


def derivative_of(
    advance: Stepper, history: Tensor, direction: Tensor, differentiable: bool
) -> tuple[Derivative, Method]:
    """The best means that works for this map, tried at its first step.

    differentiable: whether automatic differentiation is worth a try.
    """
    plain = central(advance)
    if not differentiable:
        return plain, "central"
    _, expected = plain(history, direction, 1)
    unit = sigma(history[-1])
    means: Sequence[tuple[Callable[[Stepper], Derivative], Method]] = (
        (forward, "forward"),
        (double_backward, "double-backward"),
    )
    for make, method in means:
        derivative = make(advance)
        try:
            _, tangent = derivative(history, direction, 1)
        except (RuntimeError, NotImplementedError):
            continue  # an operator without a derivative
        if norm(tangent - expected, unit) <= DISAGREEMENT * norm(expected, unit):
            return derivative, method
    return plain, "central"
