"""One GPU per worker, leased by a file lock.

A worker's number says nothing: after a crash gw2 replaces gw0.  The lock of a dead worker is
released by the system, so its replacement leases the GPU that became free.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from filelock import FileLock, Timeout

from harness import paths
from harness.plugin.workers import is_worker

LEASE = pytest.StashKey[FileLock]()


def lease(devices: list[str], folder: Path) -> tuple[str, FileLock] | None:
    """A free one of `devices` and the lock that holds it as long as this process lives, else None."""
    folder.mkdir(parents=True, exist_ok=True)
    for device in devices:
        lock = FileLock(folder / f"{paths.slug(device)}.lock", fallback_to_soft=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        return device, lock
    return None


def visible() -> list[str]:
    """The GPUs that this process may use, by the names that CUDA_VISIBLE_DEVICES takes."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip()]
    return [str(i) for i in range(torch.cuda.device_count())]


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """In a worker that may use GPUs: take one, before the first CUDA call."""
    wanted = config.getoption("device") in ("auto", "cuda")
    if not (is_worker(config) and wanted and (devices := visible())):
        return
    leased = lease(devices, paths.cache() / "gpus")
    if leased is None:
        raise pytest.UsageError(f"all {len(devices)} GPUs are leased: use -n {len(devices)} at most")
    os.environ["CUDA_VISIBLE_DEVICES"], config.stash[LEASE] = leased
