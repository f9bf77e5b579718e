"""A folder in which the commands of the pages run in seconds, word for word.

What differs from a reader's folder is the size, and it is all here:
- the embedded truth is six simulations of 60 frames of 18^3 cells, other data sets are smaller;
- `pytest` predicts 3 steps of the first simulation (`QUICK`), and some commands less (`SMALLER`);
- the hub is on loopback, and the models it holds are miniatures;
- baselines and reports are the folder's own.
"""

from __future__ import annotations

import glob
import os
import runpy
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml

from harness.fields import FieldLayout
from harness.hub.names import OWNER
from harness.paths import ROOT
from harness.surrogates.walrus import WalrusError, source
from harness.surrogates.well_classes import model_class
from harness.truth import hydro
from tests import mhd64_files, toy, walrus_example
from tests.hub_server import Hub, serve
from tests.pages import FILES
from tests.well_files import random_frames, write_well_file

#: beginning of a command -> what makes it quick, added after the reader's words
SMALLER = {
    "harness interventions": ["--steps", "2", "--trajectories", "1"],
    'pytest suites/ --no-baselines --model "control:*': ["-k", "test_mass and w0"],
    "pytest suites/ --model conv-mini --update-baselines": ["--force-update"],
    "pytest suites/ --model my_model.py:MyModel=weights.pt --against": ["--force-update"],
    "pytest suites/ --model fno-mini=checkpoints/damaged": ["-k", "test_mass"],
    "pytest suites/ -n 2": ["-k", "test_mass"],
}
#: the same for every `pytest`, before the reader's words, which therefore win
QUICK = "--steps 3 --trajectories 1 --device cpu -p no:cacheprovider -p no:hypothesispytest"
SIMULATIONS, FRAMES, CELLS = 6, 60, 18
#: MHD_64: too few cells for Walrus, enough for the shells of its protocol
MHD64_CELLS, MACH = 24, (0.5, 0.7)
#: where the truth of `--data ~/the_well` lies, and what `harness fetch` brings
WELL = "the_well"
ACTIVE_MATTER = FieldLayout(("concentration", "velocity"), (0, 1), spatial=2)
#: what the set has besides, and no state takes in
TENSORS = ("D", "E")
NEEDED_BY_FNO = ("huggingface_hub", "neuralop", "tensorly", "tltorch")


def words(line: str) -> list[str]:
    """What a shell makes of a line: quotes, ~ and * resolved in the current folder."""
    found: list[str] = []
    for word in shlex.split(line):
        bare = "*" in word and f'"{word}"' not in line
        found += (sorted(glob.glob(word)) if bare else []) or [os.path.expanduser(word)]
    return found


def environment(folder: Path, shared: Path) -> dict[str, str]:
    """Variables under which a command of the pages runs in `folder`."""
    places = ["--baselines", str(folder / "baselines"), "--reports", str(folder / "reports")]
    return {
        "HARNESS_CACHE": str(shared / "cache"), "HOME": str(shared), "COLUMNS": "200",
        "HF_HOME": str(shared / "hf"), "PYTHONPATH": str(ROOT),
        "PYTEST_ADDOPTS": f"{QUICK} {shlex.join(places)}",
    }  # fmt: skip


def share(shared: Path) -> None:
    """Make once what every folder reads: data sets, weights and checkpoints."""
    data = shared / "cache" / "data"
    for seed in range(SIMULATIONS):
        # A name of our own: a split that holds other files is not simulated.
        path = data / f"datasets/simulated/data/test/wave{seed}.hdf5"
        frames = toy.waves(seed, FRAMES, CELLS)
        write_well_file(path, frames, dataset_name="simulated", parameters={"Ma": 0.7})
    for seed, ms in enumerate(MACH):
        path = data / "datasets/MHD_64/data/test" / mhd64_files.name(0.7, ms)
        noise = 1 + 0.1 * random_frames(54, MHD64_CELLS, seed=seed)
        write_well_file(path, noise, dataset_name="MHD_64", parameters={"Ma": 0.7, "Ms": ms})
    active = data / "datasets/active_matter/data/test/active.hdf5"
    noise = random_frames(24, 16, ACTIVE_MATTER)
    write_well_file(active, noise, ACTIVE_MATTER, dataset_name="active_matter")
    with h5py.File(active, "r+") as file:
        group = file["t2_fields"]
        group.attrs["field_names"] = list(TENSORS)
        for name in TENSORS:
            group[name] = np.zeros((1, 24, 16, 16, 2, 2), np.float32)
            group[name].attrs.update(dim_varying=[True] * 2, sample_varying=True, time_varying=True)
    with small_flows(frames=22):
        hydro.ensure(data, [flow for flow in hydro.FLOWS if flow.name == "hydro_2d_walls"])
    (shared / WELL).symlink_to(data)
    _weights(shared)
    runpy.run_path(str(ROOT / "docs/examples/checkpoints.py"))["make"](shared / "checkpoints")


