"""One kind of failure: what could not be had, why, and what to do."""

from __future__ import annotations


class FetchError(RuntimeError):
    """Something that could not be fetched; nothing incomplete was left where data is looked for."""
