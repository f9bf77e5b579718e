"""What the truth's frames say of a window's box: its guide field and its symmetries."""

from __future__ import annotations

from harness.probes import symmetry
from harness.truth.well import Frames
from harness.truth.window import Window


def guide_field(window: Window, frames: Frames) -> tuple[float, ...]:
    """Mean magnetic field of the truth's frame at step 0; zero where there is none."""
    layout = window.simulation.layout
    if "magnetic_field" not in layout:
        return (0.0,) * layout.spatial
    first = frames.read(window.frame(0))[layout.slice("magnetic_field")]
    return tuple(first.double().flatten(1).mean(1).tolist())


def symmetries(window: Window, frames: Frames) -> symmetry.Group:
    """The symmetries of a window's box about its guide field."""
    simulation, guide, strength = window.simulation, None, 1.0
    if "magnetic_field" in simulation.layout:
        guide = guide_field(window, frames)
        field = frames.read(window.frame(0))[simulation.layout.slice("magnetic_field")]
        strength = float(field.double().square().sum(0).mean().sqrt())
    shape, spacing = simulation.shape, simulation.spacing
    return symmetry.group(shape, spacing, simulation.boundaries, guide, strength)


def turn(family: str, window: Window, frames: Frames) -> symmetry.Symmetry:
    """The first symmetry of a family; ValueError, with the reason, if there is none."""
    found = symmetries(window, frames)
    for one in found.symmetries:
        if one.family == family:
            return one
    raise ValueError(f"no {family}: {found.reasons[family]}")
