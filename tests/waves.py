"""One window of small data, and jobs on it, without a benchmark around them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.engine import Engine
from harness.fields import MHD, FieldLayout
from harness.jobs import Job, Request, bind, rollout
from harness.surrogates.base import Surrogate
from harness.surrogates.spec import ModelSpec
from harness.truth import well
from harness.truth.window import Window
from tests import toy
from tests.well_files import random_frames, write_well_file

SPEC = ModelSpec("given")

#: makes an engine, with an empty store, whose models are all the given one
EngineOf = Callable[[Surrogate], Engine]


def window_of(folder: Path, layout: FieldLayout = MHD, boundary: str = "PERIODIC") -> Window:
    """Three input frames and six to predict: travelling waves, or noise in another layout."""
    frames = toy.waves(0) if layout == MHD else random_frames(10, 8, layout)
    path = folder / "datasets/toy/data/test/one.hdf5"
    write_well_file(path, frames, layout, dataset_name="toy", boundary=boundary)
    (simulation,) = well.scan(folder, "toy", "test").simulations
    return Window(simulation, 0, 0, 3, 6)


def job(window: Window, request: Request | None = None, keep_fields: bool = False) -> Job:
    """A request, of a rollout if none is named, for the given model."""
    return bind(request or rollout(), SPEC, window, "fp32", True, keep_fields)
