"""Fetching: what comes is whole and right, and what is not never looks like data."""

from __future__ import annotations

import json
import random
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.hub import catalogue, fetch, http
from harness.hub.catalogue import Item
from harness.hub.errors import FetchError
from harness.hub.http import Waits
from tests.hub_server import COMMIT, Hub, serve

FAST = Waits(attempts=4, pause=0.0, sleep=lambda seconds: None)
FIRST = "data/test/MHD_Ma_0.7_Ms_0.5.hdf5"
SECOND = "data/test/MHD_Ma_2_Ms_7.hdf5"
REPOSITORY = "datasets/polymathic-ai/MHD_64"


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    content = {
        FIRST: noise(1, 300_000),
        SECOND: noise(2, 200_001),
        "data/train/MHD_Ma_0.7_Ms_0.5.hdf5": noise(3, 1000),
        "README.md": b"# MHD_64",
        "stats.yaml": b"mean: {density: 1.0}\n",
    }
    weights = {"walrus.pt": noise(4, 5000), "extended_config.yaml": b"model: {}\n", "README.md": b""}
    files = {REPOSITORY: content, "models/polymathic-ai/walrus": weights}
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    with serve(Hub(files, small={"stats.yaml", "README.md", "extended_config.yaml"})) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        yield running


@pytest.fixture
def item(tmp_path: Path, hub: Hub) -> Item:
    return catalogue.item("MHD_64", tmp_path / "data", "test")


def bring(item: Item, free: int = 1 << 40) -> None:
    fetch.carry_out(fetch.order(item, waits=FAST), FAST, free=lambda folder: free)


