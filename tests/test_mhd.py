"""The embedded solver against exact solutions, exact symmetries and exact invariants."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.truth.initial import noise
from harness.truth.mhd import Settings, Solver, SolverError
from harness.truth.spectral import forward, inverse, resample, wavenumbers

FREE = Settings(grid=12, injection=0.0, viscosity=0.0)
DOUBLE = torch.float64


def coordinates(n: int) -> Tensor:
    x = torch.arange(n, dtype=DOUBLE) * (2 * math.pi / n)
    return torch.stack(torch.meshgrid(x, x, x, indexing="ij"))


def with_steps(settings: Settings, state: Tensor, steps: int) -> Solver:
    """A solver that takes exactly this many steps for the frame that starts at `state`."""
    one = Solver(replace(settings, courant=1.0), dtype=DOUBLE)
    rho, b, v = state[0], state[1:4], state[4:7]
    speed = (v.abs().amax(0) + (settings.sound_speed**2 + b.square().sum(0) / rho).sqrt()).max()
    courant = settings.frame_dt * float(speed) * one.cutoff / (steps - 0.5)
    solver = Solver(replace(settings, courant=courant), dtype=DOUBLE)
    assert solver.steps(state)[0] == steps
    return solver


def turbulence(n: int, seed: int = 3) -> Tensor:
    """A state with every coupling at work: noise, compressed and stirred for two frames."""
    solver = Solver(Settings(grid=n, viscosity=0.05), dtype=DOUBLE)
    state = noise(seed, n, solver.settings)
    for _ in range(2):
        state = solver.advance(state)
    return state


def alfven_wave(k: tuple[int, int, int], time: float, viscosity: float) -> Tensor:
    """Circularly polarised Alfven wave along B0 parallel to k: exact for any amplitude."""
    k_vector = torch.tensor(k, dtype=DOUBLE)
    norm = k_vector.norm()
    along = k_vector / norm
    first = torch.tensor([-k[1], k[0], 0], dtype=DOUBLE) / norm
    second = torch.linalg.cross(along, first)
    phase = torch.einsum("i,ixyz->xyz", k_vector, coordinates(12)) - norm * time
    amplitude = 0.3 * math.exp(-viscosity * float(norm) ** 2 * time)
    wave = torch.einsum("i,xyz->ixyz", first, phase.cos())
    wave += torch.einsum("i,xyz->ixyz", second, phase.sin())
    b = amplitude * wave
    return torch.cat([torch.ones_like(b[:1]), b + along.view(3, 1, 1, 1), -b])


@pytest.mark.parametrize("k", [(1, 0, 0), (1, 1, 0)])
@pytest.mark.parametrize("viscosity", [0.0, 0.05])
def test_alfven_wave_is_followed_to_fourth_order(k, viscosity):
    settings = replace(FREE, frame_dt=2.0, viscosity=viscosity)
    start, end = alfven_wave(k, 0.0, viscosity), alfven_wave(k, 2.0, viscosity)
    errors = [
        float((with_steps(settings, start, n).advance(start) - end).abs().max()) for n in (10, 20, 40)
    ]
    orders = [math.log2(a / b) for a, b in pairwise(errors)]
    assert min(orders) >= 3.9, (errors, orders)
    assert errors[-1] < 1e-6


@pytest.mark.parametrize("k", [(1, 1, 0), (1, -2, 1)])
@pytest.mark.parametrize("branch", ["fast", "alfven", "slow"])
def test_linear_waves(branch, k):
    """Against the eigenmodes of the equations linearised by hand, oblique to B0, and their decay."""
    k, b0, c2 = np.array(k, float), np.array([1.0, 0.0, 0.0]), FREE.sound_speed**2
    rate = np.zeros((7, 7), complex)  # d/dt of (rho, B, v) = rate @ (rho, B, v)
    rate[0, 4:] = -1j * k
    rate[1:4, 4:] = 1j * (k @ b0) * np.eye(3) - 1j * np.outer(b0, k)
    rate[4:, 0] = -1j * c2 * k
    rate[4:, 1:4] = 1j * (k @ b0) * np.eye(3) - 1j * np.outer(k, b0)
    values, vectors = np.linalg.eig(rate)
    # omega^2 of the dispersion relation, v_A = 1
    half, along = (k @ k) * (1 + c2) / 2, (k @ b0) ** 2
    root = math.sqrt(half**2 - (k @ k) * c2 * along)
    squared = {"fast": half + root, "alfven": along, "slow": half - root}
    mode = int(np.argmin(np.abs(values + 1j * math.sqrt(squared[branch]))))
    assert abs(values[mode] + 1j * math.sqrt(squared[branch])) < 1e-12

    viscosity, phase = 0.02, torch.einsum("i,ixyz->xyz", torch.tensor(k), coordinates(12))

    def wave(time: float) -> Tensor:
        amplitude = vectors[:, mode] * np.exp((values[mode] - viscosity * (k @ k)) * time)
        return (torch.tensor(amplitude).view(7, 1, 1, 1) * torch.exp(1j * phase)).real

    rest = torch.zeros(7, 12, 12, 12, dtype=DOUBLE)
    rest[:2] = 1.0
    start = rest + 1e-8 * wave(0.0)
    settings = replace(FREE, frame_dt=1.0, viscosity=viscosity)
    end = with_steps(settings, start, 80).advance(start)
    error = ((end - rest) / 1e-8 - wave(1.0)).norm() / wave(1.0).norm()
    assert error < 1e-6


def test_forced_turbulence_converges_at_fourth_order():
    start = turbulence(12)
    settings = Settings(grid=12, viscosity=0.05)
    frames = [with_steps(settings, start, n).advance(start) for n in (4, 8, 16, 128)]
    errors = [float((frame - frames[-1]).norm()) for frame in frames[:-1]]
    assert math.log2(errors[1] / errors[2]) >= 3.7, errors


def mirror(state: Tensor, axis: int) -> Tensor:
    """Reflection of one coordinate; v is a polar vector and B an axial one."""
    out = torch.roll(torch.flip(state, [axis + 1]), 1, axis + 1)
    sign = torch.ones(7, dtype=state.dtype)
    sign[1:4] = -1
    sign[1 + axis] = 1
    sign[4 + axis] = -1
    return out * sign.view(7, 1, 1, 1)


def quarter_turn(state: Tensor) -> Tensor:
    """Rotation by 90 degrees about x: y' = -z, z' = y."""
    out = torch.roll(torch.flip(state.transpose(2, 3), [2]), 1, 2)
    return torch.stack([out[0], out[1], -out[3], out[2], out[4], -out[6], out[5]])


def cycle(state: Tensor) -> Tensor:
    """x -> y -> z -> x, a rotation about the space diagonal."""
    return state.permute(0, 3, 1, 2)[[0, 3, 1, 2, 6, 4, 5]]


def flip_field(state: Tensor) -> Tensor:
    return torch.cat([state[:1], -state[1:4], state[4:]])


SYMMETRIES = {
    "quarter turn about B0": quarter_turn,
    "mirror along B0": lambda s: mirror(s, 0),
    "mirror across B0": lambda s: mirror(s, 1),
    "field reversal": flip_field,
    "translation": lambda s: torch.roll(s, (1, 2, 5), (1, 2, 3)),
}


@pytest.mark.parametrize("injection", [0.0, 0.13])
@pytest.mark.parametrize("name", SYMMETRIES)
def test_discrete_symmetries_hold_to_rounding(name, injection):
    solver = Solver(Settings(grid=12, viscosity=0.05, injection=injection), dtype=DOUBLE)
    state, transform = turbulence(12), SYMMETRIES[name]
    assert (transform(state) - state).norm() > 1
    difference = solver.advance(transform(state)) - transform(solver.advance(state))
    assert difference.abs().max() < 2e-13


def test_forcing_singles_out_the_mean_field_and_nothing_else():
    state = turbulence(12)
    along_x = Settings(grid=12, viscosity=0.05)
    along_y = replace(along_x, mean_field=(0.0, 1.0, 0.0))
    expected = cycle(Solver(along_x, dtype=DOUBLE).advance(state))
    turned = Solver(along_y, dtype=DOUBLE).advance(cycle(state))
    assert (turned - expected).abs().max() < 2e-13
    wrong = Solver(along_x, dtype=DOUBLE).advance(cycle(state))
    assert (wrong - expected).abs().max() > 1e-4


def test_force_has_the_stated_power_direction_and_band():
    """The force is the time derivative of the momentum that `injection` adds, as dt -> 0."""
    state, dt = turbulence(12), 1e-4

    def momentum(injection: float) -> Tensor:
        settings = Settings(grid=12, viscosity=0.05, injection=injection, frame_dt=dt)
        end = Solver(settings, dtype=DOUBLE).advance(state)
        return end[4:] * end[0]

    force = (momentum(0.13) - momentum(0.0)) / dt
    assert float((force * state[4:] * state[0]).sum(0).mean()) == pytest.approx(0.13, rel=1e-3)

    k = wavenumbers(12, 5)
    k2 = k.square().sum(0)
    c, m = forward(force, 5), forward(state[4:] * state[0], 5)
    amplitude = c.abs().square().sum(0).sqrt()
    band = (k2 >= 1.2**2) & (k2 <= 2.5**2)
    planar, other = amplitude[band & (k[0] == 0)], amplitude[band & (k[0] != 0)]
    small = 1e-3 * float(other.mean())
    assert amplitude[~band].max() < small
    assert (k * c).sum(0).abs().max() < small
    assert other.std() < small and planar.std() < small
    assert float(planar.mean() / other.mean()) == pytest.approx(0.45, rel=1e-3)
    solenoidal = m - k * (k * m).sum(0) / k2.clamp_min(1)
    work = (c.conj() * solenoidal).sum(0)[band]
    aligned = (amplitude * solenoidal.abs().square().sum(0).sqrt())[band]
    assert (work / aligned - 1).abs().max() < 1e-3


@pytest.mark.parametrize(("dtype", "tolerance"), [(DOUBLE, 1e-14), (torch.float32, 3e-7)])
def test_mass_mean_field_and_momentum_are_conserved_and_div_b_stays_zero(dtype, tolerance):
    solver = Solver(Settings(grid=16, viscosity=0.05), dtype=dtype)
    start = turbulence(16).to(dtype)
    end = start
    for _ in range(3):
        end = solver.advance(end)
    for state in (start, end):
        k = wavenumbers(16, 7)
        b = forward(state[1:4].double(), 7)
        gradient = (k.square().sum(0) * b.abs().square().sum(0)).sum().sqrt()
        assert (k * b).sum(0).abs().square().sum().sqrt() / gradient < 3 * tolerance

    def means(state: Tensor) -> Tensor:
        state = state.double()
        return torch.cat([state[:4], state[4:] * state[0]]).mean((1, 2, 3))

    assert (means(end) - means(start)).abs().max() < tolerance
    assert (end - start).abs().max() > 0.1


def test_energy_is_conserved_without_viscosity_and_force():
    """<rho v^2/2 + B^2/2 + c_s^2 rho ln rho> is an invariant of the equations."""

    def energy(state: Tensor) -> float:
        rho, b, v = state[0], state[1:4], state[4:]
        kinetic = rho * v.square().sum(0) / 2 + b.square().sum(0) / 2
        return float((kinetic + FREE.sound_speed**2 * rho * rho.log()).mean())

    rest = torch.zeros(7, 24, 24, 24, dtype=DOUBLE)
    rest[:2] = 1.0
    start = 0.3 * resample(turbulence(16), 24) + 0.7 * rest
    end = Solver(replace(FREE, grid=24, courant=0.5), dtype=DOUBLE).advance(start)
    exchanged = (end[4:].square().sum(0).mean() - start[4:].square().sum(0).mean()).abs() / 2
    assert abs(energy(end) - energy(start)) < 1e-3 * float(exchanged)


def test_float32_follows_float64_and_repeats_itself():
    settings = Settings(grid=16, viscosity=0.05)
    start = turbulence(16).float()
    single, double = Solver(settings).advance(start), Solver(settings, dtype=DOUBLE).advance(start)
    assert single.dtype == torch.float32 and double.dtype == DOUBLE
    error = (single - double).flatten(1).std(1) / double.flatten(1).std(1)
    assert 0 < error.max() < 5e-6
    assert torch.equal(single, Solver(settings).advance(start))


def test_a_state_at_rest_stays_at_rest_under_forcing():
    rest = torch.zeros(7, 12, 12, 12)
    rest[:2] = 1.0
    assert torch.equal(Solver(Settings(grid=12)).advance(rest), rest)


def planted(channel: int, value: float) -> Tensor:
    state = noise(1, 12, Settings()).float()
    state[channel, 0, 1, 2] = value
    return state


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (planted(0, -0.25), r"density -0\.25 is not positive at time 1\.5"),
        (planted(0, 0.0), r"density 0 is not positive at time 1\.5"),
        (planted(2, math.nan), r"B_y is not finite in 1 cells at time 1\.5"),
        (planted(6, math.inf), r"v_z is not finite in 1 cells at time 1\.5"),
        (planted(4, 1e7), r"signal speed 1e\+07 needs \d+ time steps"),
    ],
)
def test_states_that_cannot_be_advanced_are_named(state, message):
    with pytest.raises(SolverError, match=message):
        Solver(Settings(grid=12)).advance(state, time=1.5)


def test_a_density_that_turns_negative_on_the_way_is_named_with_its_time():
    state = noise(1, 12, Settings()).float()
    state[4] = 3 * torch.sin(coordinates(12)[0]).float()
    with pytest.raises(SolverError, match=r"density -?[\d.e-]+ is not positive at time 2\.\d+"):
        Solver(Settings(grid=12, viscosity=0.0, frame_dt=1.0)).advance(state, time=2.0)


def test_a_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"takes a state \(7, 12, 12, 12\), got \(7, 8, 8, 8\)"):
        Solver(Settings(grid=12)).advance(torch.ones(7, 8, 8, 8))


def band_limited(n: int, cutoff: int) -> Tensor:
    """Random real field without wavenumbers above `cutoff`, by a mask on the full transform."""
    white = torch.randn(2, n, n, n, dtype=DOUBLE, generator=torch.Generator().manual_seed(n))
    c = torch.fft.fftn(white, dim=(1, 2, 3))
    k = torch.fft.fftfreq(n, 1 / n).abs()
    keep = (k[:, None, None] <= cutoff) & (k[:, None] <= cutoff) & (k <= cutoff)
    return torch.fft.ifftn(c * keep, dim=(1, 2, 3)).real


@pytest.mark.parametrize(("m", "n"), [(32, 24), (24, 32), (12, 16), (9, 12), (12, 9)])
def test_resampling_is_exact_for_band_limited_fields(m, n):
    field = band_limited(m, (min(m, n) - 1) // 2)
    there = resample(field, n)
    assert there.shape == (2, n, n, n)
    assert (resample(there, m) - field).abs().max() < 1e-14
    assert torch.allclose(there[:, 0, 0, 0], field[:, 0, 0, 0], atol=1e-14)
    assert torch.allclose(there.square().mean(), field.square().mean(), rtol=1e-12)


def test_resampling_evaluates_the_fourier_series_at_the_new_points():
    def wave(n: int) -> Tensor:
        x, y, z = coordinates(n)
        return torch.sin(3 * x - 2 * y) * torch.cos(z) + torch.cos(4 * y + 2 * z)

    assert (resample(wave(12), 20) - wave(20)).abs().max() < 1e-14
    assert (resample(wave(20), 12) - wave(12)).abs().max() < 1e-14


def test_resampling_drops_the_nyquist_wavenumber_and_all_above():
    x = coordinates(16)[0]
    assert resample(torch.cos(8 * x), 24).abs().max() < 1e-14
    assert resample(torch.cos(6 * x), 12).abs().max() < 1e-14
    assert resample(torch.cos(7 * x), 12).abs().max() < 1e-14


def test_coefficients_are_those_of_the_series():
    x, y, z = coordinates(12)
    c = forward(1.5 + 2 * torch.cos(2 * x - y + 3 * z), 4)
    assert c.shape == (12, 12, 5)
    assert complex(c[0, 0, 0]) == pytest.approx(1.5)
    assert complex(c[2, -1, 3]) == pytest.approx(1.0)
    assert float(c.abs().sum()) == pytest.approx(2.5)
    assert wavenumbers(12, 4)[:, 2, -1, 3].tolist() == [2, -1, 3]
    field = band_limited(12, 4)
    assert (inverse(forward(field, 4), 12) - field).abs().max() < 1e-14
