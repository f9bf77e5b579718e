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
    """How often and how long: attempts in all, first pause in seconds (doubled each time).

    timeout: seconds without a word from the server, of an attempt.  say: told why, and how long, it
    waits before another attempt.
    """

    attempts: int = 6
    pause: float = 2.0
    longest: float = 60.0
    timeout: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    say: Callable[[str], None] = lambda text: None

    def patiently(self, what: str, attempt: Callable[[], Any], advice: str = "") -> Any:
        """The attempt's result; FetchError when all have failed: the last reason, and the advice."""
        pause = self.pause
        for number in range(1, self.attempts + 1):
            try:
                return attempt()
            except Passing as failure:
                if number == self.attempts:
                    raise FetchError(f"{what}: {failure} ({number} attempts){advice}") from failure
                wait = min(max(pause, failure.after), self.longest)
                self.say(f"{failure}; attempt {number + 1} of {self.attempts} in {wait:.3g} s")
                self.sleep(wait)
                pause *= 2
        raise AssertionError("at least one attempt")


@contextmanager
def answering(
    url: str, timeout: float, headers: dict[str, str] | None = None
) -> Iterator[http.client.HTTPResponse]:
    """The server's answer with a 2xx status.

    Raises Passing for a busy server or a broken connection, FetchError for a refusal.
    """
    try:
        with urlopen(Request(url, headers=AGENT | (headers or {})), timeout=timeout) as answer:
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
        with answering(url, waits.timeout) as answer:
            if "html" in answer.headers.get("Content-Type", ""):
                raise Passing("a web page instead of an answer")
            return answer.read(64 << 20).decode("utf-8", "replace")

    return str(waits.patiently(url, attempt))
