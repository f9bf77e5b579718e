"""Polymathic's own code: recognised before it is imported, and imported with what inference needs.

The model is `walrus.models.isotropic_model` of github.com/PolymathicAI/walrus; nothing of it is part
of the harness.  Two things are kept away from that import.  `timm` gives its blocks one class,
stochastic depth, which is the identity outside of training; but importing timm needs a torchvision
that fits torch to the digit.  `walrus.models.baseline_wrappers` wraps other models and needs
transformers.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from harness.surrogates.walrus.errors import WalrusError

#: "Fix toml and circular import (#2)", 24 November 2025
COMMIT = "9c8b39acfae6eccf12410fb41a81818f08bce53e"
INSTALL = (
    "pip install einops && pip install --no-deps "
    f'"walrus @ git+https://github.com/PolymathicAI/walrus@{COMMIT}"'
)
MODEL = "walrus.models.isotropic_model"


class StochasticDepth(nn.Identity):
    """What timm's DropPath is outside of training: the identity."""

    def __init__(self, probability: float = 0.0) -> None:
        super().__init__()


def folder() -> Path:
    """The folder of the package `walrus`, by looking and without importing it.

    Raises WalrusError in one sentence with the install line: no such package, the Redis client of
    the same name, another package, or no einops.
    """
    spec = importlib.util.find_spec("walrus")
    if spec is None or not spec.submodule_search_locations:
        raise WalrusError(f"Polymathic's package walrus is not installed: {INSTALL}")
    folders = [Path(place) for place in spec.submodule_search_locations]
    for found in folders:
        if (found / "models" / "isotropic_model.py").is_file():
            if importlib.util.find_spec("einops") is None:
                raise WalrusError("Polymathic's package walrus needs einops: pip install einops")
            return found
    if any((found / "database.py").is_file() for found in folders):
        raise WalrusError(
            f"the package walrus at {folders[0]} ({_version(folders[0])}) is a client for Redis, not "
            f"Polymathic's model of the same name: pip uninstall --yes walrus && {INSTALL}"
        )
    raise WalrusError(
        f"the package walrus at {folders[0]} holds no models/isotropic_model.py, so it is not "
        f"Polymathic's: {INSTALL}"
    )


def _version(found: Path) -> str:
    """Version of the distribution that installed a folder; two distributions share the name."""
    for distribution in distributions(name="walrus"):
        if Path(str(distribution.locate_file("walrus"))) == found:
            return f"version {distribution.version}"
    return "version unknown"


@cache
def digest() -> str:
    """SHA-256 over the Python files of `walrus.models`, by path and content."""
    models = folder() / "models"
    digest = hashlib.sha256()
    for file in sorted(models.rglob("*.py")):
        digest.update(file.relative_to(models).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def attribute(target: str) -> Any:
    """A class or function by its dotted name, e.g. "walrus.models.isotropic_model.IsotropicModel".

    Raises WalrusError for what cannot be imported, with the cause.
    """
    module, _, name = target.rpartition(".")
    folder()
    try:
        with _inference_only():
            importlib.import_module(MODEL)  # runs walrus.models before any of its parts
            return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, RuntimeError) as error:
        raise WalrusError(
            f"Polymathic's package walrus does not give {target}: {type(error).__name__}: {error}; "
            f"the adapter is tested against commit {COMMIT[:7]}: {INSTALL}"
        ) from error


@contextmanager
def _inference_only() -> Iterator[None]:
    """Keeps timm and the wrappers of other models out of an import, and restores what was there."""
    layers = ModuleType("timm.layers")
    layers.DropPath = StochasticDepth  # type: ignore[attr-defined]
    package = ModuleType("timm")
    package.layers = layers  # type: ignore[attr-defined]
    modules: dict[str, Any] = sys.modules  # None, "not to be imported", is no ModuleType
    replaced = {
        "timm": package,
        "timm.layers": layers,
        "walrus.models.baseline_wrappers": None,
    }
    before = {name: modules[name] for name in replaced if name in modules}
    modules.update(replaced)
    try:
        yield
    finally:
        for name in replaced:
            modules.pop(name, None)
        modules.update(before)
