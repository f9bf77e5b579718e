"""Interventions do exactly what their names say, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.fields import MHD, FieldLayout
from harness.interventions import INTERVENTIONS, Change, Setting, apply
from harness.interventions.filters import lowpass, notch
from harness.interventions.limits import clamp, clip
from harness.interventions.noise import noise
from harness.interventions.projections import divfree, project_v, restore, solenoidal
from harness.interventions.symmetry import symmetrize
from harness.probes.symmetry import rotation
from harness.rollout import Source, Start
from harness.stepping import Draw
from harness.surrogates.base import ModuleSurrogate
from harness.truth import well
from harness.truth.window import Simulation, Window
from tests import toy
from tests.well_files import write_well_file

B, V = slice(1, 4), slice(4, 7)
BOX = (9, 8, 7)
SPACING = (0.5, 1.0, 2.0)


def white(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def setting(
    *space: int,
    frames: int = 3,
    layout: FieldLayout = MHD,
    seed: int | None = 0,
    boundary: str = "periodic",
    spacing: tuple[float, ...] = (1.0, 1.0, 1.0),
) -> Setting:
    """A rollout that starts from white noise with a guide field along x."""
    history = white(frames, layout.n_channels, *space)
    history[:, 1] += 3
    axes = len(space)
    simulation = Simulation(
        "toy", "s", "id", 9, layout, space, spacing[:axes], (boundary,) * axes, 0.1, (), Path(), 0
    )
    return Setting(Window(simulation, 0, 0, frames, 5), history, Draw(seed))


def energy(field: Tensor) -> float:
    return float(field.square().sum())


def curl(potential: Tensor, spacing: tuple[float, ...]) -> Tensor:
    """Of a field on a grid without Nyquist wavenumbers, by numpy: the reference solenoidal field."""
    modes = np.fft.fftn(potential.numpy(), axes=(1, 2, 3))
    waves = np.meshgrid(
        *(np.fft.fftfreq(n, h) for n, h in zip(potential.shape[1:], spacing, strict=True)),
        indexing="ij",
    )
    return torch.from_numpy(np.fft.ifftn(1j * np.cross(waves, modes, axis=0), axes=(1, 2, 3)).real)


# projections ---------------------------------------------------------------------------------


@pytest.mark.parametrize("space", [(7, 7, 7), (9, 5, 7)])
def test_a_solenoidal_field_is_left_as_it_is(space: tuple[int, ...]) -> None:
    field = curl(white(3, *space), SPACING) + torch.tensor([1.0, 0.2, -0.3]).view(3, 1, 1, 1)
    torch.testing.assert_close(solenoidal(field, SPACING), field, rtol=0, atol=1e-14)
    # On a grid of other proportions the same numbers are not solenoidal.
    assert (solenoidal(field, (1.0, 1.0, 1.0)) - field).abs().max() > 0.05


@pytest.mark.parametrize("space", [(7, 7, 7), (8, 8, 8), BOX])
def test_projection_is_idempotent_orthogonal_and_keeps_means(space: tuple[int, ...]) -> None:
    field = white(3, *space)
    kept = solenoidal(field, SPACING)
    torch.testing.assert_close(solenoidal(kept, SPACING), kept, rtol=0, atol=1e-13)
    torch.testing.assert_close(kept.mean((1, 2, 3)), field.mean((1, 2, 3)), rtol=0, atol=1e-15)
    assert energy(kept) + energy(field - kept) == pytest.approx(energy(field), rel=1e-12)
    assert energy(field - kept) > 0.1 * energy(field)


def test_a_gradient_is_removed_altogether() -> None:
    potential = np.fft.fftn(white(7, 7, 7).numpy())
    waves = np.meshgrid(*(np.fft.fftfreq(7, h) for h in SPACING), indexing="ij")
    gradient = torch.from_numpy(np.fft.ifftn([1j * k * potential for k in waves], axes=(1, 2, 3)).real)
    assert solenoidal(gradient, SPACING).abs().max() < 1e-12 * gradient.abs().max()


def test_a_third_of_an_isotropic_one_component_field_is_removed() -> None:
    # One cell holds every mode with equal energy; 7 cells have no Nyquist wavenumber.  The mean of
    # k_y^2 / k^2 over all modes but the mean field is then 1/3 exactly.
    field = torch.zeros(3, 7, 7, 7, dtype=torch.float64)
    field[1, 2, 3, 4] = 1.0
    removed = energy(field) - energy(solenoidal(field, (1.0, 1.0, 1.0)))
    assert removed == pytest.approx((1 - 1 / 7**3) / 3, rel=1e-12)


def test_modes_of_b_y_without_k_y_are_untouched() -> None:
    field = torch.zeros(3, 8, 8, 8, dtype=torch.float64)
    field[1] = white(8, 1, 8).expand(8, 8, 8)
    torch.testing.assert_close(solenoidal(field, (1.0, 1.0, 1.0)), field, rtol=0, atol=1e-14)
    field[1] = white(1, 8, 1).expand(8, 8, 8)
    assert energy(solenoidal(field, (1.0, 1.0, 1.0))) < 0.9 * energy(field)


@pytest.mark.parametrize(("arm", "changed"), [(divfree, B), (project_v, V)])
def test_a_projection_changes_its_own_field_only(arm: Callable[[Setting], Change], changed: slice):
    here = setting(*BOX, spacing=SPACING)
    frame = here.history[-1] + white(7, *BOX, seed=1)
    found = arm(here)(frame, here.history, 1)
    torch.testing.assert_close(found[changed], solenoidal(frame[changed], SPACING))
    others = [c for c in range(7) if c not in range(7)[changed]]
    assert torch.equal(found[others], frame[others])
    assert not torch.equal(found[changed], frame[changed])


def test_restore_puts_mass_and_flux_back_and_keeps_every_fluctuation() -> None:
    here = setting(6, 6, 6)
    frame = white(7, 6, 6, 6, seed=1)
    found = restore(here)(frame, white(1, 7, 6, 6, 6, seed=2), 1)
    means = found.mean((1, 2, 3))
    torch.testing.assert_close(means[:4], here.history[-1, :4].mean((1, 2, 3)), rtol=0, atol=1e-15)
    fluctuation = frame - frame.mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(found - means.view(7, 1, 1, 1), fluctuation, rtol=0, atol=1e-15)
    assert torch.equal(found[V], frame[V])


# filters -------------------------------------------------------------------------------------


def wave(space: tuple[int, ...], *modes: int) -> Tensor:
    """cos of the phase of one Fourier mode, in every channel."""
    grids = np.meshgrid(*(np.arange(n) / n for n in space), indexing="ij")
    phase = sum(2 * math.pi * m * x for m, x in zip(modes, grids, strict=True))
    return torch.from_numpy(np.cos(phase)).expand(7, *space)


@pytest.mark.parametrize(
    ("arm", "modes", "kept"),
    [
        (lowpass, (0, 0, 0), True),
        (lowpass, (3, 0, 0), True),
        (lowpass, (2, -2, 2), True),
        (lowpass, (0, 4, 0), False),
        (lowpass, (3, -3, 0), False),
        (lowpass, (0, 0, 8), False),
        (notch, (0, 0, 0), True),
        (notch, (3, 0, 0), True),
        (notch, (4, 1, 0), True),
        (notch, (0, 4, 0), False),
        (notch, (4, -4, 8), False),
        (notch, (0, 0, 8), False),
    ],
)
def test_filters_keep_a_mode_or_remove_it(arm, modes, kept):
    space = (16, 16, 16)
    here, frame = setting(*space), wave(space, *modes)
    found = arm(here)(frame, here.history, 1)
    torch.testing.assert_close(found, frame if kept else torch.zeros_like(frame), rtol=0, atol=1e-13)


def test_filters_on_a_box_of_unequal_sides() -> None:
    space = (32, 8, 8)
    here = setting(*space)
    for modes, kept in [((7, 0, 0), True), ((8, 0, 0), False), ((0, 2, 0), False)]:
        found = lowpass(here)(wave(space, *modes), here.history, 1)
        assert (energy(found) > 1) is kept
    for modes, kept in [((4, 0, 0), True), ((8, 0, 0), False), ((8, 2, 0), False), ((8, 1, 0), True)]:
        found = notch(here)(wave(space, *modes), here.history, 1)
        assert (energy(found) > 1) is kept


# limits --------------------------------------------------------------------------------------


def test_clip_limits_the_field_strength_to_the_truths_and_keeps_directions(tmp_path: Path) -> None:
    path = tmp_path / "datasets/toy/data/test/wave0.hdf5"
    frames = toy.waves(0)
    write_well_file(path, frames, dataset_name="toy", parameters={"Ma": 0.7})
    (simulation,) = well.scan(tmp_path, "toy", "test").simulations
    here = Setting(Window(simulation, 0, 0, 3, 5), torch.from_numpy(frames[:3]), Draw())
    strength = np.linalg.norm(frames[:, 1:4], axis=1)
    last = torch.from_numpy(frames[np.unravel_index(strength.argmax(), strength.shape)[0]])
    change = clip(here)
    assert torch.equal(change(last, here.history, 1), last)
    grown = last.clone()
    grown[B] *= 1.5
    found = change(grown, here.history, 1)
    assert float(found[B].norm(dim=0).max()) == pytest.approx(strength.max(), rel=1e-6)
    cosine = (found[B] * grown[B]).sum(0) / found[B].norm(dim=0) / grown[B].norm(dim=0)
    torch.testing.assert_close(cosine, torch.ones_like(cosine))
    weak = grown[B].norm(dim=0) <= strength.max()
    assert 0 < weak.sum() < weak.numel()
    assert torch.equal(found[:, weak], grown[:, weak])


@pytest.mark.parametrize(("factor", "allowed"), [(0.1, 0.5), (0.6, 0.6), (1.9, 1.9), (50.0, 2.0)])
def test_clamp_keeps_an_increments_pattern_and_limits_its_scale(factor: float, allowed: float) -> None:
    here = setting(6, 6, 6)
    usual = here.history.diff(dim=0).square().mean((0, 2, 3, 4)).sqrt().view(7, 1, 1, 1)
    pattern = white(7, 6, 6, 6, seed=1)
    pattern = pattern / pattern.square().mean((1, 2, 3), keepdim=True).sqrt()
    history = white(2, 7, 6, 6, 6, seed=2)
    scale = torch.ones(7, 1, 1, 1, dtype=torch.float64)
    scale[2] = factor  # B_y alone; a channel is judged by itself
    frame = history[-1] + scale * usual * pattern
    found = clamp(here)(frame, history, 1)
    scale[2] = allowed
    torch.testing.assert_close(found, history[-1] + scale * usual * pattern, rtol=0, atol=1e-13)
    assert torch.equal(found[[0, 1, 3, 4, 5, 6]], frame[[0, 1, 3, 4, 5, 6]])


def test_clamp_leaves_a_frame_that_does_not_change() -> None:
    here = setting(6, 6, 6)
    assert torch.equal(clamp(here)(here.history[-1], here.history, 1), here.history[-1])


def test_noise_is_of_the_draw_and_of_one_percent() -> None:
    here = setting(16, 16, 16)
    frame = here.history[-1]
    added = [noise(here)(frame, here.history, step) - frame for step in (1, 1, 2)]
    assert torch.equal(added[0], added[1])
    assert not torch.equal(added[0], added[2])
    ratio = added[0].std((1, 2, 3)) / frame.std((1, 2, 3))
    assert (ratio - 0.01).abs().max() < 3e-4
    other = noise(setting(16, 16, 16, seed=1))(frame, here.history, 1) - frame
    assert abs(float(torch.corrcoef(torch.stack([added[0].ravel(), other.ravel()]))[0, 1])) < 0.03
    own = torch.randn(frame.shape, generator=here.draw.torch(1), dtype=torch.float64)
    assert abs(float(torch.corrcoef(torch.stack([added[0].ravel(), own.ravel()]))[0, 1])) < 0.03
    coarse = Setting(here.window, here.history.float(), here.draw)
    torch.testing.assert_close(
        noise(coarse)(frame.float(), coarse.history, 1).double() - frame, added[0], atol=1e-5, rtol=0
    )


# symmetry ------------------------------------------------------------------------------------


def lopsided(history: Tensor, step: int) -> Tensor:
    """A model without any symmetry."""
    ramp = torch.arange(6.0, dtype=history.dtype).view(6, 1)
    return history[-1].roll(1, -2).square() * ramp + history[-1].roll(1, 0) + step


def rotate(state: Tensor, layout: FieldLayout, plane: tuple[int, int], turns: int) -> Tensor:
    return rotation(layout.spatial, plane, turns % 4)(state, layout)


def test_rotation_turns_positions_and_vectors() -> None:
    state = torch.zeros(7, 5, 5, 5)
    state[0, 1, 3, 2] = 1.0  # (y, z) = (1, 0) from the middle
    state[1:4, 1, 3, 2] = torch.tensor([3.0, 1.0, 0.5])
    turned = rotate(state, MHD, (1, 2), 1)
    assert turned[0].nonzero().tolist() == [[1, 2, 3]]  # (0, 1)
    assert turned[1:4, 1, 2, 3].tolist() == [3.0, -0.5, 1.0]


def test_rotations_form_a_group() -> None:
    state = white(2, 7, 4, 6, 6)
    once = rotate(state, MHD, (1, 2), 1)
    assert torch.equal(rotate(once, MHD, (1, 2), 1), rotate(state, MHD, (1, 2), 2))
    assert torch.equal(rotate(once, MHD, (1, 2), -1), state)
    assert torch.equal(rotate(state, MHD, (1, 2), 4), state)
    assert not torch.equal(once, state)


def test_a_rotated_solenoidal_field_is_solenoidal() -> None:
    state = white(7, 7, 7, 7)
    state[B] = curl(white(3, 7, 7, 7), (1.0, 1.0, 1.0))
    turned = rotate(state, MHD, (1, 2), 1)[B]
    torch.testing.assert_close(solenoidal(turned, (1.0, 1.0, 1.0)), turned, rtol=0, atol=1e-14)


@pytest.mark.parametrize("along", [0, 1, 2])
def test_the_symmetrised_model_commutes_with_rotations_about_the_guide_field(along: int) -> None:
    here = setting(6, 6, 6)
    here.history[:, 1] -= 3
    here.history[:, 1 + along] -= 3  # either sign
    model = symmetrize(lopsided, here)
    plane = ((along + 1) % 3, (along + 2) % 3)

    def commutator(step, turns: int, plane: tuple[int, int]) -> float:
        there = step(rotate(here.history, MHD, plane, turns), 2)
        back = rotate(step(here.history, 2), MHD, plane, turns)
        return float((there - back).abs().max() / back.abs().max())

    for turns in (1, 2, 3):
        assert commutator(model, turns, plane) < 1e-14
        assert commutator(lopsided, turns, plane) > 0.1
    assert commutator(model, 1, (along, plane[0])) > 0.1


def test_a_symmetric_model_is_left_as_it_is() -> None:
    here = setting(6, 6, 6)

    def diffuse(history: Tensor, step: int) -> Tensor:
        frame = history[-1]
        neighbours = [frame.roll(s, axis) for axis in (-1, -2) for s in (1, -1)]
        return (frame + torch.stack(neighbours).sum(0)) / 5

    found = symmetrize(diffuse, here)(here.history, 1)
    torch.testing.assert_close(found, diffuse(here.history, 1), rtol=0, atol=1e-15)


# all of them ---------------------------------------------------------------------------------


@pytest.fixture
def window(tmp_path: Path) -> Window:
    path = tmp_path / "datasets/toy/data/test/wave0.hdf5"
    write_well_file(path, toy.waves(0), dataset_name="toy", parameters={"Ma": 0.7})
    return Window(well.scan(tmp_path, "toy", "test").simulations[0], 0, 0, 3, 6)


class Grow(torch.nn.Module):
    """B_y grows everywhere, and everything leans to one side."""

    def forward(self, history: Tensor) -> Tensor:
        factor = torch.ones(7, 1, 1, 1, dtype=history.dtype)
        factor[2] = 3.0
        return factor * history[-1].roll(1, -1)


def rolled(window: Window, names: tuple[str, ...], precision: str = "fp64") -> Source:
    history = torch.from_numpy(toy.waves(0)[:3])
    return Start(ModuleSurrogate(Grow(), MHD, 2), window, history, Draw(), precision, names).source()


@pytest.mark.parametrize("name", INTERVENTIONS)
@pytest.mark.parametrize("precision", ["fp32", "fp64", "bf16"])
def test_each_runs_in_every_precision_and_keeps_the_state_path_pure(
    name: str, precision: str, window: Window
) -> None:
    from harness.audit import PrecisionAudit

    bare, changed = rolled(window, (), precision), rolled(window, (name,), precision)
    with PrecisionAudit() as seen:
        frame = changed(1)
    assert frame.shape == bare(1).shape
    assert frame.dtype == bare(1).dtype
    if precision == "fp64":
        assert not seen.leaks
    if name != "notch":  # the waves have no mode on its lattice
        assert not torch.equal(frame, rolled(window, (), precision)(1))


def test_the_first_named_is_applied_first(window: Window) -> None:
    both = rolled(window, ("divfree", "clamp"))(1)
    other = rolled(window, ("clamp", "divfree"))(1)
    here = Setting(window, torch.from_numpy(toy.waves(0)[:3]).double(), Draw())
    frame = Grow()(here.history)
    by_hand = clamp(here)(divfree(here)(frame, here.history, 1), here.history, 1)
    assert torch.equal(both, by_hand)
    assert not torch.allclose(both, other)
    inner = apply(("symmetrize", "clamp"), lambda history, step: Grow()(history), here)
    assert torch.equal(inner(here.history, 1), rolled(window, ("symmetrize", "clamp"))(1))


@pytest.mark.parametrize("name", ["divfree", "clip", "lowpass", "notch", "restore", "clamp"])
def test_a_broken_cell_stays_where_it_is_and_stays_broken(name: str, window: Window) -> None:
    here = Setting(window, torch.from_numpy(toy.waves(0)[:3]), Draw())
    stepper = apply((name,), lambda history, step: broken, here)
    for value in (math.nan, math.inf):
        broken = here.history[-1].clone()
        broken[2, 0, 0, 0] = value
        found = stepper(here.history, 1)
        assert not found[2].isfinite().all()
        assert found[[0, 4, 5, 6]].isfinite().all()


@pytest.mark.parametrize(
    ("name", "here", "message"),
    [
        ("divfree", setting(8, 8, 8, boundary="wall"), "needs a periodic box, the data have wall"),
        ("lowpass", setting(8, 8, 8, boundary="open"), "needs a periodic box, the data have open"),
        (
            "restore",
            setting(8, 8, 8, boundary="open"),
            "mean density, which a box with boundaries open",
        ),
        ("restore", setting(8, 8, 8, boundary="wall"), "mean magnetic_field, which a box with .* wall"),
        ("notch", setting(8, 8, 6), r"axes of a multiple of 4 cells, got \(8, 8, 6\)"),
        ("clamp", setting(8, 8, 8, frames=1), "2 input frames or more"),
        ("noise", setting(8, 8, 8, seed=None), "the draw holds none"),
        ("symmetrize", setting(8, 8, 6), r"cannot rotate a grid of \(8, 8, 6\) about axis 0"),
        (
            "symmetrize",
            setting(8, 8, layout=FieldLayout(("magnetic_field",), (1,), 2)),
            "needs 3D data",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, here: Setting, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        apply((name,), lopsided, here)
