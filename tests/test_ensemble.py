"""Widths come from all simulations with the same parameters, in whatever splits are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from harness import jobs, plan
from harness.diagnostics.series import ln_variance
from harness.engine import Engine
from harness.plan import Options
from harness.record import Store
from harness.statistics import Ensemble
from tests.well_files import random_frames, write_well_file

FRAMES, CELLS = 100, 4
#: split -> parameters and amplitude of its simulations; the other Mach number must not count
SPLITS = {
    "test": [(0.5, 1.0)],
    "train": [(0.5, 2.0), (2.0, 50.0)],
    "valid": [(0.5, 3.0)],
}


def write(root: Path, splits: Sequence[str]) -> dict[str, np.ndarray]:
    """MHD_64's layout in small; returns every frame at M_s = 0.5, by split."""
    kept = {}
    for split in splits:
        for number, (mach, amplitude) in enumerate(SPLITS[split]):
            frames = amplitude * random_frames(FRAMES, CELLS, seed=len(split) + number)
            name = f"MHD_Ma_0.7_Ms_{mach}.hdf5"
            path = root / "datasets" / "MHD_64" / "data" / split / name
            write_well_file(path, frames, dataset_name="MHD_64", parameters={"Ma": 0.7, "Ms": mach})
            if mach == 0.5:
                kept[split] = frames
    return kept


@pytest.mark.parametrize(
    "splits", [("test",), ("test", "valid"), ("test", "train", "valid")], ids=" ".join
)
def test_w_is_taken_from_the_splits_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, splits: tuple[str, ...]
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    kept = write(tmp_path, splits)
    made = plan.make(Options(models=("persistence",), protocols=("mhd64-early",), data=tmp_path))
    window = made.windows["mhd64-early"][0]
    kin = made.kin("mhd64-early", window.simulation)
    engine = Engine(Store(tmp_path / "records"), torch.device("cpu"), made.simulations)
    width = Ensemble(tuple(engine.record(jobs.truth_job(s)) for s in kin)).width(ln_variance)

    ln = np.log([f.astype(np.float64).var((2, 3, 4)) for f in kept.values()])
    spread = ln.max((0, 1)) - ln.min((0, 1))
    assert width.value.values == pytest.approx(1.25 * spread, rel=1e-4)
    assert (width.frames, width.simulations) == (FRAMES * len(splits), len(splits))
    number = "1 simulation" if len(splits) == 1 else f"{len(splits)} simulations"
    assert width.basis.endswith(f"among {FRAMES * len(splits)} truth frames of {number}")
