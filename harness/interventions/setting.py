"""What an intervention may know of the rollout it acts on, and how it takes hold of the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from harness.fields import FieldLayout
from harness.stepping import Draw, Stepper
from harness.truth.window import Window

#: (new frame (C, *space), history that made it (n, C, *space), step) -> the frame put in its place
Change = Callable[[Tensor, Tensor, int], Tensor]


@dataclass(frozen=True, eq=False)
class Setting:
    """One rollout, as it is known before its first step.

    history: all input frames of the window, (window.n_history, C, *space) in physical units, also
    for a model that conditions on fewer.
    draw: the rollout's random numbers.
    """

    window: Window
    history: Tensor
    draw: Draw

    @property
    def layout(self) -> FieldLayout:
        """Which channel is which field."""
        return self.window.simulation.layout

    @property
    def axes(self) -> tuple[int, ...]:
        """The spatial axes of a field or frame (channels, *space)."""
        return tuple(range(1, self.layout.spatial + 1))

    def require_periodic(self, name: str) -> None:
        """ValueError, naming the intervention, unless every axis is periodic."""
        boundaries = self.window.simulation.boundaries
        if any(kind != "periodic" for kind in boundaries):
            raise ValueError(
                f"the intervention {name!r} works on Fourier modes and needs a periodic box, "
                f"the data have {', '.join(boundaries)}"
            )


@dataclass(frozen=True)
class Intervention:
    """A wrapper around a model, known by name.

    summary: what it does, in one line.
    wrap: binds it to one rollout: the model's stepper becomes the stepper of the changed model.
        ValueError if it makes no sense there.
    needs: fields the data must have.
    """

    summary: str
    wrap: Callable[[Stepper, Setting], Stepper]
    needs: frozenset[str] = frozenset()


def on_output(
    summary: str, bind: Callable[[Setting], Change], needs: frozenset[str] = frozenset()
) -> Intervention:
    """The usual intervention: one that changes each new frame, and leaves the model alone."""

    def wrap(stepper: Stepper, setting: Setting) -> Stepper:
        change = bind(setting)
        return lambda history, step: change(stepper(history, step), history, step)

    return Intervention(summary, wrap, needs)
