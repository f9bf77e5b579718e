"""Small hydrodynamic data sets in The Well's format: 2D and 3D, periodic and between walls.

They show that the benchmark is not about MHD only, and which of its properties hold without a
magnetic field or without a periodic box.  All four come from the embedded truth's own solver
(`harness.truth.mhd`) by exact symmetries of its equations:

- without a magnetic field none arises: what is left is isothermal gas dynamics;
- a state that is uniform along z, with v_z = 0, stays so: a flow in 2D;
- a state that equals its mirror image in y stays so, and in the mirror's plane v_y and the slopes of
  everything else vanish: half of the box is a flow between two free-slip walls.  The walls lie half
  a cell beyond the outer grid points, so that the mean over the points is conserved like the mass.

The forcing follows the state alone and keeps these symmetries.  Rounding errors break them slowly,
and a flow may amplify what is broken, so the mirror image is averaged in after every frame.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor

from harness.atomic import replacing
from harness.fields import FieldLayout
from harness.truth.initial import noise
from harness.truth.mhd import RHO, VERSION, B, M, Settings, Solver
from harness.truth.well_format import Header, create, holds, put, write_statistics

#: The axis across which the walls stand: y, the last one of a 2D flow.
ACROSS = 1
#: rms |v| of the initial noise.
SPEED = 0.5
SETTINGS = Settings(grid=24, viscosity=0.03, injection=0.05, planar_weight=1.0)
SEEDS = {"train": (10, 11), "test": (0, 1, 2)}


@dataclass(frozen=True)
class Flow:
    """One data set.  spatial: 2 or 3 axes; walls: across y, else periodic everywhere."""

    spatial: int
    walls: bool
    spin_up: int = 30
    frames: int = 42

    @property
    def name(self) -> str:
        """Of the data set, e.g. "hydro_2d_walls"."""
        return f"hydro_{self.spatial}d" + ("_walls" if self.walls else "")

    @property
    def header(self) -> Header:
        """What a file says about its simulation."""
        n = SETTINGS.grid
        shape = [n] * self.spatial
        boundaries = ["periodic"] * self.spatial
        if self.walls:
            shape[ACROSS], boundaries[ACROSS] = n // 2, "wall"
        return Header(
            dataset_name=self.name,
            layout=FieldLayout(("density", "velocity"), (0, 1), self.spatial),
            shape=tuple(shape),
            spacing=2 * math.pi / n,
            boundaries=tuple(boundaries),
            frames=self.frames,
            dt=SETTINGS.frame_dt,
            parameters={"Ms": 0.6},
        )


FLOWS = tuple(Flow(spatial, walls) for spatial in (2, 3) for walls in (False, True))


def ensure(
    root: Path, flows: tuple[Flow, ...] = FLOWS, on_frame: Callable[[str, int, int], None] | None = None
) -> list[Path]:
    """The folders of the data sets under `root`, with what was missing made, one by one.

    on_frame: called as (simulation such as "hydro_2d/test/0", frames done, frames in all).
    """
    folders = []
    for flow in flows:
        folder = Path(root) / "datasets" / flow.name
        for split, seeds in SEEDS.items():
            for seed in seeds:
                path = folder / "data" / split / f"{flow.name}_seed_{seed}.hdf5"
                if not holds(path, _data_id(flow, seed)):
                    _write(path, flow, seed, on_frame)
        if not (folder / "stats.yaml").exists():
            write_statistics(folder)
        folders.append(folder)
    return folders


def _data_id(flow: Flow, seed: int) -> str:
    causes = [VERSION, asdict(SETTINGS), asdict(flow), SPEED, seed]
    return hashlib.sha256(json.dumps(causes, sort_keys=True).encode()).hexdigest()


def _write(path: Path, flow: Flow, seed: int, on_frame: Callable[[str, int, int], None] | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    name = f"{flow.name}/{path.parent.name}/{seed}"
    solver = Solver(SETTINGS)
    with FileLock(path.with_name(f".{path.name}.lock")):
        if holds(path, _data_id(flow, seed)):
            return
        state = _initial(flow, seed)
        header = flow.header
        with replacing(path, locked=True) as part, create(part, header) as file:
            file.attrs.update(data_id=_data_id(flow, seed), seed=seed)
            for i in range(-flow.spin_up, flow.frames):
                if i >= 0:
                    put(file, header.layout, i, _frame(state, flow).numpy())
                if i < flow.frames - 1:
                    state = _symmetric(solver.advance(state, i * SETTINGS.frame_dt), flow)
                if on_frame:
                    on_frame(name, flow.spin_up + i + 1, flow.spin_up + flow.frames)


def _initial(flow: Flow, seed: int) -> Tensor:
    """Unit density, no magnetic field and a random solenoidal velocity with the flow's symmetries."""
    state = noise(seed, SETTINGS.grid, SETTINGS)
    state[B] = 0.0
    if flow.spatial == 2:
        state[M] = state[M].mean(-1, keepdim=True).expand_as(state[M])
        state[M][2] = 0.0
    state = _symmetric(state, flow)
    state[M] *= SPEED / state[M].square().sum(0).mean().sqrt()
    return state


def _symmetric(state: Tensor, flow: Flow) -> Tensor:
    """The mean of a state and its mirror image in y; the state itself without walls."""
    if not flow.walls:
        return state
    axis = state.ndim - 3 + ACROSS
    image = state.flip(axis)
    image[M][ACROSS] *= -1
    return (state + image) / 2


def _frame(state: Tensor, flow: Flow) -> Tensor:
    """What a file keeps of a state: density and velocity, one plane in 2D, half a box with walls."""
    kept = torch.cat([state[RHO], state[M][: flow.spatial]])
    if flow.walls:
        kept = kept[:, :, : SETTINGS.grid // 2]
    return kept[..., 0] if flow.spatial == 2 else kept
