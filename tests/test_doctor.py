"""The doctor's screen: what is here, in a terminal of 80 columns, and commands that bring the rest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.hub.names import WELL_MODELS
from harness.surrogates import well_classes
from harness.surrogates.walrus import places, source
from tests.mhd64_files import build

MISSING = "How to get what is missing"


@pytest.fixture(autouse=True)
def _bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No data, no weights; a terminal of 80 columns."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    monkeypatch.delenv(places.VARIABLE, raising=False)


def screen(*arguments: str) -> list[str]:
    done = CliRunner().invoke(app, ["doctor", *arguments])
    assert done.exit_code == 0, done.output
    return [line.rstrip() for line in done.output.splitlines()]


def row(lines: list[str], name: str) -> list[str]:
    """The cells of a table's row."""
    (found,) = [line for line in lines if line.startswith(f"{name}  ")]
    return [cell.strip() for cell in found.split("  ") if cell.strip()]


def test_a_bare_machine_fits_one_screen_and_each_command_is_said_once() -> None:
    lines = screen()
    assert len(lines) <= 45
    tables = lines[: lines.index(MISSING)]
    assert max(map(len, tables[6:])) <= 80  # the lines above are the user's own paths
    for package in ("python", "torch", "numpy", "h5py", "the_well", "einops"):
        assert any(f"{package} " in line for line in tables)
    assert any(line.startswith("GPU ") for line in tables)
    assert row(tables, "walrus-pt")[2:] == ["missing", "MHD_64: missing"]
    assert row(tables, "mhd64-early") == ["mhd64-early", "MHD_64, test", "missing"]
    assert row(tables, "simulated")[2] == "made by the first run"
    needs = lines[lines.index(MISSING) + 1 :]
    assert len([line for line in needs if "harness fetch walrus-pt" in line]) == 1
    (data,) = [line for line in needs if "harness fetch MHD_64 --split test" in line]
    assert "7.3 GB" in data
    assert needs[needs.index(data) - 1] == "mhd64-early, mhd64-paper, mhd64-t100:"
    assert "fno-scratch, fno-ft, fno-pretrained:" in needs
    assert f"{', '.join(WELL_MODELS)}:" in needs


def test_missing_code_is_answered_with_its_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object) -> Path:
        raise source.WalrusError("the package walrus here is a client for Redis: pip uninstall walrus")

    monkeypatch.setattr(source, "folder", absent)
    monkeypatch.setattr(well_classes, "find_spec", lambda name: None)
    lines = screen()
    assert row(lines, "walrus-pt")[1] == row(lines, "well-tfno")[1] == "missing"
    assert "client for Redis" in lines[lines.index("walrus-pt:") + 1]
    assert any(well_classes.INSTALL in line for line in lines)


def test_what_is_here_is_counted_and_what_is_broken_is_named(tmp_path: Path) -> None:
    root = tmp_path / "the_well"
    for ms in (0.5, 0.7, 1.5):
        path = build(root, 0.7, ms, n=4)
    os.truncate(path, path.stat().st_size // 2)
    lines = screen("--data", str(root))
    assert row(lines, "mhd64-paper")[2] == "2 of 10 files"
    assert row(lines, "fno-ft")[3] == "MHD_64: 2 of 10 files"
    assert row(lines, "well-t17=DATASET")[2] == "MHD_64"
    (broken,) = [line for line in lines if "unusable" in line]
    assert str(path) in broken
    path.unlink()
    lines = screen("--data", str(root))
    assert not any("harness fetch MHD_64" in line for line in lines)  # a chosen part is enough


def test_the_environment_names_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path / "elsewhere", 0.7, 0.5, n=4)
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "elsewhere"))
    lines = screen()
    assert row(lines, "mhd64-t100")[2] == "1 of 10 files"
    assert any(line.startswith(f"data     {tmp_path / 'elsewhere'}") for line in lines)
    lines = screen("--data", str(tmp_path / "nowhere"))  # an option goes before the environment
    assert row(lines, "mhd64-t100")[2] == "missing"


def test_an_unfinished_fetch_is_told_from_none(tmp_path: Path) -> None:
    data = tmp_path / "cache/data/datasets/MHD_64/data/test"
    weights = tmp_path / "cache/models/walrus-pt"
    for folder, name in ((data, "MHD_Ma_0.7_Ms_0.5.hdf5"), (weights, "walrus.pt")):
        folder.mkdir(parents=True)
        (folder / f".{name}.part").write_bytes(bytes(2000))
    lines = screen()
    assert row(lines, "walrus-pt")[2] == "2 kB of 5.1 GB"
    assert row(lines, "mhd64-early")[2] == "2 kB of an unfinished fetch"
    assert any("harness fetch MHD_64" in line for line in lines)


def test_weights_and_data_in_hugging_faces_cache_are_seen(tmp_path: Path) -> None:
    model = tmp_path / "hub/models--polymathic-ai--UNetConvNext-MHD_64/snapshots/c0ffee"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    made = build(tmp_path / "made", 0.7, 0.5, n=4)
    data = tmp_path / "hub/datasets--polymathic-ai--MHD_64/snapshots/c0ffee/data/test"
    data.mkdir(parents=True)
    made.rename(data / made.name)
    lines = screen()
    assert row(lines, "well-unet-convnext")[2] == "MHD_64"
    assert row(lines, "well-fno")[2] == "none yet"
    assert row(lines, "mhd64-early")[2] == "1 of 10 files"
    assert row(lines, "well-t17=DATASET")[2] == "MHD_64"
