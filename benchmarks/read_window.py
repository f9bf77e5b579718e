"""Reading a 53-frame window of 64^3 MHD frames: `Frames` against plain h5py.

    python benchmarks/read_window.py

The plain reader is what one writes without the harness: slice each field's window out of the
file, move the components first, join.  Both end with every frame as (7, 64, 64, 64) float32.
Readers take turns in one process, on one thread and a warm page cache; both CPU and wall time are
given as the median over the rounds of the ratio to the plain reader's.  Extra memory is the growth
of the peak resident set (Linux: VmHWM) of a fresh process that only reads, beyond one output
frame.  Exits 1 if a goal is missed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median

import h5py
import numpy as np
import torch
from the_well.data import WellDataset

from harness.fields import MHD
from harness.truth.schema import read_contents
from harness.truth.well import Frames, scan

N, FRAMES, START, LENGTH, ROUNDS = 64, 56, 2, 53, 9
GOAL_RATIO, GOAL_MEMORY = 1.0, 16.0


def write(path: Path) -> None:
    """A file as The Well's MHD_64 declares it, contiguous, filled with noise frame by frame."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file.attrs.update(dataset_name="simulated", grid_type="cartesian", data_id="noise")
        file.attrs.update(n_spatial_dims=3, n_trajectories=1, simulation_parameters=[])
        dimensions = file.create_group("dimensions")
        dimensions.attrs["spatial_dims"] = list("xyz")
        for name, n in {"time": FRAMES, "x": N, "y": N, "z": N}.items():
            dimensions[name] = np.arange(n, dtype=np.float32)
            dimensions[name].attrs.update(sample_varying=False, time_varying=False)
        file.create_group("boundary_conditions")
        file.create_group("scalars").attrs["field_names"] = []
        fields: dict[int, list[str]] = {0: [], 1: [], 2: []}
        for name, rank in zip(MHD.names, MHD.ranks, strict=True):
            fields[rank].append(name)
        for rank, names in fields.items():
            group = file.create_group(f"t{rank}_fields")
            group.attrs["field_names"] = names
            for name in names:
                shape = (N, N, N, *(3,) * rank)
                data = group.create_dataset(name, (1, FRAMES, *shape), dtype="f4")
                data.attrs.update(dim_varying=[True] * 3, sample_varying=True, time_varying=True)
                for frame in range(FRAMES):
                    data[0, frame] = rng.standard_normal(shape, dtype=np.float32)
    read_contents(path)


def read_frames(root: Path) -> float:
    """Through `Frames`, one reused output frame; the sum of one value per frame."""
    (simulation,) = scan(root, "simulated", "test").simulations
    total, out = 0.0, torch.empty(7, N, N, N)
    with Frames(simulation, MHD) as frames:
        for frame in range(START, START + LENGTH):
            total += float(frames.read(frame, out)[3, 1, 2, 3])
    return total


def read_plain(root: Path) -> float:
    """The whole window by h5py slicing, channels first."""
    with h5py.File(root / "w.hdf5") as file:
        stop = START + LENGTH
        density = file["t0_fields/density"][0, START:stop]
        field = file["t1_fields/magnetic_field"][0, START:stop]
        velocity = file["t1_fields/velocity"][0, START:stop]
    parts = (density[:, None], np.moveaxis(field, -1, 1), np.moveaxis(velocity, -1, 1))
    window = np.concatenate(parts, axis=1)
    return float(sum(float(frame[3, 1, 2, 3]) for frame in window))


def read_plain_by_frame(root: Path) -> float:
    """Frame by frame by h5py slicing into one reused array, unchecked."""
    total, out = 0.0, np.empty((7, N, N, N), "f4")
    with h5py.File(root / "w.hdf5") as file:
        density = file["t0_fields/density"]
        field, velocity = file["t1_fields/magnetic_field"], file["t1_fields/velocity"]
        for frame in range(START, START + LENGTH):
            out[0] = density[0, frame]
            out[1:4] = np.moveaxis(field[0, frame], -1, 0)
            out[4:7] = np.moveaxis(velocity[0, frame], -1, 0)
            total += float(out[3, 1, 2, 3])
    return total


