"""Everything that is needed to repeat a run."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import torch

from harness import numerics
from harness.paths import ROOT
from harness.plan import Plan
from harness.results import Provenance
from harness.truth.window import Window

PACKAGES = (
    "torch", "numpy", "scipy", "h5py", "xarray", "netCDF4", "the_well", "pytest", "pytest-xdist",
    "syrupy", "physics-harness",
)  # fmt: skip


def collect(
    plan: Plan,
    command: Sequence[str],
    workers: int,
    against: str | None,
    recorded: bool,
    partial: bool,
) -> Provenance:
    """Versions, commit, device, switches and data ids of a run; the rest as `Provenance` has it."""
    with numerics.strict():
        flags = numerics.flags(plan.options.precision)
    flags["torch_threads"] = str(torch.get_num_threads())
    commit = _git("rev-parse", "HEAD")
    return Provenance(
        command=tuple(command),
        git_commit=commit,
        git_dirty=None if commit is None else local_changes(),
        versions={"python": platform.python_version()} | _versions(),
        platform=platform.platform(),
        device=_device(plan.options.device),
        precision=plan.options.precision,
        flags=flags,
        draws="seeded by draw number and step" if plan.options.seeded else "none",
        steps=plan.options.steps,
        data={protocol.name: _data_id(plan, protocol.name) for protocol in plan.protocols},
        truth={protocol.name: describe(plan.windows[protocol.name]) for protocol in plan.protocols},
        workers=workers,
        against=against,
        recorded=recorded,
        partial=partial,
    )


def local_changes() -> bool:
    """Whether a file of the checkout differs from its commit; others beside them do not count."""
    return bool(_git("status", "--porcelain", "--untracked-files=no"))


def describe(windows: Sequence[Window]) -> str:
    """What truth a protocol reads: `6 simulations of simulated, 24 x 24 x 24 cells, periodic, ...`.

    Grids, frame distances and parameters that differ are listed or given by their range.
    """
    simulations = list(dict.fromkeys(window.simulation for window in windows))
    if not simulations:
        return "no simulation"
    parameters: dict[str, list[float]] = {}
    for name, value in (pair for simulation in simulations for pair in simulation.parameters):
        parameters.setdefault(name, []).append(value)
    n, datasets = len(simulations), dict.fromkeys(s.dataset for s in simulations)
    grids = dict.fromkeys(" x ".join(map(str, s.shape)) for s in simulations)
    boundaries = dict.fromkeys(", ".join(dict.fromkeys(s.boundaries)) for s in simulations)
    return "; ".join(
        [
            f"{n} simulation{'' if n == 1 else 's'} of {', '.join(datasets)}",
            f"{' or '.join(grids)} cells, {' or '.join(boundaries)}",
            f"dt = {_range([s.dt for s in simulations])}",
            *(f"{name} = {_range(values)}" for name, values in parameters.items()),
        ]
    )


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _data_id(plan: Plan, protocol: str) -> str:
    digest = hashlib.sha256()
    for simulation in dict.fromkeys(w.simulation for w in plan.windows[protocol]):
        digest.update(f"{simulation.name}:{simulation.data_id};".encode())
    return digest.hexdigest()


def _device(name: str) -> str:
    device = torch.device(name)
    if device.type == "cuda":
        return f"{name} ({torch.cuda.get_device_name(device)})"
    return f"{name} ({platform.processor() or platform.machine()})"


def _git(*arguments: str) -> str | None:
    """Output of a git command in the checkout, None where there is no git or no checkout."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
