"""The benchmarks of Walrus run, on a miniature; what they print is a table that can be read."""

from __future__ import annotations

import sys

import pytest

from tests import walrus_example as example
from tests import walrus_notebook as notebook


@example.needs_source
def test_a_rollout_in_every_precision(capsys: pytest.CaptureFixture[str]) -> None:
    """The command that measures a GPU, with its own loop, on a CPU."""
    from benchmarks import walrus_full

    walrus_full.main(["--tiny", "--device", "cpu", "--grid", "16", "16", "16", "--steps", "2"])
    title, _, *table = capsys.readouterr().out.splitlines()
    assert "grid 16 x 16 x 16, 3 frames, 2 steps" in title
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    assert rows[0] == list(walrus_full.COLUMNS)
    assert [row[0] for row in rows[2:]] == ["fp32", "tf32", "bf16", "fp64"]
    for row in rows[2:]:
        assert all(float(cell) > 0 for cell in row[1:5])
        assert 0 < float(row[6].rstrip("%")) < 100
        assert row[7] == "2 of 2"


@notebook.needs_notebook
def test_the_adapter_beside_the_notebook(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks import walrus_rollout

    options = ["--grid", "16", "16", "16", "--steps", "1", "--rounds", "1"]
    monkeypatch.setattr(sys, "argv", ["walrus_rollout", *options])
    monkeypatch.setattr(walrus_rollout, "MIDDLE", example.TINY)
    walrus_rollout.main()
    output = capsys.readouterr().out
    for part in ("notebook / adapter: ", "peak memory of adapter: ", "40.37 TFLOP a step"):
        assert part in output
    (difference,) = [line.split() for line in output.splitlines() if "largest difference" in line]
    assert float(difference[6]) < 1e-6
