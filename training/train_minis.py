"""Train a shipped learned surrogate on the embedded MHD truth.

    python training/train_minis.py fno-mini --data ROOT --seed 0 --out DIR

Reads `ROOT/datasets/simulated/data/{train,valid}/*.hdf5` with h5py, trains on one CPU thread until
the stopping rule fires, and writes `DIR/<name>.safetensors`, `DIR/<name>.training.json` and
`DIR/<name>.curve.csv`.  All three are rewritten at every evaluation, so that a run that is cut
short leaves its last state; the record then says `"stopped_by": null`.  training/README.md
describes the recipe.
"""

from __future__ import annotations

import argparse
import copy
import csv
import json
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import torch
from torch import Tensor

from harness.fields import MHD
from harness.surrogates.minis import MINIS, build, save_mini
from harness.surrogates.minis.increments import FixedUnits, IncrementModel

CHANNEL = (slice(None), None, None, None)


@dataclass(frozen=True)
class Recipe:
    """Everything about the optimisation that was chosen beforehand, the same for all but the loss.

    loss: mean square or mean absolute error of the increment in its unit.
    rate, warm_up: Adam's learning rate, constant after a linear warm-up of so many iterations.
    average: decay of the exponential moving average of the weights that is evaluated and kept.
    every: iterations between evaluations; stride: frames between validation windows.
    least: iterations before the stopping rule is asked; most: a hard end, which the record names.
    fifth, improvement: stop when the last `fifth` of the iterations so far improved the best
        validation figure by less than `improvement`.
    """

    loss: Literal["square", "absolute"] = "square"
    rate: float = 3e-3
    warm_up: int = 100
    average: float = 0.999
    every: int = 250
    stride: int = 8
    least: int = 3000
    most: int = 60000
    fifth: float = 0.2
    improvement: float = 0.02


#: the recipe of each; revin-mini is trained as Walrus is
RECIPES = {name: Recipe() for name in MINIS} | {"revin-mini": Recipe(loss="absolute")}


@dataclass(frozen=True)
class Evaluation:
    """One line of the training curve; losses and times since the start of training."""

    iteration: int
    train_loss: float
    valid_step1_vrmse: float
    cpu_seconds: float
    wall_seconds: float


def read_split(root: Path, split: str) -> tuple[list[Tensor], dict[str, str]]:
    """Trajectories of a split, each (n_frames, C, x, y, z) float32, and the data id of each file.

    Raises FileNotFoundError if the split holds no file.
    """
    folder = root / "datasets" / "simulated" / "data" / split
    files = sorted(folder.glob("*.hdf5"))
    if not files:
        raise FileNotFoundError(f"no .hdf5 file in {folder}")
    trajectories: list[Tensor] = []
    ids = {}
    for path in files:
        with h5py.File(path) as file:
            ids[path.name] = str(file.attrs["data_id"])
            fields = [file["t0_fields/density"][:][:, :, None]]
            for name in ("magnetic_field", "velocity"):
                fields.append(np.moveaxis(file[f"t1_fields/{name}"][:], -1, 2))
        trajectories += torch.from_numpy(np.concatenate(fields, axis=2)).float().unbind()
    return trajectories, ids


def scales(trajectories: Sequence[Tensor]) -> dict[str, Tensor]:
    """The normalisation: mean and scale of a frame, scale of an increment, each (C, 1, 1, 1).

    The problem's symmetries are imposed: no mean of B_y, B_z and v, equal scales of y and z.
    """
    frames = torch.cat(list(trajectories)).double()
    increments = torch.cat([t[1:] - t[:-1] for t in trajectories]).double()
    mean = frames.mean((0, 2, 3, 4))
    mean[2:] = 0.0
    scale = (frames - mean[CHANNEL]).square().mean((0, 2, 3, 4))
    increment = increments.square().mean((0, 2, 3, 4))
    for variance in (scale, increment):
        for pair in ([2, 3], [5, 6]):
            variance[pair] = variance[pair].mean()
    values = {"mean": mean, "scale": scale.sqrt(), "increment_scale": increment.sqrt()}
    return {name: value.float()[CHANNEL] for name, value in values.items()}


def transform(frames: Tensor, swap: bool, flip_x: bool, flip_y: bool, flip_z: bool) -> Tensor:
    """One of the 16 exact symmetries of MHD with a guide field along x, on (..., C, x, y, z).

    swap exchanges the axes y and z; with the flips it generates the rotations about x, the
    reflections and the parity.  v is a vector.  B is axial, and MHD is also symmetric under
    B -> -B, whose sign is chosen to keep the guide field.  For maps of the (y, z) plane the two
    signs cancel and B transforms as a vector; for x -> -x they leave (B_x, -B_y, -B_z).
    """
    sign = torch.ones(MHD.n_channels)
    axes = []
    if swap:
        frames = frames.transpose(-1, -2)[..., [0, 1, 3, 2, 4, 6, 5], :, :, :]
    if flip_x:
        axes.append(-3)
        sign[[2, 3, 4]] *= -1
    if flip_y:
        axes.append(-2)
        sign[[2, 5]] *= -1
    if flip_z:
        axes.append(-1)
        sign[[3, 6]] *= -1
    return frames.flip(axes) * sign[CHANNEL]


