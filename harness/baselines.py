"""Baselines: what a model is known to keep and to break, with its figures.

`baselines/<model>/<protocol>/<suite module>.json` holds one entry per test case and the conditions
they were recorded under.  syrupy's storage reads and writes the files; its equality assertion is
never the verdict (`harness.judging` is), and its session never sees them, so none of its clean-up
can delete an entry.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock
from syrupy.data import Snapshot, SnapshotCollection
from syrupy.extensions.base import SnapshotCollectionStorage

from harness.atomic import replacing
from harness.paths import slug
from harness.results import Expectation

CONDITIONS = "conditions"
#: stem of the file that says that a baseline is a published one
PUBLISHED = "published"
CITATION = "citation"
DIGITS = 6


class BaselineError(ValueError):
    """A baseline file that cannot be read; names the file and what is wrong."""


class BaselineStorage(SnapshotCollectionStorage):
    """One JSON object per file: sorted names, six digits, so that changes read well in a diff."""

    file_extension = "json"

    def read_snapshot_collection(self, *, snapshot_location: str) -> SnapshotCollection:
        """Every entry of a file; an absent file is an empty collection."""
        collection = SnapshotCollection(location=snapshot_location)
        for name, data in _read(Path(snapshot_location)).items():
            collection.add(Snapshot(name=name, data=json.dumps(data)))
        return collection

    def read_snapshot_data_from_location(
        self, *, snapshot_location: str, snapshot_name: str, session_id: str
    ) -> str | None:
        """One entry as JSON text, None if it is not there."""
        entry = _read(Path(snapshot_location)).get(snapshot_name)
        return None if entry is None else json.dumps(entry)

    @classmethod
    def write_snapshot_collection(
        cls, *, snapshot_collection: SnapshotCollection, name_order: dict[str, int] | None = None
    ) -> None:
        """Add or replace entries; all others of the file stay as they are."""
        path = Path(snapshot_collection.location)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(".lock")):
            new = {s.name: json.loads(str(s.data)) for s in snapshot_collection}
            _write(path, _read(path) | new)

    def delete_snapshots(self, *, snapshot_location: str, snapshot_names: set[str]) -> None:
        """Remove entries; a file left with nothing but its conditions goes."""
        path = Path(snapshot_location)
        with FileLock(path.with_name(".lock")):
            left = {k: v for k, v in _read(path).items() if k not in snapshot_names}
            if set(left) <= {CONDITIONS}:
                path.unlink(missing_ok=True)
            else:
                _write(path, left)


def _read(path: Path) -> dict[str, Any]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BaselineError(f"baseline {path} cannot be read: {error}") from error
    if not isinstance(entries, dict):
        raise BaselineError(f"baseline {path} is not a JSON object")
    return entries


def _write(path: Path, entries: Mapping[str, Any]) -> None:
    with replacing(path) as part:
        part.write_text(json.dumps(entries, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    return value


@dataclass(frozen=True)
class Publication:
    """Where a published baseline comes from, and the conditions it was recorded under.

    What it holds no entry of, it does not know: a violation there is new knowledge.
    """

    citation: str
    conditions: Mapping[str, Any]


@dataclass(frozen=True)
class Baseline:
    """The expectations of one model under one protocol.

    root: the folder of all baselines.  conditions: what a run must share with the record for it
    to apply (steps, precision, draw policy).
    """

    root: Path
    model: str
    protocol: str

    def _file(self, suite: str) -> Path:
        return self.root / slug(self.model) / slug(self.protocol) / f"{slug(suite)}.json"

    @cached_property
    def _storage(self) -> BaselineStorage:
        return BaselineStorage()

    def _entries(self, suite: str) -> dict[str, Any]:
        collection = self._storage.read_snapshot_collection(snapshot_location=str(self._file(suite)))
        return {s.name: json.loads(str(s.data)) for s in collection}

    def conditions(self, suite: str) -> dict[str, Any] | None:
        """The conditions of a suite's record, None if it has none."""
        return self._entries(suite).get(CONDITIONS)

    def expectations(self, suite: str) -> dict[str, Expectation]:
        """Test case name -> what was recorded.  BaselineError for an entry that does not fit."""
        entries = self._entries(suite)
        try:
            return {
                name: Expectation.model_validate(entry)
                for name, entry in entries.items()
                if name != CONDITIONS
            }
        except ValueError as error:
            raise BaselineError(f"baseline {self._file(suite)}: {error}") from error

    @cached_property
    def published(self) -> Publication | None:
        """The publication that the baseline is made from, None for a measured baseline."""
        entries = self._entries(PUBLISHED)
        if not entries:
            return None
        try:
            return Publication(str(entries[CITATION]), dict(entries[CONDITIONS]))
        except (KeyError, TypeError, ValueError) as error:
            raise BaselineError(f"baseline {self._file(PUBLISHED)} lacks {error}") from error

    def publish(
        self, publication: Publication, suites: Mapping[str, Mapping[str, Expectation]]
    ) -> None:
        """Write a published baseline: its citation, and the entries of each suite."""
        collection = SnapshotCollection(location=str(self._file(PUBLISHED)))
        for name, value in ((CITATION, publication.citation), (CONDITIONS, publication.conditions)):
            collection.add(Snapshot(name=name, data=json.dumps(value)))
        self._storage.write_snapshot_collection(snapshot_collection=collection)
        for suite, entries in suites.items():
            self.record(suite, entries, publication.conditions)

    def record(
        self, suite: str, entries: Mapping[str, Expectation], conditions: Mapping[str, Any]
    ) -> None:
        """Add or replace entries of one suite."""
        collection = SnapshotCollection(location=str(self._file(suite)))
        collection.add(Snapshot(name=CONDITIONS, data=json.dumps(dict(conditions))))
        for name, entry in entries.items():
            values = _rounded(entry.model_dump(exclude_none=True, exclude_unset=True))
            text = Expectation(**values).model_dump_json(exclude_unset=True)
            collection.add(Snapshot(name=name, data=text))
        self._storage.write_snapshot_collection(snapshot_collection=collection)

    def forget(self, suite: str, names: Iterable[str]) -> None:
        """Remove the entries of test cases that no longer exist."""
        self._storage.delete_snapshots(
            snapshot_location=str(self._file(suite)), snapshot_names=set(names)
        )
