"""Writes the embedded data set: simulations by `harness.truth.mhd` in The Well's HDF5 format.

    <root>/datasets/simulated/data/{train,valid,test}/MHD_Ma_0.7_Ms_0.7_seed_<seed>.hdf5
    <root>/datasets/simulated/stats.yaml

A frame is what the solver continues from: frame i+1 is `Solver.advance_stored` of frame i, on
the stored grid.  Density and field have no wavenumber that the stored grid cannot hold; of the
velocity m/rho it cuts the small tail above them.  So a solver that starts from any stored frame
follows the stored trajectory exactly, up to rounding.

The test split starts from shipped states, so that every machine has the same truth to the
solver's accuracy; the other splits are spun up from seeded noise.  A finished file is kept, an
interrupted one made again.
"""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import torch
from filelock import FileLock
from torch import Tensor

from harness.atomic import replacing
from harness.fields import MHD
from harness.truth.files import EMBEDDED
from harness.truth.initial import noise, shipped_states
from harness.truth.mhd import VERSION, Settings, Solver, SolverError
from harness.truth.spectral import resample
from harness.truth.well_format import Header, create, holds, put, write_statistics

#: M_A and M_s as The Well's files name them, rounded; the simulations reach about these.
PREFIX = "MHD_Ma_0.7_Ms_0.7_seed_"
#: Now and then the flow cavitates below what 32^3 cells resolve (on 48^3 the same flow does not)
#: and the simulation breaks down: such a seed, here 107, is passed over.
SEEDS = {
    "train": (100, 101, 102, 103, 104, 105, 106, 108),
    "valid": (200, 201),
    "test": (0, 1, 2, 3, 4, 5),
}
SPIN_UP = 100
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Recipe:
    """Everything that determines the frames of one split.

    split: "train", "valid" or "test".
    seeds: one simulation each.
    shipped: start from the shipped state "s<seed>" instead of noise of that seed.
    spin_up: frames advanced before the first stored one.
    frames: stored frames per simulation.
    stored: cells per side of a stored frame, more than 2/3 of `settings.grid`.
    settings: of the solver.
    """

    split: str
    seeds: tuple[int, ...]
    shipped: bool = False
    spin_up: int = SPIN_UP
    frames: int = 106
    stored: int = 24
    settings: Settings = field(default_factory=Settings)

    @property
    def header(self) -> Header:
        """What a file of this recipe says about its simulation."""
        return Header(
            dataset_name=EMBEDDED,
            layout=MHD,
            shape=(self.stored,) * 3,
            spacing=2 * math.pi / self.stored,
            boundaries=("periodic",) * 3,
            frames=self.frames,
            dt=self.settings.frame_dt,
            parameters={"Ma": 0.7, "Ms": 0.7},
        )

    def file(self, folder: Path, seed: int) -> Path:
        """Where the simulation of one seed lies in a data set's folder."""
        return folder / "data" / self.split / f"{PREFIX}{seed}.hdf5"


def default_recipe(split: str, grid: int | None = None) -> Recipe:
    """The recipe of a split; on another grid than 32 with the viscosity that it resolves.

    The viscosity follows nu ~ 1/N, which keeps the cells' Reynolds number; shipped states then
    relax for 10 frames.
    """
    if split not in SEEDS:
        raise ValueError(f"no split {split!r}; there are {', '.join(SEEDS)}")
    recipe = Recipe(split, SEEDS[split], shipped=split == "test")
    if recipe.shipped:
        recipe = replace(recipe, spin_up=0)
    base = recipe.settings
    if grid is None or grid == base.grid:
        return recipe
    if grid < 16 or grid % 4:
        raise ValueError(f"the grid is a multiple of 4 and at least 16, not {grid}")
    viscosity = base.viscosity * base.grid / grid
    return replace(
        recipe,
        spin_up=10 if recipe.shipped else SPIN_UP,
        stored=3 * grid // 4,
        settings=replace(base, grid=grid, viscosity=viscosity),
    )


def data_id(recipe: Recipe, seed: int) -> str:
    """SHA-256 of what determines one simulation: recipe, seed, solver version and shipped state.

    Not of the produced bytes: two machines differ in the last digits and still have the same truth.
    """
    causes = asdict(replace(recipe, seeds=(seed,)))
    digest = hashlib.sha256(json.dumps([VERSION, causes], sort_keys=True).encode())
    if recipe.shipped:
        digest.update(shipped_states()[f"s{seed}"].numpy().tobytes())
    return digest.hexdigest()


