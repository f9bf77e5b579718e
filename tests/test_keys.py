"""A record's name covers the code that measured it."""

from __future__ import annotations

from pathlib import Path

import grimp

from harness.keys import source_files
from harness.paths import ROOT

#: What the makers import, and what yet decides nothing of what a record holds.
HARMLESS = {
    "harness.atomic",
    "harness.paths",
    "harness.record",  # writes what was measured
    "harness.suggest",
    "harness.surrogates.base",  # in the digest of the surrogate's own classes
    "harness.surrogates.spec",
    "harness.truth.errors",
    "harness.truth.files",
    "harness.truth.identity",  # makes the data id, which is in the key
}


def test_every_module_that_a_maker_runs_is_in_the_digest_of_the_source() -> None:
    graph = grimp.build_graph("harness", cache_dir=None)
    run = graph.find_upstream_modules("harness.makers", as_package=True)
    run |= graph.find_descendants("harness.makers") | {"harness.makers"}
    missing = run - HARMLESS - {_module(path) for path in source_files()}
    assert not missing
    assert run >= HARMLESS  # or the list above is out of date


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
