"""A whole item: sizes and space first, then file by file; finished files are kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.atomic import replacing
from harness.hub import listing, transfer
from harness.hub.catalogue import Item
from harness.hub.errors import FetchError
from harness.hub.http import Waits
from harness.hub.listing import Listing, Remote

#: in an item's folder: the commit it was fetched at, and the digests of its verified files
MANIFEST = ".fetched.json"
#: left free on the disk
SPARE = 1 << 30

#: file, bytes here, bytes in all
OnFile = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Order:
    """What a fetch is going to do: the files that are still missing, of all that are wanted."""

    item: Item
    listing: Listing
    missing: tuple[Remote, ...]

    @property
    def size(self) -> int:
        """Bytes of all wanted files."""
        return sum(remote.size for remote in self.listing.files)

    @property
    def to_come(self) -> int:
        """Bytes that have to be fetched, without what a former attempt has left."""
        return sum(remote.size - _partial(self.item, remote) for remote in self.missing)


def order(item: Item, revision: str | None = None, waits: Waits | None = None) -> Order:
    """Ask the hub what there is, and look at what is here.

    revision: instead of the one that the folder was fetched at before, or the item's own.
    """
    pinned = revision or _manifest(item.folder).get("commit") or item.revision
    found = listing.of(item, str(pinned), waits or Waits())
    return Order(item, found, tuple(r for r in found.files if not _here(item, r)))


def carry_out(
    chosen: Order,
    waits: Waits | None = None,
    on_file: OnFile = lambda path, here, size: None,
    free: Callable[[Path], int] | None = None,
) -> None:
    """Fetch what is missing.  FetchError before the first byte if the disk is too small."""
    folder = chosen.item.folder
    folder.mkdir(parents=True, exist_ok=True)
    room = (free or room_in)(folder)
    if room < chosen.to_come + (SPARE if chosen.missing else 0):
        raise FetchError(
            f"{chosen.item.name} needs {spoken(chosen.to_come)} and {spoken(SPARE)} to spare, "
            f"{folder} has {spoken(room)} free; choose another folder, or fetch less"
        )
    for remote in chosen.missing:
        target = folder / remote.path
        if not _sound(target, remote):

            def show(here: int, remote: Remote = remote) -> None:
                on_file(remote.path, here, remote.size)

            transfer.bring(remote, target, waits or Waits(), show)
        _note(folder, chosen.listing.commit, remote)


def room_in(folder: Path) -> int:
    """Bytes free on the disk that a folder is on, or would be."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free


def _sound(target: Path, remote: Remote) -> bool:
    """Whether a file that somebody else put there is the one that is wanted."""
    if not target.is_file() or target.stat().st_size != remote.size:
        return False
    return transfer.digest(target, remote.digest) == remote.digest


def _here(item: Item, remote: Remote) -> bool:
    """Whether a file was verified before and has its size still."""
    target = item.folder / remote.path
    known = _manifest(item.folder).get("files", {}).get(remote.path)
    return known == remote.digest and target.is_file() and target.stat().st_size == remote.size


def _partial(item: Item, remote: Remote) -> int:
    target = item.folder / remote.path
    part = target.with_name(f".{target.name}.part")
    return min(part.stat().st_size, remote.size) if part.exists() else 0


def unfinished(folder: Path) -> int:
    """Bytes that an interrupted fetch has left under a folder; the same fetch goes on from there."""
    return sum(part.stat().st_size for part in folder.rglob(".*.part"))


def _manifest(folder: Path) -> dict[str, dict[str, str]]:
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _note(folder: Path, commit: str, remote: Remote) -> None:
    files = _manifest(folder).get("files", {}) | {remote.path: remote.digest}
    with replacing(folder / MANIFEST) as part:
        part.write_text(json.dumps({"commit": commit, "files": files}, indent=1, sort_keys=True))


def spoken(size: float) -> str:
    """A number of bytes: "5.1 GB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
