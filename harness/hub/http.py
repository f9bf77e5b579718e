"""Asking a server, patiently: what may mend itself is tried again, what may not is said at once."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ssl import SSLError
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from harness.hub.errors import FetchError

TIMEOUT = 60.0
#: answers that a server takes back when it has recovered
PASSING = frozenset({408, 429, 500, 502, 503, 504})
AGENT = {"User-Agent": "physics-harness"}


class Passing(Exception):
    """A failure that another attempt may mend.  after: seconds the server asked to wait."""

    def __init__(self, text: str, after: float = 0.0) -> None:
        super().__init__(text)
        self.after = after


@dataclass(frozen=True)
class Waits:
    """How often and how long: attempts in all, first pause in seconds (doubled each time)."""

    attempts: int = 6
    pause: float = 2.0
    longest: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    def patiently(self, what: str, attempt: Callable[[], Any]) -> Any:
        """The attempt's result; FetchError with the last reason when all attempts have failed."""
        pause = self.pause
        for number in range(1, self.attempts + 1):
            try:
                return attempt()
            except Passing as failure:
                if number == self.attempts:
                    raise FetchError(
                        f"{what}: {failure} ({number} attempts); what has come is kept, the same "
                        "command goes on from there"
                    ) from failure
                self.sleep(min(max(pause, failure.after), self.longest))
                pause *= 2
        raise AssertionError("at least one attempt")


@contextmanager
def answering(url: str, headers: dict[str, str] | None = None) -> Iterator[http.client.HTTPResponse]:
    """The server's answer with a 2xx status.

    Raises Passing for a busy server or a broken connection, FetchError for a refusal.
    """
    try:
        with urlopen(Request(url, headers=AGENT | (headers or {})), timeout=TIMEOUT) as answer:
            yield answer
    except HTTPError as error:
        reason = f"{error.code} {error.reason}"
        error.close()
        if error.code in PASSING:
            raise Passing(reason, _after(error)) from error
        hints = {401: " (needs a login)", 403: " (access denied)", 404: " (no such file or revision)"}
        raise FetchError(f"{url}: {reason}{hints.get(error.code, '')}") from error
    except (URLError, http.client.HTTPException, TimeoutError, ConnectionError, SSLError) as error:
        raise Passing(f"{type(error).__name__}: {getattr(error, 'reason', error)}") from error


def _after(error: HTTPError) -> float:
    value = error.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else 0.0


def get(url: str, waits: Waits) -> str:
    """The text behind an address; at most 64 MiB."""

    def attempt() -> str:
        with answering(url) as answer:
            if "html" in answer.headers.get("Content-Type", ""):
                raise Passing("a web page instead of an answer")
            return answer.read(64 << 20).decode("utf-8", "replace")

    return str(waits.patiently(url, attempt))
