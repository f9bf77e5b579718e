"""Leases of GPUs, on names instead of GPUs: what a worker gets, and what its replacement gets."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.queues import Queue
from pathlib import Path

import pytest
import torch

from harness.plugin import gpus
from harness.plugin.gpus import lease, visible
from tests.conftest import Toy

DEVICES = ["0", "GPU-5f/../x"]


def _hold(folder: Path, said: Queue[str]) -> None:
    device, _held = lease(DEVICES, folder)
    said.put(device)
    time.sleep(120)


def test_a_killed_workers_gpu_goes_to_its_replacement(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    said: Queue[str] = context.Queue()
    workers = []
    for expected in (*DEVICES, *DEVICES):  # more workers than GPUs share them evenly
        workers.append(context.Process(target=_hold, args=(tmp_path, said)))
        workers[-1].start()
        assert said.get(timeout=60) == expected
    workers[1].kill()
    workers[1].join()
    device, lock = lease(DEVICES, tmp_path)
    assert device == DEVICES[1]
    lock.release()
    for worker in workers:
        worker.kill()
        worker.join()
    assert all(path.parent == tmp_path for path in tmp_path.rglob("*.lock"))


@pytest.mark.parametrize(
    ("chosen", "usable", "names"),
    [
        (None, 2, ["0", "1"]),
        ("3, 5", 2, ["3", "5"]),
        ("GPU-5f,-1,2", 1, ["GPU-5f"]),
        ("-1", 0, []),
        ("", 0, []),
        ("0", 0, []),  # a torch for CPUs
    ],
)
def test_only_usable_devices_are_leased(
    chosen: str | None, usable: int, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: usable)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert visible() == names


#: a machine with one GPU, as far as the leases see
ONE_GPU = """
import os
import pytest
import torch

torch.cuda.device_count = lambda: 1
pytest_plugins = ["harness.plugin"]

@pytest.fixture(autouse=True)
def leased(record_property):
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-7"
"""


def test_two_workers_share_one_gpu_in_a_physics_run_only(toy_bench: Toy) -> None:
    """`pytest suites/ -n 2` starts on every machine; tests that are no physics leave GPUs alone."""
    folder = toy_bench.folder
    (folder / "conftest.py").write_text(ONE_GPU)
    auto = ("-n", "2", "--device", "auto")
    assert toy_bench.pytest(*auto, CUDA_VISIBLE_DEVICES="GPU-7") in (0, 1), toy_bench.output
    assert "2 workers share 1 GPU and the memory there; -n 1 for one each" in toy_bench.output
    assert {test.outcome for test in toy_bench.run.tests} <= {"passed", "recorded", "not-applicable"}
    leases = {path.name for path in (folder / "cache" / "gpus").iterdir()}
    assert leases == {"GPU-7-0.lock", "GPU-7-1.lock"}


@pytest.mark.parametrize(("arguments", "leases"), [(["tests"], 0), (["--model", "a", "tests"], 1)])
def test_only_a_physics_run_leases(
    arguments: list[str], leases: int, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    config = pytester.parseconfig("-p", "harness.plugin.options", "-n", "2", *arguments)
    config.option.numprocesses = 2
    assert (gpus.pytest_report_header(config) is not None) == bool(leases)
    monkeypatch.setattr(gpus, "is_worker", lambda config: True)
    monkeypatch.setenv("HARNESS_CACHE", str(pytester.path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-7")
    gpus.pytest_configure(config)
    assert len(list(pytester.path.rglob("*.lock"))) == leases
