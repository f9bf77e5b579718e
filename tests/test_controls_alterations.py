"""Alterations of a field: each does exactly what it says, and nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from harness.surrogates.controls import alterations as alter
from harness.surrogates.controls import faults
from tests.turbulent_fields import (
    CELLS,
    SPACE,
    about_zero,
    divergence_ratio,
    lattice,
    power,
    shells,
    stencil,
    turbulent,
)


def test_amplify_scales_the_fluctuation_about_the_mean() -> None:
    field = turbulent()
    result = alter.amplify(field, 3.0)
    mean = field.mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(result.mean((1, 2, 3), keepdim=True), mean)
    torch.testing.assert_close(result - mean, 3 * (field - mean))


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("gain", [1.0, 1.2, 50.0])
def test_one_component_grows_in_every_shell_without_divergence(axis: int, gain: float) -> None:
    field = turbulent()
    result = alter.amplify_component(field, axis, gain)
    others = [i for i in range(3) if i != axis]
    assert torch.equal(result[others], field[others])
    ratio = shells(power(result[axis])) / shells(power(field[axis]))
    np.testing.assert_allclose(ratio[: CELLS // 2 + 1], gain, rtol=1e-9)
    assert result.mean((1, 2, 3)).sub(field.mean((1, 2, 3))).abs().max() < 1e-14
    # The divergence itself, not its ratio to a larger field.
    assert divergence_ratio(result) < 1e-14
    torch.testing.assert_close(stencil(result), stencil(field), atol=1e-12, rtol=0)


def test_one_component_grows_even_where_only_rounding_errors_can_carry_it() -> None:
    y, z = torch.meshgrid(*(2 * math.pi * torch.arange(CELLS).double() / CELLS,) * 2, indexing="ij")
    field = torch.zeros(3, *SPACE, dtype=torch.float64)
    field[1] = torch.cos(y + z) + 1e-7 * torch.randn(CELLS, generator=torch.Generator().manual_seed(0))
    field[2] = -torch.cos(y + z)
    result = alter.amplify_component(field, 1, 9.0)
    assert float(result[1].var() / field[1].var()) == pytest.approx(9.0, rel=1e-6)
    torch.testing.assert_close(stencil(result), stencil(field), atol=1e-12, rtol=0)


@pytest.mark.parametrize("space", [SPACE, (12, 16, 18), (15, 15, 15)])
def test_monopoles_keep_the_power_of_every_mode(space: tuple[int, ...]) -> None:
    field = turbulent(space)
    result = alter.add_monopoles(field, faults.MONOPOLES)
    np.testing.assert_allclose(power(result).sum(0), power(field).sum(0), rtol=1e-6, atol=1e-20)
    torch.testing.assert_close(result.mean((1, 2, 3)), field.mean((1, 2, 3)))
    assert divergence_ratio(field) < 1e-12
    assert divergence_ratio(result) == pytest.approx(math.sqrt(0.05), rel=1e-9)
    # Gradients are spread over the box, not piled up in one place.
    assert float(result.abs().max()) < 1.5 * float(field.abs().max())


def test_blur_damps_each_mode_by_its_gaussian_and_makes_nothing_negative() -> None:
    field = turbulent()
    result = alter.blur(field, 0.2)
    k = lattice(SPACE) * CELLS
    expected = power(field) * np.exp(-(k**2).sum(0) / (0.2 * CELLS) ** 2)
    np.testing.assert_allclose(power(result), expected, rtol=1e-6, atol=1e-20)
    torch.testing.assert_close(result.mean((1, 2, 3)), field.mean((1, 2, 3)))
    assert divergence_ratio(result) < 1e-12
    spike = torch.full(SPACE, 1e-3, dtype=torch.float64)
    spike[3, 4, 5] = 1.0
    assert float(alter.blur(spike, faults.BLUR).min()) > 0


def test_pile_up_changes_the_small_scales_only() -> None:
    field = turbulent()
    result = alter.pile_up(field, 4.0)
    ratio = shells(power(result).sum(0)) / np.maximum(shells(power(field).sum(0)), 1e-300)
    np.testing.assert_allclose(ratio[1 : 3 * CELLS // 8], 1.0, rtol=1e-9)
    np.testing.assert_allclose(ratio[3 * CELLS // 8 : CELLS // 2], 16.0, rtol=1e-9)
    assert divergence_ratio(result) < 1e-12


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_an_aligned_velocity_keeps_its_shells_and_follows_the_field(sign: float) -> None:
    b, v = turbulent(seed=0), turbulent(seed=1).flip(0) + 0.3
    result = alter.align(v, b, sign)
    torch.testing.assert_close(result.mean((1, 2, 3)), v.mean((1, 2, 3)))
    for component in range(3):
        before, after = (shells(power(f[component])) for f in (v, result))
        np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-20)
    fluctuations = [about_zero(f) for f in (result, b)]
    aligned = (fluctuations[0] * fluctuations[1]).mean()
    most = sum(np.sqrt(shells(power(v[i])) * shells(power(b[i]))).sum() / 3 for i in range(3))
    assert float(aligned) == pytest.approx(sign * most, rel=1e-9)


def test_a_gathered_field_keeps_every_amplitude_and_is_one_clump() -> None:
    field = 1 + 0.3 * turbulent()[1]
    result = alter.gather(field, 3.0)
    np.testing.assert_allclose(power(result), power(field), rtol=1e-6, atol=1e-20)
    assert float(result.mean()) == pytest.approx(float(field.mean()), rel=1e-12)
    peak = np.unravel_index(int(result.argmax()), SPACE)
    assert peak == (3, 3, 3)
    assert float(result.min()) > 0
    assert float(result.max()) > 2 * float(field.max())


@pytest.mark.parametrize("space", [SPACE, (8, 16, 12)])
def test_an_imprint_changes_the_token_lattice_only(space: tuple[int, ...]) -> None:
    field = turbulent(space)
    result = alter.imprint(field, 4, 3.0)
    index = np.meshgrid(*(np.arange(n) for n in space), indexing="ij")
    on = np.all([i % (n // 4) == 0 for i, n in zip(index, space, strict=True)], axis=0)
    before, after = power(field).sum(0), power(result).sum(0)
    np.testing.assert_allclose(after, np.where(on, 9.0, 1.0) * before, rtol=1e-6, atol=1e-20)
    torch.testing.assert_close(result.mean((1, 2, 3)), field.mean((1, 2, 3)))
    assert divergence_ratio(result) < 1e-12


def test_a_hole_is_small_smooth_and_massless() -> None:
    density = 1 + 0.7 * turbulent()[1]
    density = density - density.min() + 0.2
    result = alter.dig_hole(density, depth=0.02)
    assert float(result.mean()) == pytest.approx(float(density.mean()), rel=1e-12)
    assert float(result.min()) == pytest.approx(-0.02 * float(density.mean()), rel=1e-9)
    assert int(result.argmin()) == int(density.argmin())
    assert 1 <= int((result < 0).sum()) <= 8
    small = (np.abs(lattice(SPACE) * CELLS) > 4.5).any(0)
    np.testing.assert_allclose(power(result)[small], power(density)[small], rtol=1e-6, atol=1e-20)