def _weights(shared: Path) -> None:
    """Miniatures of fetched and trained models."""
    namespace: dict[str, type] = {}
    exec(FILES["my_model.py"], namespace)
    for name in ("weights.pt", "better.pt"):
        torch.save(namespace["Increment"]().state_dict(), shared / name)
    walrus = shared / "cache/models/walrus-pt"
    walrus.mkdir(parents=True)
    if has_walrus():
        walrus_example.write_checkpoint(walrus)
    else:
        walrus_example.write_config(walrus, walrus_example.tree())
        (walrus / "walrus.pt").write_bytes(b"no weights")
    (shared / "runs").mkdir()
    (weights,) = (path for path in walrus.iterdir() if path.suffix != ".yaml")
    shutil.copy(weights, shared / "runs/coalesced.pth")
    shutil.copy(walrus / "extended_config.yaml", shared / "runs")
    if has_fno():
        network = model_class("FNO")(
            dim_in=7 * 4, dim_out=7, n_spatial_dims=3, spatial_resolution=(MHD64_CELLS,) * 3,
            modes1=3, modes2=3, modes3=3, hidden_channels=6,
        )  # fmt: skip
        network.save_pretrained(shared / "cache/models/FNO-MHD_64")
    statistics = {
        key + delta: {"density": value, "magnetic_field": [value] * 3, "velocity": [value] * 3}
        for key, value in (("mean", 0.0), ("std", 1.0))
        for delta in ("", "_delta")
    }
    folder = shared / "cache/data/datasets/MHD_64"
    (folder / "stats.yaml").write_text(yaml.safe_dump(statistics))


def furnish(folder: Path, shared: Path) -> None:
    """Put into `folder` what a reader has: the checkout's folders, the pages' files, weights."""
    for part in ("suites", "docs/examples"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    own = shutil.ignore_patterns("fno-mini", "conv-mini", "revin-mini", ".lock")
    shutil.copytree(ROOT / "baselines", folder / "baselines", ignore=own)
    for name, content in FILES.items():
        (folder / name).write_text(content)
    for name in ("weights.pt", "better.pt", "checkpoints", "runs"):
        (folder / name).symlink_to(shared / name)
    shutil.copy(shared / "checkpoints/repaired.safetensors", folder / "new.safetensors")
    (folder / "conftest.py").write_text('pytest_plugins = ["harness.plugin"]\n')
    (folder / "pytest.ini").write_text("[pytest]\njunit_family = xunit1\n")


@contextmanager
def small_flows(frames: int) -> Iterator[None]:
    """`harness data hydro` writes two simulations of a few frames for each flow."""
    with pytest.MonkeyPatch.context() as patch:
        short = tuple(replace(flow, spin_up=2, frames=frames) for flow in hydro.FLOWS)
        patch.setattr(hydro, "SEEDS", {"test": (0, 1)})
        patch.setattr(hydro.ensure, "__defaults__", (short, *hydro.ensure.__defaults__[1:]))
        yield


@contextmanager
def small_hub(shared: Path) -> Iterator[None]:
    """A hub with the made data and weights; what `harness fetch` asks for comes from it."""
    cache = shared / "cache"
    places = {
        f"datasets/{OWNER}/MHD_64": cache / "data/datasets/MHD_64",
        f"models/{OWNER}/walrus": cache / "models/walrus-pt",
    }
    files = {
        repository: {
            str(path.relative_to(place)): path.read_bytes()
            for path in place.rglob("*")
            if path.is_file() and not path.name.startswith(".")
        }
        for repository, place in places.items()
    }
    with serve(Hub(files)) as hub, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", hub.address)
        yield


def has_walrus() -> bool:
    """Whether Polymathic's code is installed."""
    try:
        source.folder()
    except WalrusError:
        return False
    return True


def has_fno() -> bool:
    """Whether what The Well's FNO is built from is installed."""
    from importlib.util import find_spec

    return all(find_spec(name) for name in NEEDED_BY_FNO)
