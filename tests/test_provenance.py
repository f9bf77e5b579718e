"""What a run says about where it comes from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness import provenance


def test_local_changes_are_those_of_tracked_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str) -> None:
        author = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
        subprocess.run(["git", "-C", str(tmp_path), *author, *arguments], check=True)

    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    git("init", "--quiet")
    (tmp_path / "tracked.py").write_text("one = 1\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    (tmp_path / "my_model.py").write_text("a model of one's own\n")
    assert not provenance.local_changes()
    (tmp_path / "tracked.py").write_text("one = 2\n")
    assert provenance.local_changes()
