"""One file: resumed where it stopped, verified whole, and only then under its own name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from harness.hub.errors import FetchError
from harness.hub.http import Passing, Waits, answering
from harness.hub.listing import Remote

BLOCK = 1 << 20
#: what to say of a transfer that broke off
RESUMABLE = "what has come is kept, the same command goes on from there"

#: what a caller sees of the progress: bytes of the file that are here
OnBytes = Callable[[int], None]


def bring(remote: Remote, target: Path, waits: Waits, on_bytes: OnBytes = lambda here: None) -> None:
    """Fetch a file to `target`.

    Bytes gather in a hidden `.part` file beside it; an interrupted transfer goes on from there
    (HTTP Range).  Size and digest are verified before the one rename that makes it data; a web
    page, a wrong length or wrong content never gets that far.

    Raises FetchError: server refuses or stays away, wrong content, disk full, another fetch at work.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock"), timeout=0, fallback_to_soft=False):
            waits.patiently(
                remote.path, lambda: _attempt(remote, part, on_bytes, waits.timeout), f"; {RESUMABLE}"
            )
            found = digest(part, remote.digest, on_bytes)
            if found != remote.digest:
                part.unlink()
                raise FetchError(
                    f"{remote.path}: wrong content, expected {remote.digest}, found {found}; deleted, "
                    "fetch it again"
                )
            os.replace(part, target)
    except Timeout as error:
        raise FetchError(f"{remote.path}: another fetch is at work on {target}") from error
    except OSError as error:
        raise FetchError(f"{remote.path}: cannot write {target}: {error}") from error


def _attempt(remote: Remote, part: Path, on_bytes: OnBytes, timeout: float) -> None:
    """Append what is missing; Passing if the server stops early."""
    here = part.stat().st_size if part.exists() else 0
    if here > remote.size:  # not of this file
        part.unlink()
        here = 0
    if here == remote.size and part.exists():
        return
    if remote.size == 0:
        part.touch()
        return
    with answering(remote.url, timeout, {"Range": f"bytes={here}-"} if here else {}) as answer:
        if answer.status != 206:
            here = 0
        elif not answer.headers.get("Content-Range", "").startswith(f"bytes {here}-"):
            part.unlink(missing_ok=True)
            raise Passing(f"asked for bytes from {here}, got {answer.headers.get('Content-Range')}")
        _refuse_other(answer.headers, here, remote)
        with part.open("ab" if here else "wb") as stream:
            while block := answer.read(BLOCK):
                here += len(block)
                if here > remote.size:
                    raise FetchError(f"{remote.path}: more than the {remote.size} bytes announced")
                stream.write(block)
                on_bytes(here)
            stream.flush()
            os.fsync(stream.fileno())
    if here < remote.size:
        raise Passing(f"the transfer ended after {here} of {remote.size} bytes")


def _refuse_other(headers: object, here: int, remote: Remote) -> None:
    """Passing for an answer that is not the file, before any of it is written."""
    get = headers.get  # type: ignore[attr-defined]
    if "text/html" in get("Content-Type", ""):
        raise Passing("the server sent a web page instead of the file")
    length = get("Content-Length")
    if length is not None and here + int(length) != remote.size:
        raise Passing(f"the server has {here + int(length)} bytes, {remote.size} were announced")


def digest(path: Path, like: str, on_bytes: OnBytes = lambda here: None) -> str:
    """Digest of a file in the manner of another: "sha256:..." of its bytes, "sha1:..." of its blob."""
    kind = like.partition(":")[0]
    if kind == "sha1":
        content = path.read_bytes()
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
        return f"sha1:{blob.hexdigest()}"
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