def read_bytes(root: Path) -> float:
    """The bytes alone, into reused buffers, components last: a floor, no state comes of it."""
    scalar, vector = np.empty((N, N, N), "f4"), np.empty((N, N, N, 3), "f4")
    total = 0.0
    with h5py.File(root / "w.hdf5") as file:
        density = file["t0_fields/density"]
        field, velocity = file["t1_fields/magnetic_field"], file["t1_fields/velocity"]
        for frame in range(START, START + LENGTH):
            density.read_direct(scalar, source_sel=np.s_[0, frame])
            velocity.read_direct(vector, source_sel=np.s_[0, frame])
            field.read_direct(vector, source_sel=np.s_[0, frame])
            total += float(vector[1, 2, 3, 2])
    return total


def read_well(root: Path) -> float:
    """The_well's own data set, raw, as a (T, 7, 64, 64, 64) tensor."""
    data = WellDataset(path=str(root), n_steps_input=3, n_steps_output=LENGTH - 3)
    sample = data[START]
    window = torch.cat([sample["input_fields"], sample["output_fields"]])
    window = window.movedim(-1, 1).contiguous()
    return float(sum(float(frame[3, 1, 2, 3]) for frame in window))


READERS: dict[str, Callable[[Path], float]] = {
    "Frames": read_frames,
    "plain h5py": read_plain,
    "plain by frame": read_plain_by_frame,
    "bytes only": read_bytes,
    "WellDataset": read_well,
}


def extra_memory(name: str, root: Path) -> float:
    """Growth of a fresh process's peak memory while it reads, in MB beyond one output frame."""
    command = [sys.executable, __file__, name, str(root)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(output) - 7 * N**3 * 4 / 1e6


def main() -> int:
    """Print the table; 1 if `Frames` misses a goal."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root / "w.hdf5")
        sums = {name: reader(root) for name, reader in READERS.items()}
        if len({round(value, 3) for value in sums.values()}) != 1:
            raise SystemExit(f"the readers disagree: {sums}")
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in READERS}
        for _ in range(ROUNDS):
            for name, reader in READERS.items():
                begin = time.process_time(), time.perf_counter()
                reader(root)
                times[name].append((time.process_time() - begin[0], time.perf_counter() - begin[1]))
        memory = {name: extra_memory(name, root) for name in READERS}
    plain = times["plain h5py"]
    print(f"{LENGTH} frames of 7 x {N}^3, {ROUNDS} rounds; times as ratios to plain h5py")
    print(f"{'reader':<16}{'CPU':>8}{'wall':>8}{'extra MB':>10}")
    missed = False
    for name in READERS:
        cpu, wall = (
            median(a[clock] / b[clock] for a, b in zip(times[name], plain, strict=True))
            for clock in (0, 1)
        )
        print(f"{name:<16}{cpu:>8.2f}{wall:>8.2f}{memory[name]:>10.1f}")
        if name == "Frames":
            missed = max(cpu, wall) > GOAL_RATIO or memory[name] > GOAL_MEMORY
    print(f"{'goal of Frames':<16}{GOAL_RATIO:>8.2f}{GOAL_RATIO:>8.2f}{GOAL_MEMORY:>10.1f}")
    return int(missed)


def peak() -> float:
    """Peak resident set of this process in MB.

    `getrusage` will not do: a child inherits the peak of the process that started it.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit("this system does not report VmHWM")


def read_once(name: str, root: Path) -> None:
    """Print by how many MB one reading raises this process's peak memory."""
    before = peak()
    READERS[name](root)
    print(peak() - before)


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if len(sys.argv) == 3:
        read_once(sys.argv[1], Path(sys.argv[2]))
    else:
        sys.exit(main())
