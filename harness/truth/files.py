"""Where the files of a data set lie, and what the simulations in them are called."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from harness.paths import hub_snapshots, slug
from harness.truth.errors import MissingData, TruthError

#: Name of the embedded data set, whose simulations are called s0, s1, ...
EMBEDDED = "simulated"

_MACH = re.compile(r"Ma_(\d+(?:\.\d+)?)_Ms_(\d+(?:\.\d+)?)(?=_|$)")


def find(root: Path, dataset: str, split: str) -> tuple[list[Path], bool]:
    """The data files in natural order, and whether their folder's path names the data set.

    Raises MissingData if none of the folders where a split may lie holds one, TruthError if a
    folder cannot be listed.
    """
    places = (
        (root / "datasets" / dataset / "data" / split, True),
        (root / dataset / "data" / split, True),
        (root / "data" / split, False),
        *((snapshot / "data" / split, True) for snapshot in _fetched_by_others(dataset)),
        (root, False),
    )
    for folder, named_by_path in places:
        try:
            files = [
                path
                for path in folder.iterdir()
                # Hidden files are other programs' temporaries.
                if path.suffix in (".hdf5", ".h5") and not path.name.startswith(".")
            ]
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as error:
            raise TruthError("no permission to list", file=folder) from error
        if files:
            return sorted(files, key=natural), named_by_path
    raise MissingData(dataset, split, tuple(folder for folder, _ in places))


def _fetched_by_others(dataset: str) -> list[Path]:
    """Copies of a data set of The Well that Hugging Face's tools have brought."""
    return hub_snapshots("datasets", f"polymathic-ai/{dataset}")


def natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Sort key by which `s10` comes after `s9`."""
    pieces = re.findall(r"\d+|\D+", path.stem)
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in pieces], path.name


def simulation_name(dataset_name: str, position: int, path: Path) -> str:
    """Short name of a file's simulation: "s3", "Ma0.7_Ms0.5", else the file's own name made safe.

    position: of the file among all of its folder, unusable ones included, so that a broken file
    does not rename the others.
    """
    if dataset_name == EMBEDDED:
        return f"s{position}"
    mach = _MACH.search(path.stem)
    return f"Ma{mach[1]}_Ms{mach[2]}" if mach else slug(path.stem)


def unique(names: Iterable[str]) -> list[str]:
    """`names` in their order, the second, third, ... of equal ones numbered."""
    wanted = list(names)
    result: list[str] = []
    for name in wanted:
        candidate, count = name, 1
        while candidate in result or (count > 1 and candidate in wanted):
            count += 1
            candidate = f"{name}-{count}"
        result.append(candidate)
    return result
