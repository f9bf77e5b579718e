"""Where the harness keeps what it makes, and names that are safe as path components."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

#: The checkout that holds suites/, baselines/ and reports/.
ROOT = Path(__file__).resolve().parent.parent

_SLUG = re.compile(r"[^A-Za-z0-9._-]+")


def cache() -> Path:
    """Folder for simulated truth and stored records: $HARNESS_CACHE, else `cache/` in the checkout.

    NotADirectoryError if something else has that name.
    """
    folder = Path(os.environ.get("HARNESS_CACHE") or ROOT / "cache").expanduser().resolve()
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "HARNESS_CACHE is not a folder", str(folder))
    return folder


def hub_repositories(kind: str, repository: str) -> list[Path]:
    """Repositories in Hugging Face's own cache on this machine whose name matches a pattern.

    kind: "models" or "datasets".  $HF_HUB_CACHE and $HF_HOME move that cache, as its makers say.
    """
    home = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
    return sorted(hub.glob(f"{kind}--{repository.replace('/', '--')}"))


def hub_snapshots(kind: str, repository: str) -> list[Path]:
    """Snapshots of a repository in that cache, the newest first."""
    found = [p for r in hub_repositories(kind, repository) for p in r.glob("snapshots/*") if p.is_dir()]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def slug(name: str) -> str:
    """`name` reduced to letters, digits, dot, dash and underscore, so that it is one path component.

    Nothing that comes from a user or a file may reach a path by another way: separators and
    leading dots, hence `..`, cannot survive.
    """
    return _SLUG.sub("-", name).strip("-.") or "unnamed"