def step1_vrmse(module: IncrementModel, trajectories: Sequence[Tensor], stride: int) -> float:
    """Mean over windows of VRMSE at step 1: mean over channels of sqrt(mse / (var + 1e-12))."""
    errors = []
    with torch.no_grad():
        for frames in trajectories:
            for last in range(2, len(frames) - 1, stride):
                truth = frames[last + 1]
                error = module(frames[last + 1 - module.n_history : last + 1]) - truth
                variance = truth.var((1, 2, 3), unbiased=False) + 1e-12
                errors.append((error.square().mean((1, 2, 3)) / variance).sqrt().mean())
    return float(torch.stack(errors).mean())


def has_levelled(curve: Sequence[Evaluation], recipe: Recipe) -> bool:
    """The stopping rule, asked after each evaluation."""
    now = curve[-1].iteration
    if now < recipe.least:
        return False
    before = [e for e in curve if e.iteration <= (1 - recipe.fifth) * now]
    best_before = min(e.valid_step1_vrmse for e in before)
    best = min(e.valid_step1_vrmse for e in curve)
    return best > (1 - recipe.improvement) * best_before


def train(
    name: str, data: Path, seed: int, out: Path, snapshots: Sequence[int], recipe: Recipe
) -> dict[str, Any]:
    """Train one mini, write its weights, curve and record into `out`, and return the record."""
    training, train_ids = read_split(data, "train")
    validation, valid_ids = read_split(data, "valid")
    mini = build(MINIS[name], seed)
    averaged = copy.deepcopy(mini)
    for model in (mini, averaged):
        if isinstance(model.module, FixedUnits):
            model.module.load_state_dict(scales(training), strict=False)
        model.module.requires_grad_(True)
    module, kept = mini.module, averaged.module
    optimiser = torch.optim.Adam(module.parameters(), lr=recipe.rate)
    draws = torch.Generator().manual_seed(seed)
    curve: list[Evaluation] = []
    losses: list[float] = []
    cpu, wall = time.process_time(), time.perf_counter()
    record: dict[str, Any] = {
        "model": name,
        "config": MINIS[name],
        "parameters": sum(p.numel() for p in module.parameters()),
        "seed": seed,
        "recipe": asdict(recipe),
        "train_data_id": train_ids,
        "valid_data_id": valid_ids,
        "torch": torch.__version__,
        "machine": platform.machine(),
        "stopped_by": None,
    }
    for iteration in range(1, recipe.most + 1):
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * min(1.0, iteration / recipe.warm_up)
        losses.append(_iterate(module, optimiser, training, draws, recipe))
        decay = min(recipe.average, iteration / (iteration + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(kept.parameters()), list(module.parameters()), 1 - decay)
        if iteration in snapshots:
            save_mini(averaged, out / f"{name}.{iteration}.safetensors")
        if iteration % recipe.every:
            continue
        curve.append(
            Evaluation(
                iteration,
                float(np.mean(losses[-recipe.every :])),
                step1_vrmse(kept, validation, recipe.stride),
                time.process_time() - cpu,
                time.perf_counter() - wall,
            )
        )
        print(curve[-1], flush=True)
        if has_levelled(curve, recipe):
            record["stopped_by"] = "rule"
        elif iteration == recipe.most:
            record["stopped_by"] = "limit"
        _write(averaged, record, curve, out / name)
        if record["stopped_by"]:
            break
    return record


def _iterate(
    module: IncrementModel,
    optimiser: torch.optim.Optimizer,
    trajectories: Sequence[Tensor],
    draws: torch.Generator,
    recipe: Recipe,
) -> float:
    """One random window under one random symmetry: a gradient step, and its loss."""

    def draw(stop: int) -> int:
        return int(torch.randint(stop, (1,), generator=draws))

    frames = trajectories[draw(len(trajectories))]
    start = draw(len(frames) - module.n_history)
    window = frames[start : start + module.n_history + 1]
    window = transform(window, *(bool(draw(2)) for _ in range(4)))
    residual = module.residual(window)
    loss = (residual.square() if recipe.loss == "square" else residual.abs()).mean()
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return loss.item()


def _write(mini: Any, record: dict[str, Any], curve: Sequence[Evaluation], stem: Path) -> None:
    last = asdict(curve[-1])
    save_mini(mini, stem.with_name(f"{stem.name}.safetensors"))
    text = json.dumps(record | {"last": last, "fingerprint": mini.fingerprint()}, indent=2)
    stem.with_name(f"{stem.name}.training.json").write_text(text + "\n")
    with stem.with_name(f"{stem.name}.curve.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, last, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(evaluation) for evaluation in curve)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(MINIS))
    parser.add_argument("--data", type=Path, required=True, help="folder that holds datasets/")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("training/out"))
    parser.add_argument(
        "--snapshot", type=int, nargs="*", default=(), help="iterations whose weights to keep too"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    recipe = RECIPES[options.name]
    record = train(options.name, options.data, options.seed, options.out, options.snapshot, recipe)
    if record["stopped_by"] != "rule":
        raise SystemExit(f"stopped at {recipe.most} iterations before the stopping rule fired")


if __name__ == "__main__":
    main()
