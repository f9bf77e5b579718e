"""Access to HDF5 files whose failures say where in which file they happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from harness.truth.errors import TruthError


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The file, open for reading; whatever HDF5 or its contents raise becomes a TruthError."""
    if path.exists() and not path.is_file():
        raise TruthError("not a regular file", file=path)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except TruthError:
        raise
    except PermissionError as error:
        raise TruthError("no permission to read", file=path) from error
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise TruthError(
            "cannot be read", file=path, expected="a complete HDF5 file of The Well", found=error
        ) from error


def member(node: h5py.Group, name: str, kind: type[h5py.Group | h5py.Dataset]) -> Any:
    """The group or data set `name` of `node`, or a TruthError that says what is there instead."""
    try:
        found = node.get(name)
    except (OSError, KeyError, RuntimeError):  # a link that leads nowhere
        found = None
    if not isinstance(found, kind):
        there = ", ".join(sorted(node)) if found is None else type(found).__name__
        raise TruthError(
            "missing or wrong object",
            file=Path(node.file.filename),
            dataset=f"{node.name.rstrip('/')}/{name}",
            expected=f"a {kind.__name__.lower()}",
            found=there or "an empty group",
        )
    outside = found.file.filename != node.file.filename
    if outside or (isinstance(found, h5py.Dataset) and (found.external or found.is_virtual)):
        # The digest of a file must cover all that is read through it.
        raise TruthError(
            "stored outside the file",
            file=Path(node.file.filename),
            dataset=f"{node.name.rstrip('/')}/{name}",
            expected=f"a {kind.__name__.lower()} of its own",
        )
    return found


def attribute(node: h5py.Group | h5py.Dataset, name: str) -> Any:
    """The attribute `name` of `node`; bytes are decoded."""
    if name not in node.attrs:
        raise TruthError(
            "missing attribute",
            file=Path(node.file.filename),
            dataset=f"{node.name}@{name}",
            expected="an attribute",
            found=", ".join(sorted(node.attrs)) or "none",
        )
    value = node.attrs[name]
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def strings(node: h5py.Group | h5py.Dataset, name: str) -> tuple[str, ...]:
    """A list-of-names attribute; a bare string is a list of one."""
    values = np.atleast_1d(attribute(node, name)).tolist()
    return tuple(v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in values)
