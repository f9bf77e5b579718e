"""The files of a repository on the hub: sizes and digests, before a byte of them is fetched.

The hub's HTTP interface (huggingface.co/docs/hub/api): `/api/KIND/REPOSITORY/revision/REVISION`
with `blobs=true` names the commit and, for every file, its size and its digest: SHA-256 for what
is stored as a large file, git's SHA-1 of the blob for the rest.
"""

from __future__ import annotations

import fnmatch
import json
import os
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from harness.hub.catalogue import Item
from harness.hub.errors import FetchError
from harness.hub.http import Waits, get

ENDPOINT = "https://huggingface.co"


@dataclass(frozen=True)
class Remote:
    """One file of a repository.  digest: "sha256:..." or "sha1:..." (of git's blob)."""

    path: str
    url: str
    size: int
    digest: str


@dataclass(frozen=True)
class Listing:
    """The wanted files of one commit."""

    commit: str
    files: tuple[Remote, ...]


def endpoint() -> str:
    """Address of the hub: $HF_ENDPOINT, as Hugging Face's own tools have it, else huggingface.co."""
    return (os.environ.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")


def of(item: Item, revision: str, waits: Waits) -> Listing:
    """What a repository holds at a revision, of what is wanted.

    Raises FetchError: no answer, an answer that is no listing, unsafe names, nothing that is wanted.
    """
    where = f"{endpoint()}/api/{item.kind}/{item.repository}/revision/{quote(revision, safe='')}"
    text = get(f"{where}?blobs=true", waits)
    try:
        answer = json.loads(text)
        commit = str(answer["sha"])
        found = [_remote(item, commit, entry) for entry in answer["siblings"] if _wanted(item, entry)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FetchError(f"{where} is no listing of files: {error!r} in {text[:80]!r}") from error
    if not found:
        raise FetchError(
            f"{item.repository} at {commit[:12]} has no file like {' or '.join(item.patterns)}"
        )
    return Listing(commit, tuple(sorted(found, key=lambda remote: remote.path)))


def _wanted(item: Item, entry: dict[str, object]) -> bool:
    return any(fnmatch.fnmatchcase(str(entry["rfilename"]), pattern) for pattern in item.patterns)


def _remote(item: Item, commit: str, entry: dict[str, object]) -> Remote:
    path = PurePosixPath(str(entry["rfilename"]))
    if path.is_absolute() or ".." in path.parts or "\\" in str(path):
        raise FetchError(f"{item.repository} names an unsafe path {str(path)!r}: not fetched")
    large = entry.get("lfs")
    if isinstance(large, dict):
        size, digest = int(large["size"]), f"sha256:{large.get('sha256') or large['oid']}"
    else:
        size, digest = int(str(entry["size"])), f"sha1:{entry['blobId']}"
    prefix = "datasets/" if item.kind == "datasets" else ""
    url = f"{endpoint()}/{prefix}{item.repository}/resolve/{commit}/{quote(str(path))}"
    return Remote(str(path), url, size, digest)
