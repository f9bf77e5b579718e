"""How fast, and in which direction, an error grows on its way along a rollout.

The history map F takes the last n frames to the next n: x = (u_1 .. u_n) -> (u_2 .. u_n, f(x)).  A
small error v obeys v -> J v with J the derivative of F at the state the rollout has reached.  Power
iteration along the rollout, one derivative a step and the vector rescaled each time, turns v into
the direction that grows fastest, and the logarithm of its growth is the rate: the leading
finite-time Lyapunov exponent, by the method of Benettin et al., Meccanica 15 (1980) 9.  Where many
directions grow nearly alike, as in a band of small scales, the rate and what the vector is made of
settle long before the vector itself does.

Memory: the history, the vector and a few frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.probes.scales import norm, sigma
from harness.probes.tangent import Method, derivative_of
from harness.stepping import Draw, Stepper

#: Power iterations, one for each step of the rollout.
ITERATIONS = 20
#: Iterations at the end over which the rate is averaged; before them the vector still turns.
AVERAGED = 8


@dataclass(frozen=True, eq=False)
class Growth:
    """What power iteration along a rollout has found.

    rates: ln |J v| / |v| of each step, e-folds per step; NaN from the first step on at which a
        frame or a derivative is not finite, -inf where the derivative vanishes.
    direction: the unit vector at the end, (n_history, C, *space), rms 1 in units of sigma.
    shares: part of each channel in |v|^2 of the newest frame after each step, (step, C).
    state: last frame of the rollout; steps: finite steps done.  method: of differentiation.
    """

    rates: NDArray[np.float64]
    direction: Tensor
    shares: NDArray[np.float64]
    state: Tensor
    steps: int
    method: Method


def leading_growth(
    advance: Stepper,
    history: Tensor,
    steps: int = ITERATIONS,
    differentiable: bool = False,
    seed: int = 0,
) -> Growth:
    """Power iteration along the first `steps` steps of a rollout.

    history: (n, C, *space), the exact number of frames the model conditions on.  The first vector
    is white noise, sigma in every channel, so that every direction is in it.  |v| is the rms over
    frames, channels and cells, each channel in units of its sigma in the last input frame.
    """
    unit = sigma(history[-1])
    numbers = torch.randn(history.shape, generator=Draw(seed).torch(0), dtype=torch.float64)
    v = numbers.to(history) * unit
    v = v / norm(v, unit)
    derivative, method = derivative_of(advance, history, v, differentiable)
    rates = np.full(steps, np.nan)
    shares = np.full((steps, history.shape[1]), np.nan)
    done = 0
    for step in range(1, steps + 1):
        frame, tangent = derivative(history, v, step)
        grown = torch.cat([v[1:], tangent[None]])
        size = norm(grown, unit)
        if not (math.isfinite(size) and bool(frame.isfinite().all())):
            break
        history, done = torch.cat([history[1:], frame[None]]), step
        rates[step - 1] = math.log(size) if size > 0 else -math.inf
        if size == 0:
            # Nothing of the error is left, and it stays so.
            rates[step - 1 :] = -math.inf
            v = grown
            break
        v = grown / size
        content = (v[-1] / unit).double().square().flatten(1).mean(1)
        shares[step - 1] = (content / content.sum()).cpu().numpy()
    return Growth(rates, v, shares, history[-1], done, method)


def mean_rate(rates: NDArray[np.float64]) -> tuple[float, float]:
    """Mean of the last iterations' rates, and its standard error.

    Successive rates are correlated: with their lag-1 correlation r, at least 0 and at most 0.9, n
    of them count as n (1 - r) / (1 + r).  A non-finite rate among them gives itself, or NaN.
    """
    last = rates[-AVERAGED:]
    mean = float(last.mean())
    if not math.isfinite(mean) or len(last) < 3:
        return mean, math.nan
    d = last - mean
    variance = float(d @ d) / (len(last) - 1)
    if variance == 0:
        return mean, 0.0
    r = min(max(float(d[1:] @ d[:-1]) / float(d @ d), 0.0), 0.9)
    return mean, math.sqrt(variance / len(last) * (1 + r) / (1 - r))


def amplitude(growth: Growth, target: Tensor, unit: Tensor) -> float:
    """How much of the growing direction is in the rollout's error, in units of sigma.

        a = < (p - u)/sigma, v/sigma > / rms(v/sigma)^2,

    p - u the departure of the last frame from the truth `target`, v the newest frame of the
    direction, and < > the mean over channels and cells.  Signless.
    """
    v = (growth.direction[-1] / unit).double()
    error = ((growth.state - target) / unit).double()
    size = float(v.square().mean())
    return abs(float((error * v).mean())) / size if size else 0.0
