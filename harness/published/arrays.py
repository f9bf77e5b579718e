"""The study's recorded series, as arrays over (trajectory, step)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.fields import MHD
from harness.suggest import unknown

Array = NDArray[np.float64]

FOLDER = Path(__file__).parent / "data"


@dataclass(frozen=True, eq=False)
class Run:
    """What the study recorded of one model under one protocol.

    simulation, ms: (trajectory,) number of the simulation and its sonic Mach number.
    first_frame: (trajectory,) number of the first predicted frame.
    vrmse: (trajectory, step), the `seed` convention; NaN at step 0.
    variance: (trajectory, step, channel) of the prediction; step 0 is the last input frame.
    div_b, energy_b, energy_k, mass: (trajectory, step): rms(centred div B) / mean abs(B),
    mean(B^2)/2, mean(rho v^2)/2 and mean density of the prediction; truth_*: of the truth.
    """

    model: str
    protocol: str
    simulation: NDArray[np.int64]
    ms: Array
    first_frame: NDArray[np.int64]
    vrmse: Array
    variance: Array
    div_b: Array
    truth_div_b: Array
    energy_b: Array
    truth_energy_b: Array
    energy_k: Array
    truth_energy_k: Array
    mass: Array
    truth_mass: Array

    @property
    def trajectories(self) -> int:
        """Number of rollouts."""
        return len(self.simulation)

    @property
    def steps(self) -> int:
        """Number of predicted steps."""
        return self.vrmse.shape[1] - 1

    def case(self, trajectory: int) -> str:
        """The harness's name of a rollout: "Ma0.7_Ms0.5-w0"."""
        first = np.unique(self.first_frame)
        window = int(np.flatnonzero(first == self.first_frame[trajectory])[0])
        return f"Ma0.7_Ms{self.ms[trajectory]:g}-w{window}"


@cache
def runs() -> dict[tuple[str, str], Run]:
    """Every recorded run, by model and protocol."""
    names = sorted(path.stem for path in FOLDER.glob("*.*.csv"))
    pairs = [tuple(name.split(".")) for name in names]
    return {(model, protocol): _read(model, protocol) for model, protocol in pairs}


def of(model: str) -> list[Run]:
    """The runs of one model; KeyError, with the nearest names, if the study has none of it."""
    found = [run for (name, _), run in runs().items() if name == model]
    if not found:
        raise KeyError(unknown("published model", model, sorted({name for name, _ in runs()})))
    return found


@cache
def draws() -> dict[str, Array]:
    """Five reruns of walrus-pt, mhd64-early, trajectory 0, steps 1-50: name -> (draw, step, ...).

    The study calls them seeds of 1e-6 input noise.  Patch jitter was not seeded, so their spread is
    that of the model's own draws.
    """
    columns = _columns(FOLDER / "draws.csv")
    shape = (len(np.unique(columns["draw"])), -1)
    variance = [columns[f"var_{c.replace('_', '')}"].reshape(shape) for c in MHD.channels]
    return {"variance": np.stack(variance, -1), "div_b": columns["div_b"].reshape(shape)}


def _read(model: str, protocol: str) -> Run:
    columns = _columns(FOLDER / f"{model}.{protocol}.csv")
    shape = (len(np.unique(columns["traj"])), -1)
    table = {name: values.reshape(shape) for name, values in columns.items()}
    variance = [table[f"var_{c.replace('_', '')}"] for c in MHD.channels]
    return Run(
        model=model,
        protocol=protocol,
        simulation=table["sim"][:, 0].astype(int),
        ms=table["Ms"][:, 0],
        first_frame=table["frame"][:, 1].astype(int),
        vrmse=table["vrmse"],
        variance=np.stack(variance, -1),
        div_b=table["div_b"],
        truth_div_b=table["truth_div_b"],
        energy_b=table["E_B"],
        truth_energy_b=table["truth_E_B"],
        energy_k=table["E_K"],
        truth_energy_k=table["truth_E_K"],
        mass=table["mass"],
        truth_mass=table["truth_mass"],
    )


def _columns(path: Path) -> dict[str, Array]:
    """The columns of a comma separated file whose first line is its source."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(line for line in stream if not line.startswith("#")))
    values = np.array(rows[1:], dtype=np.float64)
    return {name: values[:, i] for i, name in enumerate(rows[0])}
