"""Leases of GPUs, on names instead of GPUs: what a worker gets, and what its replacement gets."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.queues import Queue
from pathlib import Path

import pytest

from harness.plugin.gpus import lease, visible

DEVICES = ["0", "GPU-5f/../x"]


def _hold(folder: Path, said: Queue[str | None]) -> None:
    leased = lease(DEVICES, folder)
    said.put(leased[0] if leased else None)
    time.sleep(120)


def test_a_killed_workers_gpu_goes_to_its_replacement(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    said: Queue[str | None] = context.Queue()
    workers = []
    for expected in (*DEVICES, None):
        workers.append(context.Process(target=_hold, args=(tmp_path, said)))
        workers[-1].start()
        assert said.get(timeout=60) == expected
    workers[0].kill()
    workers[0].join()
    leased = lease(DEVICES, tmp_path)
    assert leased is not None and leased[0] == "0"
    leased[1].release()
    for worker in workers[1:]:
        worker.kill()
        worker.join()
    assert all(path.parent == tmp_path for path in tmp_path.rglob("*.lock"))


def test_only_visible_devices_are_leased(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5")
    assert visible() == ["3", "5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible() == []
