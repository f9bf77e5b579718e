"""The digest that says which frames a file holds, whatever its name and place."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from filelock import FileLock

from harness.atomic import replacing
from harness.paths import cache


def content_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal.

    A digest once computed is kept under `cache()/data_ids`, keyed by absolute path, size and
    modification time, so that gigabytes are read once; the lock lets parallel workers wait for
    the one that reads.
    """
    path = path.resolve()
    status = path.stat()
    key = f"{path}|{status.st_size}|{status.st_mtime_ns}"
    folder = cache() / "data_ids"
    folder.mkdir(parents=True, exist_ok=True)
    entry = folder / f"{hashlib.sha256(os.fsencode(key)).hexdigest()[:32]}.json"
    with FileLock(entry.with_suffix(".lock")):
        known = _recall(entry)
        if known is not None:
            return known
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        with replacing(entry, locked=True) as part:
            part.write_text(json.dumps({"file": ascii(str(path)), "sha256": digest}))
        return digest


def _recall(entry: Path) -> str | None:
    """The digest in a cache entry; None if there is none, or none that can be trusted."""
    try:
        digest = json.loads(entry.read_text())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return digest if isinstance(digest, str) and len(digest) == 64 else None
