"""Symmetries of the grid: which there are, what they do to fields, and that the truth obeys them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.diagnostics.measure import Measure
from harness.fields import MHD, FieldLayout
from harness.probes.equivariance import defects
from harness.probes.symmetry import Symmetry, expected_number, group
from harness.truth.initial import noise
from harness.truth.mhd import Solver
from harness.truth.simulate import default_recipe

PERIODIC = ("periodic",) * 3
X, Y = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
PLANE = FieldLayout(("density", "velocity"), (0, 1), spatial=2)


def box(guide: Any, shape: tuple[int, ...] = (8, 8, 8), **more: Any) -> Any:
    chosen = {"spacing": (1.0,) * len(shape), "boundaries": ("periodic",) * len(shape)} | more
    return group(shape, chosen["spacing"], chosen["boundaries"], guide or (0.0,) * len(shape))


def families(found: Any) -> dict[str, int]:
    names = [symmetry.family for symmetry in found.symmetries]
    return {family: names.count(family) for family in dict.fromkeys(names)}


def state(seed: int = 0, shape: tuple[int, ...] = (2, 7, 6, 6, 6)) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("guide", [X, Y, (0.0, 0.0, -2.0)])
def test_about_a_guide_field_along_any_axis_there_are_its_own_turns(guide: Any) -> None:
    found = box(guide)
    assert families(found) == {"rotation": 3, "reflection": 3, "translation": 9}
    assert len(found.symmetries) == expected_number(MHD)
    axis = "xyz"[int(np.argmax(np.abs(guide)))]
    assert all(s.name.endswith(axis) for s in found.symmetries if s.family == "rotation")
    uniform = torch.zeros(7, 8, 8, 8, dtype=torch.float64)
    uniform[1:4] = torch.tensor(guide).double().view(3, 1, 1, 1)
    for symmetry in found.symmetries:
        assert torch.equal(symmetry(uniform, MHD), uniform), symmetry.name


def test_what_a_box_does_not_have_it_says() -> None:
    tilted = box((1.0, 1.0, 0.0))
    assert families(tilted) == {"reflection": 1, "translation": 9}
    assert (
        "(1, 1, 0) lies along no axis: no rotation of the grid keeps it" in tilted.reasons["rotation"]
    )
    everywhere = box((1.0, 1.0, 1.0))
    assert families(everywhere) == {"translation": 9}
    assert "in no plane of the grid" in everywhere.reasons["reflection"]
    assert families(box(None))["rotation"] == 9
    assert families(box(X, (8, 8, 12)))["rotation"] == 1  # half a turn
    walls = box(None, boundaries=("wall", "periodic", "open"))
    assert families(walls) == {"translation": 3}
    assert walls.reasons["rotation"] == "the box is not periodic (x wall, z open)"
    closed = box(None, boundaries=("wall",) * 3)
    assert not closed.symmetries and closed.reasons["translation"] == "no axis is periodic"


def test_the_plane_has_turns_without_a_guide_field_only() -> None:
    assert families(box(None, (8, 8))) == {"rotation": 3, "reflection": 2, "translation": 6}
    assert expected_number(PLANE) == 11
    magnetic = box((1.0, 0.0), (8, 8))
    assert families(magnetic) == {"reflection": 2, "translation": 6}
    assert "no rotation of the plane keeps the guide field" in magnetic.reasons["rotation"]


def named(found: Any, name: str) -> Symmetry:
    (symmetry,) = [s for s in found.symmetries if s.name == name]
    return symmetry


def test_a_quarter_turn_moves_places_and_components_as_numpy_does() -> None:
    frames = state()
    turned = named(box(X), "rotation by 90 about x")(frames, MHD).numpy()
    rotated = np.rot90(frames.numpy(), 1, axes=(-2, -1))
    direction = 1.0
    if not np.array_equal(turned[:, 0], rotated[:, 0]):
        rotated, direction = np.rot90(frames.numpy(), -1, axes=(-2, -1)), -1.0
    np.testing.assert_array_equal(turned[:, 0], rotated[:, 0])
    # np.rot90 by +1 takes the first axis to the second: e_y -> e_z, e_z -> -e_y, or the inverse.
    for first in (1, 4):
        np.testing.assert_array_equal(turned[:, first], rotated[:, first])
        np.testing.assert_array_equal(turned[:, first + 1], -direction * rotated[:, first + 2])
        np.testing.assert_array_equal(turned[:, first + 2], direction * rotated[:, first + 1])


def test_the_field_is_axial_and_keeps_its_guide() -> None:
    frames, found = state(), box(X)
    along = named(found, "reflection of x")(frames, MHD)
    across = named(found, "reflection of y")(frames, MHD)
    flip_x, flip_y = frames.flip(-3), frames.flip(-2)
    signs = {"along": [1, 1, -1, -1, -1, 1, 1], "across": [1, 1, -1, 1, 1, -1, 1]}
    for result, flipped, sign in ((along, flip_x, "along"), (across, flip_y, "across")):
        expected = flipped * torch.tensor(signs[sign]).view(7, 1, 1, 1)
        assert torch.equal(result, expected)


@pytest.mark.parametrize("guide", [None, X, Y])
def test_maps_are_a_group_and_keep_the_field_solenoidal(guide: Any) -> None:
    measure = Measure(MHD, (8, 8, 8), guide or (0.0, 0.0, 0.0), dtype=torch.float64)
    frame = noise(0, 8, default_recipe("test").settings)
    floor = measure(frame[None], None)["div_b_spectral"][0]
    turns = {"rotation by 90": 4, "rotation by 180": 2, "rotation by 270": 4, "reflection of": 2}
    for symmetry in box(guide).symmetries:
        moved = symmetry(frame, MHD)
        assert measure(moved[None], None)["div_b_spectral"][0] == pytest.approx(floor, abs=1e-12)
        assert moved.square().sum() == pytest.approx(float(frame.square().sum()))
        for start, order in turns.items():
            if symmetry.name.startswith(start):
                for _ in range(order - 1):
                    moved = symmetry(moved, MHD)
                assert torch.equal(moved, frame)


def test_the_truths_own_integrator_has_every_symmetry_and_a_shifted_channel_has_not() -> None:
    settings = default_recipe("test", 16).settings
    solver = Solver(settings, dtype=torch.float64)
    # On the solver's own cells: a stored cell is 4/3 of them, and its products alias.
    frame = noise(3, 16, settings).double()
    target = solver.advance(frame)
    symmetries = box(X, (16, 16, 16)).symmetries

    def advance(history: Tensor, step: int) -> Tensor:
        return solver.advance(history[-1])

    def shifted(history: Tensor, step: int) -> Tensor:
        result = advance(history, step)
        result[5] = result[5].roll(1, -1)
        return result

    found = defects(advance, frame[None], target, symmetries, MHD)
    assert float(found["error"]) == 0 and float(found["step"]) > 0.01
    assert float(found["defect"].max()) < 1e-11
    broken = defects(shifted, frame[None], target, symmetries, MHD)
    worst = broken["defect"].groupby("family").max()
    assert float(worst.sel(family="rotation")) > 1.2 * float(broken["error"]) > 0
    assert float(worst.sel(family="reflection")) > 1.2 * float(broken["error"])
    assert float(worst.sel(family="translation")) < 1e-11


def test_the_equations_allow_both_signs_of_the_field_but_no_turn_of_the_guide_field() -> None:
    settings = default_recipe("test", 16).settings
    solver = Solver(settings, dtype=torch.float64)
    frame = noise(3, 16, settings).double()
    other_sign = Symmetry("", "reflection", (0, 1, 2), (-1, 1, 1), (0, 0, 0), sign=1)
    # The forcing knows the direction of the guide field.
    turned = Symmetry("", "rotation", (1, 0, 2), (-1, 1, 1), (0, 0, 0))
    found = defects(
        lambda history, step: solver.advance(history[-1]),
        frame[None], solver.advance(frame), [other_sign, turned], MHD,
    )  # fmt: skip
    assert float(found["defect"][0]) < 1e-11
    assert float(found["defect"][1]) > 1e-3


def test_one_that_stands_still_is_equivariant_and_as_wrong_as_the_truth_moves() -> None:
    frame, target = state(0)[0], state(1)[0]
    still = defects(lambda h, step: h[-1], frame[None], target, box(X, (6,) * 3).symmetries, MHD)
    assert float(still["step"]) == 0 and float(still["error"]) == 1
    assert float(still["defect"].max()) == 0


def test_the_draw_floor_is_what_another_draw_changes() -> None:
    frame = state()[0]
    draw = lambda size: lambda h, step: h[-1] + size * torch.ones_like(h[-1])  # noqa: E731
    found = defects(draw(0.1), frame[None], frame, (), MHD, redrawn=draw(0.15))
    assert float(found["floor"]) == pytest.approx(0.5)
    assert float(found["error"]) == pytest.approx(1.0)