def data_files(item: Item) -> set[str]:
    """Everything in the folder that somebody might take for data."""
    return {
        str(path.relative_to(item.folder))
        for path in item.folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_a_split_and_its_statistics_arrive_in_the_wells_layout(item: Item, hub: Hub) -> None:
    bring(item)
    assert data_files(item) == {FIRST, SECOND, "stats.yaml"}
    for path in (FIRST, SECOND, "stats.yaml"):
        assert (item.folder / path).read_bytes() == hub.files[REPOSITORY][path]
    manifest = json.loads((item.folder / ".fetched.json").read_text())
    assert manifest["commit"] == COMMIT
    assert set(manifest["files"]) == {FIRST, SECOND, "stats.yaml"}


def test_what_is_here_is_not_fetched_again(item: Item, hub: Hub) -> None:
    bring(item)
    before = len(hub.requests)
    order = fetch.order(item, waits=FAST)
    assert (order.missing, order.to_come) == ((), 0)
    fetch.carry_out(order, FAST)
    assert len(hub.requests) == before + 1  # the listing, of the commit that was fetched
    assert COMMIT in hub.requests[-1][0]


def test_a_file_that_somebody_put_there_is_verified_not_fetched(item: Item, hub: Hub) -> None:
    for path, content in ((FIRST, hub.files[REPOSITORY][FIRST]), (SECOND, noise(9, 200_001))):
        (item.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (item.folder / path).write_bytes(content)
    bring(item)
    assert hub.gets(FIRST) == []
    assert hub.gets(SECOND) == [None]  # right size, wrong content
    assert (item.folder / SECOND).read_bytes() == hub.files[REPOSITORY][SECOND]


@pytest.mark.parametrize(
    "trouble",
    [
        ["503"],
        ["page"],
        ["503", "page", "503"],
        ["cut"],
        ["long"],
        ["redirect"],
        ["redirect", "cut", "redirect"],
    ],
)
def test_a_bad_day_of_the_server_is_survived(item: Item, hub: Hub, trouble: list[str]) -> None:
    hub.trouble[FIRST] = list(trouble)
    bring(item)
    assert (item.folder / FIRST).read_bytes() == hub.files[REPOSITORY][FIRST]


class Torn:
    """An answer that is read in these sizes first; at 0 the encrypted connection breaks."""

    def __init__(self, answer: Any, sizes: Iterator[int]) -> None:
        self._answer, self._sizes = answer, sizes
        self.status, self.headers = answer.status, answer.headers

    def __enter__(self) -> Torn:
        return self

    def __exit__(self, *error: object) -> None:
        self._answer.close()

    def read(self, size: int) -> bytes:
        if (size := next(self._sizes, size)) == 0:
            raise ssl.SSLEOFError(8, "EOF occurred in violation of protocol")
        return bytes(self._answer.read(size))


def test_a_broken_encryption_is_tried_again(
    item: Item, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An SSLError is an OSError, but none of the disk's."""
    order, sizes = fetch.order(item, waits=FAST), iter((100_000, 0))
    monkeypatch.setattr(http, "urlopen", lambda *a, **more: Torn(urlopen(*a, **more), sizes))
    fetch.carry_out(order, FAST, free=lambda folder: 1 << 40)
    assert hub.gets(FIRST) == [None, "bytes=100000-"]
    assert (item.folder / FIRST).read_bytes() == hub.files[REPOSITORY][FIRST]


@pytest.mark.parametrize("trouble", ["503", "page", "long"])
def test_a_page_is_never_saved_as_data(item: Item, hub: Hub, trouble: str) -> None:
    hub.trouble[FIRST] = [trouble] * 10
    with pytest.raises(FetchError, match=r"4 attempts.*goes on from there"):
        bring(item)
    assert FIRST not in data_files(item)
    for left in item.folder.rglob("*.part"):
        assert b"<html" not in left.read_bytes()
    hub.trouble.clear()
    bring(item)
    assert (item.folder / FIRST).read_bytes() == hub.files[REPOSITORY][FIRST]


def test_a_broken_transfer_goes_on_where_it_stopped(item: Item, hub: Hub) -> None:
    hub.trouble[FIRST] = ["cut"] * 4
    with pytest.raises(FetchError, match="ended after"):
        bring(item)
    part = item.folder / f"data/test/.{Path(FIRST).name}.part"
    here = part.stat().st_size
    assert here == 300_000 - 300_000 // 16
    assert fetch.order(item, waits=FAST).to_come == 300_000 - here + 200_001 + 21
    hub.requests.clear()
    bring(item)
    assert hub.gets(FIRST) == [f"bytes={here}-"]
    assert (item.folder / FIRST).read_bytes() == hub.files[REPOSITORY][FIRST]
    assert not part.exists()


def test_a_server_without_ranges_starts_anew(item: Item, hub: Hub) -> None:
    hub.trouble[FIRST] = ["cut", "no-range"]
    bring(item)
    assert (item.folder / FIRST).read_bytes() == hub.files[REPOSITORY][FIRST]


def test_a_part_of_another_file_is_found_out_by_its_digest(item: Item, hub: Hub) -> None:
    part = item.folder / f"data/test/.{Path(FIRST).name}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(noise(7, 1000))
    with pytest.raises(FetchError, match="wrong content"):
        bring(item)
    assert FIRST not in data_files(item)
    bring(item)
    assert (item.folder / FIRST).read_bytes() == hub.files[REPOSITORY][FIRST]


@pytest.mark.parametrize("path", [FIRST, "stats.yaml"])
def test_wrong_content_is_refused_and_named(item: Item, hub: Hub, path: str) -> None:
    if path == FIRST:
        hub.lies[FIRST] = "0" * 64
    else:
        order = fetch.order(item, waits=FAST)
        hub.files[REPOSITORY][path] = b"mean: {density: 2.0}\n"  # changed after the listing
    with pytest.raises(FetchError, match=rf"{path}: wrong content, expected sha.*found sha"):
        if path == FIRST:
            bring(item)
        else:
            fetch.carry_out(order, FAST)
    assert path not in data_files(item)


def test_too_small_a_disk_is_said_before_the_first_byte(item: Item, hub: Hub) -> None:
    with pytest.raises(FetchError, match=r"MHD_64 needs 500 kB and 1\.07 GB to spare.*has 1 MB free"):
        bring(item, free=10**6)
    assert hub.gets(FIRST) == []


def test_a_missing_repository_or_revision_is_said_at_once(tmp_path: Path, hub: Hub) -> None:
    other = catalogue.item("MHD_256", tmp_path, "test")
    with pytest.raises(FetchError, match=r"MHD_256.*404.*no such file or revision"):
        fetch.order(other, waits=FAST)
    assert len(hub.requests) == 1


def test_a_listing_that_is_none_is_not_believed(item: Item, hub: Hub) -> None:
    hub.trouble["/revision/main"] = ["page"] * 10
    with pytest.raises(FetchError, match="a web page instead of an answer"):
        fetch.order(item, waits=FAST)
    del hub.files[REPOSITORY][FIRST], hub.files[REPOSITORY][SECOND]
    hub.files[REPOSITORY]["data/test/../../../../evil.hdf5"] = b"x"
    hub.trouble.clear()
    with pytest.raises(FetchError, match="unsafe path"):
        fetch.order(item, waits=FAST)


def test_no_server_at_all(item: Item, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(FetchError, match="Connection refused"):
        fetch.order(item, waits=FAST)


def test_a_dry_run_without_a_server_is_short_and_says_what_it_waits_for(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("COLUMNS", "200")
    done = CliRunner().invoke(app, ["fetch", "MHD_64", "--dry-run"])
    assert done.exit_code == 2
    assert done.output.startswith("asking http://127.0.0.1:9 what polymathic-ai/MHD_64 holds\n")
    assert "Connection refused; attempt 2 of 2 in 1 s" in done.output
    assert "what has come is kept" not in done.output


def test_what_can_be_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    assert catalogue.item("walrus-pt", tmp_path, "test").folder == tmp_path / "models" / "walrus-pt"
    model = catalogue.item("well-fno=MHD_64", tmp_path, "test")
    assert (model.repository, model.kind) == ("polymathic-ai/FNO-MHD_64", "models")
    wrong = {
        "MHD_46": "MHD_64", "walrus": "walrus-pt", "../x": "unknown name",
        "well-fno=../x": "unknown name", "well-fno": "well-fno=DATASET",
    }  # fmt: skip
    for name, near in wrong.items():
        with pytest.raises(FetchError, match=near):
            catalogue.item(name, tmp_path, "test")


def test_the_command(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    call = CliRunner().invoke
    options = ["fetch", "MHD_64", "--data", str(tmp_path), "--match", "*Ma_0.7*"]
    done = call(app, [*options, "--dry-run"])
    assert done.exit_code == 0, done.output
    assert f"datasets/polymathic-ai/MHD_64 at {COMMIT[:12]}".split("/")[1] in done.output
    assert "2 files, 300 kB; to fetch: 300 kB; " in done.output
    assert not (tmp_path / "datasets").exists()
    assert call(app, options).exit_code == 0
    assert (tmp_path / "datasets/MHD_64" / FIRST).is_file()
    assert not (tmp_path / "datasets/MHD_64" / SECOND).exists()
    assert "is here" in call(app, [*options, "--dry-run"]).output
    assert call(app, ["fetch", "walrus-pt"]).exit_code == 0
    assert (tmp_path / "cache/models/walrus-pt/walrus.pt").read_bytes() == noise(4, 5000)
    for wrong in (["fetch", "MHD_46"], ["fetch", "MHD_64", "--split", "dev"]):
        assert call(app, wrong).exit_code == 2


def test_an_interrupted_command_says_that_it_can_go_on(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(remote: object, part: Path, *more: object) -> None:
        part.write_bytes(bytes(1000))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("harness.hub.transfer._attempt", interrupted)
        done = CliRunner().invoke(app, ["fetch", "walrus-pt"])
    assert done.exit_code == 130
    assert "interrupted; what has come is kept, the same command goes on from there" in done.output
    assert CliRunner().invoke(app, ["fetch", "walrus-pt", "--dry-run"]).exit_code == 0
