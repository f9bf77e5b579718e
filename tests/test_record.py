"""The store: atomic, content-addressed, one maker per key, damage is mended."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from harness.record import Store, StoreError

KEY = "ab" + "0" * 62


def dataset(value: float = 1.0) -> xr.Dataset:
    values = np.full((2, 3), value)
    return xr.Dataset(
        {"variance": (("side", "step"), values)},
        coords={"side": ["truth", "prediction"], "step": [0, 1, 2]},
        attrs={"diverged_at": -1, "diverged_in": ""},
    )


def test_round_trip_is_exact_and_netcdf(tmp_path: Path) -> None:
    store = Store(tmp_path)
    data = dataset(0.1)
    data["variance"][1, 2] = np.nan
    store.put(KEY, data)
    found = store.get(KEY)
    assert found is not None
    xr.testing.assert_identical(found.data, data)
    assert store.path(KEY).read_bytes()[:4] == b"\x89HDF"
    assert found.diverged_at is None
    assert float(found.truth["variance"][0]) == 0.1


def test_absent_and_truncated_files_count_as_none(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.get(KEY) is None
    store.put(KEY, dataset())
    whole = store.path(KEY).read_bytes()
    store.path(KEY).write_bytes(whole[: len(whole) // 2])
    assert store.get(KEY) is None
    store.put(KEY, dataset(2.0))
    found = store.get(KEY)
    assert found is not None and float(found.pred["variance"][0]) == 2.0


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(KEY, dataset())
    before = store.path(KEY).read_bytes()
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match="cannot write record"):
        Store(tmp_path / "file").put(KEY, dataset())
    assert store.path(KEY).read_bytes() == before
    assert not list(tmp_path.rglob("*.part"))


def _make(root: Path, made: Path) -> None:
    store = Store(root)
    with store.lock(KEY):
        if store.get(KEY) is None:
            made.joinpath(str(time.monotonic_ns())).touch()
            time.sleep(0.3)
            store.put(KEY, dataset())


def test_one_process_makes_a_record_the_others_wait(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_make, args=(tmp_path / "store", made)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert len(list(made.iterdir())) == 1


def _hold(root: Path, held: Path) -> None:
    with Store(root).lock(KEY):
        held.touch()
        time.sleep(120)


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    held = tmp_path / "held"
    process = multiprocessing.get_context("spawn").Process(
        target=_hold, args=(tmp_path / "store", held)
    )
    process.start()
    while not held.exists():
        assert process.is_alive()
        time.sleep(0.05)
    process.kill()
    process.join()
    with Store(tmp_path / "store").lock(KEY):
        pass


def test_export_shares_the_file_and_never_changes_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.put(KEY, dataset())
    folder = tmp_path / "records"
    folder.mkdir()
    store.export(KEY, folder)
    store.export(KEY, folder)
    assert (folder / f"{KEY}.nc").read_bytes() == store.path(KEY).read_bytes()
