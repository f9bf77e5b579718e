"""A file is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.atomic import replacing


@pytest.mark.parametrize("locked", [False, True])
def test_a_file_is_replaced_at_the_end_or_not_at_all(tmp_path: Path, locked: bool) -> None:
    path = tmp_path / "results.json"
    with replacing(path, locked=locked) as part:
        part.write_text("first")
        assert not path.exists()
    with pytest.raises(RuntimeError), replacing(path, locked=locked) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_under_a_lock_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "s0.hdf5"
    with replacing(path, locked=True) as part:
        part.write_text("of this process")
        left = part
    left.write_text("of a killed one")
    with replacing(path, locked=True) as part:
        part.write_text("whole")
    assert path.read_text() == "whole" and not left.exists()
