"""The suites' functions, to be called without a run."""

from __future__ import annotations

from types import ModuleType

from harness.paths import ROOT
from harness.properties import load


def suite(name: str) -> ModuleType:
    """suites/<name>.py as a module."""
    return load(ROOT / "suites" / f"{name}.py")
