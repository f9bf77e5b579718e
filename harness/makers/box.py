"""What the truth's frames say of a window's box: its guide field and its symmetries."""

from __future__ import annotations

from harness.probes import symmetry
from harness.truth.well import Frames
from harness.truth.window import Window


def guide_field(window: Window, frames: Frames) -> tuple[float, ...]:
    """Mean magnetic field of the truth's frame at step 0; exactly zero where there is none.

    A mean below 1e-3 of the field's rms is none: that of a field without net flux is what rounding
    left, and its direction means nothing.
    """
    layout = window.simulation.layout
    if "magnetic_field" not in layout:
        return (0.0,) * layout.spatial
    first = frames.read(window.frame(0))[layout.slice("magnetic_field")].double().flatten(1)
    guide, strength = first.mean(1), first.square().sum(0).mean().sqrt()
    if guide.norm() <= symmetry.ALIGNED * strength:
        return (0.0,) * layout.spatial
    return tuple(guide.tolist())


def symmetries(window: Window, frames: Frames) -> symmetry.Group:
    """The symmetries of a window's box about its guide field."""
    simulation, guide = window.simulation, guide_field(window, frames)
    return symmetry.group(simulation.shape, simulation.spacing, simulation.boundaries, guide)


def turn(family: str, window: Window, frames: Frames) -> symmetry.Symmetry:
    """The first symmetry of a family; ValueError, with the reason, if there is none."""
    found = symmetries(window, frames)
    for one in found.symmetries:
        if one.family == family:
            return one
    raise ValueError(f"no {family}: {found.reasons[family]}")
