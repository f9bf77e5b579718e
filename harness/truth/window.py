"""Descriptions of truth: one simulation, and a window of its frames.

These are small frozen values that say *which* frames are meant.  They hold no data; the frames
are read through `harness.truth.well.Frames`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from harness.fields import FieldLayout

#: Sides of a cell that are alike to this fraction are equal: coordinates that include both ends of
#: an axis give (N - 1) / N of its length.
CUBIC = 0.02


@dataclass(frozen=True)
class Simulation:
    """One trajectory of a data set: the independent statistical unit.

    dataset: name of the data set, e.g. "MHD_64".
    name: short unique name within data set and split, e.g. "Ma0.7_Ms0.5" or "s3".
    data_id: digest that identifies the frames' content (see `harness.truth.well`).
    n_frames: frames in the file; shape, spacing: grid points and their distance per axis.
    boundaries: "periodic", "wall" or "open" per axis; dt: time between frames.
    parameters: simulation parameters, e.g. (("Ma", 0.7), ("Ms", 0.5)); simulations with equal
        parameters share one ensemble, from which the widths W of the departure rule come.
    file, sample: where the frames lie; they identify nothing, so they do not take part in `==`.
    """

    dataset: str
    name: str
    data_id: str
    n_frames: int
    layout: FieldLayout
    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    boundaries: tuple[str, ...]
    dt: float
    parameters: tuple[tuple[str, float], ...]
    file: Path = field(compare=False)
    sample: int = field(compare=False)

    @property
    def offers(self) -> frozenset[str]:
        """What a property may need: the names of the fields, and what the boundaries make true.

        "periodic": Fourier modes mean something, and one cell is one distance along every axis: the
        box is periodic and its cells are cubic.  "closed": nothing leaves the box, for it is periodic
        or walled along every axis.
        """
        kinds = set(self.boundaries)
        return frozenset(
            [
                *self.layout.names,
                *(["periodic"] if kinds == {"periodic"} and self.cubic else []),
                *(["closed"] if kinds <= {"periodic", "wall"} else []),
            ]
        )

    @property
    def cubic(self) -> bool:
        """Whether cells have equal sides."""
        return max(self.spacing) <= (1 + CUBIC) * min(self.spacing)


@dataclass(frozen=True)
class Window:
    """`n_history` input frames from `start` on, and the `steps` frames after them.

    Step t of a rollout, t = 1 for the first prediction, is compared with frame
    `start + n_history - 1 + t`; step 0 is the last input frame.
    """

    simulation: Simulation
    index: int
    start: int
    n_history: int
    steps: int

    def frame(self, step: int) -> int:
        """Number of the file's frame that belongs to a rollout step (0 = last input frame)."""
        return self.start + self.n_history - 1 + step

    @property
    def last_frame(self) -> int:
        """The last frame the window needs."""
        return self.frame(self.steps)
