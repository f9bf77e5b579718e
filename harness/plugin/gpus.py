"""A GPU for each worker of a physics run, leased by a file lock; more workers than GPUs share them.

A worker's number says nothing: after a crash gw2 replaces gw0.  The lock of a dead worker is
released by the system, so its replacement leases the GPU that became free.
"""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

import pytest
import torch
from filelock import FileLock, Timeout

from harness import paths
from harness.plugin import session as sessions
from harness.plugin.workers import is_worker
from harness.report.text import counted

LEASE = pytest.StashKey[FileLock]()


def lease(devices: list[str], folder: Path) -> tuple[str, FileLock]:
    """The first one of `devices` that fewest processes have leased, and the lock that says so.

    The lease lasts as long as this process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for others in count():
        for device in devices:
            lock = FileLock(folder / f"{paths.slug(device)}-{others}.lock", fallback_to_soft=False)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            return device, lock
    raise AssertionError("some lock is free")


def visible() -> list[str]:
    """The GPUs that this process may use, by the names that CUDA_VISIBLE_DEVICES takes.

    Counted without starting CUDA, which would read the variable for the last time: none with "-1",
    with a torch for CPUs, or where there is no driver.
    """
    usable = torch.cuda.device_count()
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = map(str, range(usable)) if chosen is None else map(str.strip, chosen.split(","))
    # CUDA ignores what comes after a name that it does not know.
    return list(names)[:usable]


def _wanted(config: pytest.Config) -> list[str]:
    """The GPUs of which this run's workers take one each."""
    free = config.getoption("device") in ("auto", "cuda")
    return visible() if free and sessions.is_physics_run(config) else []


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """In a worker of a run that may use GPUs: take one, before the first CUDA call."""
    if is_worker(config) and (devices := _wanted(config)):
        os.environ["CUDA_VISIBLE_DEVICES"], config.stash[LEASE] = lease(devices, paths.cache() / "gpus")


def pytest_report_header(config: pytest.Config) -> str | None:
    """That workers share GPUs, where they do."""
    workers, devices = getattr(config.option, "numprocesses", None) or 0, _wanted(config)
    if not devices or workers <= len(devices):
        return None
    gpus = counted(len(devices), "GPU")
    return f"{workers} workers share {gpus} and the memory there; -n {len(devices)} for one each"
