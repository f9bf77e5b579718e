"""Files that are there whole or not at all, whenever a process stops."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path, *, locked: bool = False) -> Iterator[Path]:
    """A hidden file beside `path` to be written, which takes its place if the block ends well.

    locked: only one process writes `path` at a time, so that what a killed one left is overwritten.
    Raises OSError where the new file cannot take the place of the old.
    """
    writer = "" if locked else f".{os.getpid()}"
    part = path.with_name(f".{path.name}{writer}.part")
    try:
        yield part
        part.replace(path)
    finally:
        with suppress(OSError):  # renamed, never written, or on a disk that has gone
            part.unlink()
