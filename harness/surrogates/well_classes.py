"""The classes of `the_well.benchmark.models`, imported one by one.

That package imports all of its models at once, and neuraloperator 0.3.0 all of its data sets, and
so everything that any of them is trained with.  Here one model is imported with what it computes
with; what stands behind training only (a logger, a spherical transform, dropped paths with
probability zero) is stood in for while it is imported, and never called.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from torch import nn

from harness.surrogates.spec import ModelError

PACKAGE = "the_well.benchmark.models"
#: class -> module in `PACKAGE`
CLASSES = {
    "FNO": "fno",
    "TFNO": "tfno",
    "UNetClassic": "unet_classic",
    "UNetConvNext": "unet_convnext",
}
INSTALL = "pip install -c constraints.txt -e '.[zoo]'"
#: module -> names it is asked for while models are imported
_STOOD_IN: dict[str, tuple[str, ...]] = {
    "wandb": (),
    "torch_harmonics": ("RealSHT", "InverseRealSHT"),
    "timm": (),
    "timm.models": (),
    "timm.models.layers": ("DropPath",),
}


def model_class(kind: str) -> type[nn.Module]:
    """A class by its name; ModelError names the package that is missing and how to install it."""
    needed = ("huggingface_hub", *(("neuralop", "tensorly", "tltorch") if "FNO" in kind else ()))
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise ModelError(
            f"The Well's {kind} needs {', '.join(missing)}, not installed here\nget it with: {INSTALL}"
        )
    with _alone():
        module = import_module(f"{PACKAGE}.{CLASSES[kind]}")
    found: type[nn.Module] = getattr(module, kind)
    return found


def packages(kind: str) -> tuple[str, ...]:
    """The distributions whose code a class runs."""
    return ("the_well", "neuraloperator", "tensorly") if "FNO" in kind else ("the_well",)


@contextmanager
def _alone() -> Iterator[None]:
    """Packages whose submodules can be imported without running all of the package."""
    before = dict(sys.modules)
    added = [*_shells(), *_stand_ins()]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations of third parties, at import
            yield
    finally:
        for name in added:
            if name in before:
                sys.modules[name] = before[name]
            else:
                sys.modules.pop(name, None)


def _shells() -> Iterator[str]:
    for package in (PACKAGE, "neuralop"):
        parent, _, _ = package.rpartition(".")
        spec = find_spec(parent) if parent else find_spec(package)
        if package not in sys.modules and spec is not None and spec.submodule_search_locations:
            shell = ModuleType(package)
            places = [Path(place) for place in spec.submodule_search_locations]
            tail = package.removeprefix(parent).lstrip(".") if parent else ""
            shell.__path__ = [str(place / tail) for place in places]
            sys.modules[package] = shell
            yield package


def _stand_ins() -> Iterator[str]:
    for name, asked in _STOOD_IN.items():
        if name not in sys.modules:
            module = ModuleType(name)
            for attribute in asked:
                setattr(module, attribute, nn.Identity)
            sys.modules[name] = module
            yield name