def stored_solver(
    shape: tuple[int, ...], device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Callable[[Tensor], Tensor]:
    """The step from one stored frame (7, *shape) to the next, of the default recipe's solver.

    Raises ValueError for a shape on which no default recipe stores its frames.
    """
    n = shape[0]
    if tuple(shape) != (n, n, n) or n % 3:
        raise ValueError(f"no embedded simulation is stored on a grid {tuple(shape)}")
    return Solver(default_recipe("test", 4 * n // 3).settings, device, dtype).advance_stored


def solver_id() -> str:
    """SHA-256 of the solver's version and its default settings."""
    return hashlib.sha256(json.dumps([VERSION, asdict(Settings())]).encode()).hexdigest()


def spin_up(recipe: Recipe, seed: int, on_frame: Callable[[int], None] | None = None) -> Tensor:
    """The first stored frame (7, n, n, n) of a simulation, float32."""
    if recipe.shipped:
        frame = resample(shipped_states()[f"s{seed}"], recipe.stored)
    else:
        frame = noise(seed, recipe.stored, recipe.settings).float()
    solver = Solver(recipe.settings)
    for i in range(recipe.spin_up):
        frame = solver.advance_stored(frame, (i - recipe.spin_up) * recipe.settings.frame_dt)
        if on_frame:
            on_frame(i + 1)
    return frame


def is_finished(recipe: Recipe, seed: int, folder: Path) -> bool:
    """Whether there is a readable file of this simulation that this very recipe has made."""
    return holds(recipe.file(folder, seed), data_id(recipe, seed))


def write_simulation(
    recipe: Recipe, seed: int, folder: Path, on_frame: Callable[[int], None] | None = None
) -> Path:
    """Make the file of one simulation, unless it is there; `on_frame(frames done)` after each.

    Written under another name and renamed when complete, under a lock: of two processes one
    makes the file and the other finds it finished.
    Raises SolverError where the simulation itself breaks down.
    """
    path = recipe.file(folder, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        if is_finished(recipe, seed, folder):
            return path
        solver = Solver(recipe.settings)
        frame = spin_up(recipe, seed, on_frame)
        with replacing(path, locked=True) as part, create(part, recipe.header) as file:
            file.attrs["data_id"] = data_id(recipe, seed)
            file.attrs["seed"] = seed
            for i in range(recipe.frames):
                if i > 0:
                    frame = solver.advance_stored(frame, i * recipe.settings.frame_dt)
                put(file, MHD, i, frame.numpy())
                if on_frame:
                    on_frame(recipe.spin_up + i + 1)
    return path


_reports: Any = None


def _start_worker(reports: Any) -> None:
    global _reports
    _reports = reports
    torch.set_num_threads(1)


def _work(recipe: Recipe, seed: int, folder: Path) -> None:
    name = f"{recipe.split}/s{seed}"
    try:
        write_simulation(recipe, seed, folder, lambda done: _reports.put((name, done)))
    except SolverError as error:
        raise SolverError(f"{name}: {error}") from error


def generate(
    folder: Path, recipes: Iterable[Recipe], workers: int = 2, on_progress: Progress | None = None
) -> None:
    """Make the simulations of `recipes` that `folder` lacks, one process each, `workers` at a time.

    on_progress: called as (simulation such as "test/s0", frames done, frames in all, counting
    the spin-up), with no frame done for every simulation before the first begins.
    Raises what a simulation raises, after the running ones are done; finished files remain, and
    the same call goes on from there.
    """
    recipes = list(recipes)
    missing = [
        (recipe, seed)
        for recipe in recipes
        for seed in recipe.seeds
        if not is_finished(recipe, seed, folder)
    ]
    if missing:
        _run(missing, folder, workers, on_progress)
    if missing or (recipes and not (folder / "stats.yaml").exists()):
        write_statistics(folder)


def _run(
    missing: list[tuple[Recipe, int]], folder: Path, workers: int, on_progress: Progress | None
) -> None:
    totals = {f"{r.split}/s{seed}": r.spin_up + r.frames for r, seed in missing}
    context = multiprocessing.get_context("spawn")
    reports = context.SimpleQueue()
    pool = ProcessPoolExecutor(
        min(workers, len(missing)), context, initializer=_start_worker, initargs=(reports,)
    )
    with pool:
        if on_progress:
            for name, total in totals.items():
                on_progress(name, 0, total)
        running = {pool.submit(_work, recipe, seed, folder) for recipe, seed in missing}
        try:
            while running:
                done, running = wait(running, timeout=0.2, return_when=FIRST_EXCEPTION)
                while not reports.empty():
                    name, frames = reports.get()
                    if on_progress:
                        on_progress(name, frames, totals[name])
                for future in done:
                    future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def ensure(
    root: Path,
    splits: Iterable[str] = ("test",),
    workers: int = 2,
    grid: int | None = None,
    on_progress: Progress | None = None,
) -> Path:
    """The folder of the embedded data set under `root`, with what was missing of `splits` made.

    grid: cells per side that are solved, of which 3/4 are stored.  None stands for that of the
    simulations which are there, else 32.  A split that holds data files with other names is left
    as it is.
    Raises ValueError if the folder holds simulations on another grid; see `generate` for the rest.
    """
    folder = Path(root) / "datasets" / EMBEDDED
    present = _grid(folder)
    if grid is not None and present is not None and grid != present:
        raise ValueError(f"{folder} holds simulations on a {present}^3 grid: give another root")
    recipes = [default_recipe(split, grid or present) for split in splits]
    generate(folder, [r for r in recipes if not _foreign(folder, r)], workers, on_progress)
    return folder


def _grid(folder: Path) -> int | None:
    """Cells per side on which the simulations in a data set's folder were solved."""
    for path in sorted(folder.glob(f"data/*/{PREFIX}*.hdf5")):
        with suppress(OSError, KeyError), h5py.File(path) as file:
            return 4 * len(file["dimensions/x"]) // 3
    return None


def _foreign(folder: Path, recipe: Recipe) -> bool:
    """Whether the split's place is taken by files with other names than this module gives."""
    files = [p for p in (folder / "data" / recipe.split).glob("[!.]*") if p.suffix in (".hdf5", ".h5")]
    return any(not path.name.startswith(PREFIX) for path in files)
