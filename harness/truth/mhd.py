"""Compressible isothermal magnetohydrodynamics in a periodic box: the embedded truth.

    d rho/dt = -div m                                                     + nu lap rho
    d m/dt   = -div( m v - B B + (c_s^2 rho + B^2/2) I ) + F               + nu lap m
    d B/dt   = curl( v x B )                                              + nu lap B

with m = rho v, side 2 pi, magnetic permeability 1 and one diffusivity nu for all.  Everything is
a divergence or a curl, so mass and mean field are conserved and div B stays zero to rounding.

Method: Fourier pseudo-spectral (Canuto et al., Spectral Methods, 2007) with the products formed
on the grid and cut at abs(k_i) < N/3 (Orszag's rule), advanced by the classical fourth-order
Runge-Kutta scheme with the diffusion integrated exactly (integrating factor).

Forcing: the modes of a low-wavenumber band are pushed along their own solenoidal momentum,

    F_k = a w_k P_k m_k / abs(P_k m_k),     P_k m = m - k (k.m)/k^2,

with w_k = `planar_weight` where k.B0 = 0 and 1 elsewhere, and a such that <F.m> equals
`injection` at every instant.  It is a function of the state alone, so the next frame is too: a
surrogate that sees one frame has no hidden noise to guess.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.fields import MHD
from harness.truth.spectral import forward, inverse, resample, wavenumbers

#: Changes whenever the numbers the solver returns change.
VERSION = 1

#: A frame of turbulence takes about 8; a state that needs this many is not one to advance.
MAX_STEPS = 1000

RHO, B, M = MHD.slice("density"), MHD.slice("magnetic_field"), MHD.slice("velocity")
#: The two axes that follow x, y and z in cyclic order, for curls and mixed stresses.
CYCLIC = ((1, 2), (2, 0), (0, 1))


class SolverError(ArithmeticError):
    """The state is not one that the equations can advance."""


@dataclass(frozen=True)
class Settings:
    """Parameters of a simulation; the box has side 2 pi and the mean density is about 1.

    grid: cells per side on which products are formed.
    sound_speed: isothermal c_s.
    viscosity: nu, the diffusivity of momentum, field and density alike.
    injection: power <F.m> of the forcing per unit volume (at mean density 1); 0 for none.
    planar_weight: relative amplitude of the forced modes with k.B0 = 0.
    band: smallest and largest forced wavenumber.
    mean_field: B0, along which `planar_weight` and the initial field are defined.
    frame_dt: time between two frames.
    courant: dt times the largest signal speed times the largest wavenumber, per direction.
    """

    grid: int = 32
    sound_speed: float = 1.1
    viscosity: float = 0.023
    injection: float = 0.14
    planar_weight: float = 0.45
    band: tuple[float, float] = (1.2, 2.5)
    mean_field: tuple[float, float, float] = (1.0, 0.0, 0.0)
    frame_dt: float = 0.3
    courant: float = 1.5


class Solver:
    """Advances a state (7, N, N, N) of rho, B, v by whole frames; N is `settings.grid`."""

    def __init__(
        self,
        settings: Settings,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.settings, self.device, self.dtype = settings, torch.device(device), dtype
        n = settings.grid
        self.cutoff = (n - 1) // 3
        k = wavenumbers(n, self.cutoff, self.device)
        keep = (k.abs() <= self.cutoff).all(0)
        self._k2 = k.square().sum(0)
        self._keep = keep.to(dtype)
        self._ik = (1j * k * keep).to(dtype.to_complex())

        low, high = settings.band
        norm = self._k2.sqrt()
        self._band = torch.nonzero(((norm >= low) & (norm <= high) & keep).flatten()).squeeze(1)
        k = k.flatten(1)[:, self._band]
        planar = k.T @ k.new_tensor(settings.mean_field) == 0
        self._band_k = k.to(dtype.to_complex())
        self._band_unit = (k / k.square().sum(0)).to(dtype.to_complex())
        self._band_weight = torch.where(planar, k.new_tensor(settings.planar_weight), 1.0).to(dtype)
        # A coefficient with k_z > 0 stands for its conjugate at -k as well.
        self._band_count = torch.where(k[2] > 0, 2.0, 1.0).to(dtype)

    def steps(self, state: Tensor) -> tuple[int, float]:
        """Number and length of the equal time steps of the frame that starts at `state`.

        Raises SolverError where more than `MAX_STEPS` would be needed.
        """
        s = self.settings
        rho, b, v = state[0], state[B], state[M]
        fast = (s.sound_speed**2 + b.square().sum(0) / rho).sqrt()
        speed = float((v.abs().amax(0) + fast).max())
        n = math.ceil(s.frame_dt * speed * self.cutoff / s.courant)
        if n > MAX_STEPS:
            raise SolverError(f"signal speed {speed:.4g} needs {n} time steps for one frame")
        return n, s.frame_dt / n

    def advance(self, state: Tensor, time: float = 0.0) -> Tensor:
        """The state one frame later.

        state: (7, N, N, N), rho, B and v in physical units, on any device and dtype.
        time: time of `state`, for error messages only.
        Raises SolverError, naming time, quantity and value, when a value is not finite or a
        density not positive, in `state` or on the way.
        """
        s = self.settings
        shape = (MHD.n_channels, s.grid, s.grid, s.grid)
        if tuple(state.shape) != shape:
            raise ValueError(f"the solver takes a state {shape}, got {tuple(state.shape)}")
        state = state.to(self.device, self.dtype)
        _check(state, time)
        n, dt = self.steps(state)
        decay = torch.exp(self._k2 * (-s.viscosity * dt / 2)).to(self.dtype)
        conserved = torch.cat([state[:4], state[M] * state[RHO]])
        u = (forward(conserved, self.cutoff) * self._keep).contiguous()
        for step in range(n):
            u = self._step(u, dt, decay, time + step * dt)
        state = inverse(u, s.grid)
        state[M] /= state[RHO]
        _check(state, time + s.frame_dt)
        return state

    def _step(self, u: Tensor, dt: float, decay: Tensor, time: float) -> Tensor:
        """One step of RK4 for w = exp(nu k^2 t) u; `decay` is exp(-nu k^2 dt/2)."""
        a = self._rate(u, time)
        half = decay * u
        a *= decay
        b = self._rate(torch.add(half, a, alpha=dt / 2), time)
        c = self._rate(torch.add(half, b, alpha=dt / 2), time)
        d = self._rate(torch.add(half, c, alpha=dt).mul_(decay), time)
        middle = b.add_(c).mul_(2).add_(a).mul_(dt / 6).add_(half).mul_(decay)
        return middle.add_(d, alpha=dt / 6)

    def _rate(self, u: Tensor, time: float) -> Tensor:
        """d/dt of the coefficients (7, N, N, cutoff + 1) of rho, B, m, without the diffusion."""
        grid = inverse(u, self.settings.grid)
        rho, b, m = grid[0], grid[B], grid[M]
        if not (lowest := rho.min()) > 0:
            raise SolverError(f"density {float(lowest):.4g} is not positive at time {time:.4g}")
        v = m / rho
        pressure = b.square().sum(0).mul_(0.5).add_(rho, alpha=self.settings.sound_speed**2)
        flux = rho.new_empty((9, *rho.shape))
        for i, (j, k) in enumerate(CYCLIC):
            torch.addcmul(pressure, m[i], v[i], out=flux[i]).addcmul_(b[i], b[i], value=-1)
            torch.mul(m[j], v[k], out=flux[3 + i]).addcmul_(b[j], b[k], value=-1)
            torch.mul(v[j], b[k], out=flux[6 + i]).addcmul_(v[k], b[j], value=-1)
        f, ik = forward(flux, self.cutoff), self._ik
        normal, shear, emf = f[:3], f[3:6], f[6:]
        rate = torch.empty_like(u, memory_format=torch.contiguous_format)
        rate[0] = -(ik * u[M]).sum(0)
        for i, (j, k) in enumerate(CYCLIC):
            torch.mul(ik[j], emf[k], out=rate[1 + i]).addcmul_(ik[k], emf[j], value=-1)
            torch.mul(ik[i], normal[i], out=rate[4 + i])
            rate[4 + i].addcmul_(ik[j], shear[k]).addcmul_(ik[k], shear[j]).neg_()
        if self.settings.injection:
            self._add_force(u, rate)
        return rate

    def _add_force(self, u: Tensor, rate: Tensor) -> None:
        m = u[M].view(3, -1)[:, self._band]
        m = m - self._band_unit * (self._band_k * m).sum(0)
        power = m.abs().square().sum(0)
        # The constants, far below turbulent values, only keep a state at rest finite.
        weight = self._band_weight / (power + 1e-12).sqrt()
        injected = (self._band_count * weight * power).sum().clamp_min(1e-12)
        force = m * (weight * (self.settings.injection / injected))
        rate[M].view(3, -1).index_add_(1, self._band, force)

    def advance_stored(self, frame: Tensor, time: float = 0.0) -> Tensor:
        """`advance` for a frame (7, n, n, n) kept on a coarser grid, n > 2/3 of `settings.grid`."""
        return resample(self.advance(resample(frame, self.settings.grid), time), frame.shape[-1])


def _check(state: Tensor, time: float) -> None:
    for label, channel in zip(MHD.channels, state, strict=True):
        if not torch.isfinite(channel).all():
            count = int((~torch.isfinite(channel)).sum())
            raise SolverError(f"{label} is not finite in {count} cells at time {time:.4g}")
    if not (lowest := state[0].min()) > 0:
        raise SolverError(f"density {float(lowest):.4g} is not positive at time {time:.4g}")
