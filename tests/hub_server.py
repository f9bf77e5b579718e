"""A hub on loopback: the listing and the files of repositories, Range included, and its bad days."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c0ffee" * 6 + "0000"
PAGE = b"<html><body><h1>503 Service Unavailable</h1></body></html>"


def git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Hub:
    """What the server holds and how it misbehaves.

    files: "datasets/owner/name" or "models/owner/name" -> path -> content.
    small: paths that are no large files (their digest is git's).
    trouble: answers before the real ones, by path of the request's end: "503", "page" (200 and a
    web page), "redirect" (302 to the same file), "cut" (the connection breaks half way), "404",
    "no-range", "long".
    lies: path -> digest announced instead of the true one.
    """

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    small: set[str] = field(default_factory=set)
    trouble: dict[str, list[str]] = field(default_factory=dict)
    lies: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    address: str = ""

    def listing(self, repository: str) -> bytes:
        entries = []
        for path, content in self.files[repository].items():
            digest = self.lies.get(path, hashlib.sha256(content).hexdigest())
            entry: dict[str, object] = {
                "rfilename": path, "size": len(content), "blobId": git_sha1(content),
            }  # fmt: skip
            if path not in self.small:
                entry["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 134}
            entries.append(entry)
        return json.dumps({"sha": COMMIT, "siblings": entries}).encode()

    def gets(self, path: str) -> list[str | None]:
        """The Range headers of the requests for a file, in order."""
        return [range_ for url, range_ in self.requests if url.split("?")[0].endswith(path)]


def _place(url: str) -> tuple[str, str]:
    """Repository and path of a file's address, whatever its revision."""
    head, _, rest = url.lstrip("/").partition("/resolve/")
    return (head if head.startswith("datasets/") else f"models/{head}"), rest.partition("/")[2]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, status: int, body: bytes, kind: str = "application/octet-stream") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        """What Hugging Face's own client asks of a file before it fetches it."""
        hub, url = self.server.hub, self.path.split("?")[0]
        repository, path = _place(url)
        content = hub.files.get(repository, {}).get(path)
        self.send_response(404 if content is None else 200)
        if content is None:
            self.send_header("X-Error-Code", "EntryNotFound")
        else:
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{git_sha1(content)}"')
            self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()

    def do_GET(self) -> None:
        hub, url = self.server.hub, self.path.split("?")[0]
        hub.requests.append((self.path, self.headers.get("Range")))
        ending = next((end for end in hub.trouble if url.endswith(end) and hub.trouble[end]), None)
        trouble = hub.trouble[ending].pop(0) if ending else ""
        if trouble in ("503", "404"):
            return self._answer(int(trouble), PAGE, "text/html")
        if trouble == "redirect":  # as the hub sends large files to where they are stored
            self.send_response(302)
            self.send_header("Location", f"{url}?stored")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        if trouble == "page":
            return self._answer(200, PAGE, "text/html; charset=utf-8")
        if url.startswith("/api/"):
            repository = url.removeprefix("/api/").split("/revision/")[0]
            if repository not in hub.files:
                return self._answer(404, b"{}", "application/json")
            return self._answer(200, hub.listing(repository), "application/json")
        repository, path = _place(url)
        return self._file(hub.files[repository][path], trouble)

    def _file(self, content: bytes, trouble: str) -> None:
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        start = 0 if trouble == "no-range" else start
        body = content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", "application/octet-stream")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        extra = 10 if trouble == "long" else 0
        self.send_header("Content-Length", str(len(body) + extra))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if trouble == "cut" else body + b"x" * extra)
        self.close_connection = True


class _Server(ThreadingHTTPServer):
    hub: Hub


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """The hub on a free port of the loopback interface, for as long as the context lasts."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.hub = hub
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
