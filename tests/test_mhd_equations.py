"""The embedded solver against its equations in another form, written down without it.

The solver advances rho, B and rho v by divergences and a curl.  Here the same equations stand in
primitive variables, where no flux is left,

    d rho/dt = -div(rho v) + nu lap rho
    d v/dt   = -(v.grad) v - c_s^2 grad ln rho + (curl B) x B / rho + nu (lap(rho v) - v lap rho) / rho
    d B/dt   = curl(v x B) + nu lap B,

with full complex transforms, no dealiasing, and a smooth flow that needs none.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from harness.truth.mhd import Settings, Solver

Array = NDArray[np.float64]

N, NU, SOUND, TIME, STEPS = 32, 0.02, 1.1, 0.1, 8


def _fourier(field: Array, factor: NDArray[np.complex128]) -> Array:
    return np.fft.ifftn(factor * np.fft.fftn(field, axes=(-3, -2, -1)), axes=(-3, -2, -1)).real


K = np.stack(np.meshgrid(*[np.fft.fftfreq(N, 1 / N)] * 3, indexing="ij"))
SLOPE = 1j * np.where(np.abs(K) == N / 2, 0, K)


def lap(field: Array) -> Array:
    return _fourier(field, -(K**2).sum(0) + 0j)


def grad(field: Array) -> Array:
    return np.stack([_fourier(field, slope) for slope in SLOPE])


def curl(field: Array) -> Array:
    d = [grad(component) for component in field]
    return np.stack([d[2][1] - d[1][2], d[0][2] - d[2][0], d[1][0] - d[0][1]])


def rate(state: Array) -> Array:
    rho, b, v = state[0], state[1:4], state[4:]
    density = -sum(grad(rho * v[i])[i] for i in range(3)) + NU * lap(rho)
    advection = np.stack([(v * grad(component)).sum(0) for component in v])
    lorentz = np.cross(curl(b), b, axis=0) / rho
    friction = NU * (lap(rho * v) - v * lap(rho)) / rho
    velocity = -advection - SOUND**2 * grad(np.log(rho)) + lorentz + friction
    return np.concatenate([density[None], curl(np.cross(v, b, axis=0)) + NU * lap(b), velocity])


def test_the_solver_solves_its_equations_in_primitive_variables() -> None:
    x, y, z = np.stack(np.meshgrid(*[np.arange(N) * 2 * np.pi / N] * 3, indexing="ij"))
    rho = 1 + 0.2 * np.sin(x + y) + 0.1 * np.cos(z - y)
    b = [1 + 0.2 * np.sin(y) + 0.1 * np.cos(z), 0.3 * np.sin(x) + 0.1 * np.cos(z), 0.2 * np.cos(x - y)]
    v = [
        0.3 * np.sin(y + z) + 0.1 * np.cos(x),
        0.2 * np.cos(x) + 0.1 * np.sin(y + z),
        0.2 * np.sin(x - y),
    ]
    start = np.stack([rho, *b, *v])

    expected, h = start, TIME / STEPS
    for _ in range(STEPS):
        first = rate(expected)
        second = rate(expected + h / 2 * first)
        third = rate(expected + h / 2 * second)
        fourth = rate(expected + h * third)
        expected = expected + h / 6 * (first + 2 * second + 2 * third + fourth)

    settings = Settings(N, SOUND, NU, injection=0.0, frame_dt=TIME, courant=0.3)
    found = Solver(settings, dtype=torch.float64).advance(torch.from_numpy(start)).numpy()
    change = np.abs(expected - start).max((1, 2, 3))
    assert change.min() > 0.01
    assert (np.abs(found - expected).max((1, 2, 3)) < 1e-6 * change).all()
