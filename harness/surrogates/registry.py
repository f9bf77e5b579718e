"""From `--model` to a loaded surrogate.

Grammar, the same everywhere: NAME[=CHECKPOINT][+INTERVENTION...].  NAME is one of `names()`, an
entry point of the group "physics_harness.surrogates", or PATH/FILE.py:CLASS, where the class is a
surrogate or any `torch.nn.Module` from the last frames to the next.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path

from torch import nn

from harness.suggest import unknown
from harness.surrogates import state
from harness.surrogates.base import ModuleSurrogate, Surrogate
from harness.surrogates.families import everything, family
from harness.surrogates.spec import MissingModel, ModelError, ModelSpec, parse
from harness.truth.window import Simulation

GROUP = "physics_harness.surrogates"


def names() -> Mapping[str, str]:
    """Every registered name with one line about it, entry points included."""
    listed = {name: found.summary for name, found in everything().items()}
    return listed | {point.name: f"entry point {point.value}" for point in entry_points(group=GROUP)}


def resolve(texts: Sequence[str]) -> tuple[ModelSpec, ...]:
    """The specs of `--model` values (comma separated, "control:*" expands), each checked to exist.

    Raises ModelError for an unknown name, a missing file or two models with one label.
    """
    specs: list[ModelSpec] = []
    for text in (part for value in texts for part in value.split(",") if part.strip()):
        spec = parse(text)
        if spec.name.endswith("*"):
            prefix = spec.name[:-1]
            found = [name for name in names() if name.startswith(prefix)]
            if not found:
                raise ModelError(unknown("model", spec.name, list(names())))
            specs += [ModelSpec(name, spec.checkpoint, spec.interventions) for name in found]
            continue
        _check(spec)
        specs.append(spec)
    labels = [spec.label for spec in specs]
    for label in labels:
        if labels.count(label) > 1:
            raise ModelError(f"two models have the label {label!r}; rename one checkpoint")
    return tuple(specs)


def protocol_of(texts: Sequence[str]) -> str | None:
    """The protocol that the first of these `--model` values brings along, None if none does."""
    named = (parse(part).name for value in texts for part in value.split(",") if part.strip())
    found = (family(name) for name in named)
    return next((f.protocol for f in found if f is not None and f.protocol is not None), None)


def _check(spec: ModelSpec) -> None:
    path, _, _ = spec.name.rpartition(":")
    if path.endswith(".py"):
        if not Path(path).is_file():
            raise ModelError(
                f"no file {path!r} (from --model {spec.name!r}); paths are relative to here"
            )
    elif family(spec.name) is None and spec.name not in names():
        raise ModelError(unknown("model", spec.name, list(names())))
    if spec.checkpoint and not Path(spec.checkpoint).exists():
        raise ModelError(f"no checkpoint {spec.checkpoint!r} for model {spec.name!r}")
    found = family(spec.name)
    if found is not None:
        try:
            found.require(spec)
        except ModelError as error:
            raise MissingModel(str(error)) from error


def fit(spec: ModelSpec, simulations: Sequence[Simulation]) -> None:
    """Raise ModelError now, before anything is rolled, if a model does not fit the simulations."""
    found = family(spec.name)
    if found is not None and simulations:
        found.fits(spec, simulations)


def forecasts(spec: ModelSpec) -> bool:
    """Whether a run says before it starts how long the model takes; yes of whatever is a user's own."""
    found = family(spec.name)
    return found is None or found.forecasts


def load(spec: ModelSpec, simulations: Sequence[Simulation]) -> Surrogate:
    """The surrogate itself.  ModelError, or the loader's own precise error."""
    path, _, cls = spec.name.rpartition(":")
    if path.endswith(".py"):
        with state.loading(spec.checkpoint, cls):
            return _from_file(Path(path), cls, spec, simulations)
    found = family(spec.name)
    if found is not None:
        return found.load(spec, simulations)
    (point,) = entry_points(group=GROUP, name=spec.name)
    with state.loading(spec.checkpoint, spec.name):
        return point.load()(spec, simulations)


def _from_file(path: Path, cls: str, spec: ModelSpec, simulations: Sequence[Simulation]) -> Surrogate:
    # The content's digest in the module name keeps two files with one stem apart.
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    module_spec = importlib.util.spec_from_file_location(f"surrogate_{digest}", path)
    if module_spec is None or module_spec.loader is None:
        raise ModelError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module.__name__] = module
    module_spec.loader.exec_module(module)
    if not hasattr(module, cls):
        classes = [name for name, value in vars(module).items() if inspect.isclass(value)]
        raise ModelError(f"{path}: " + unknown("class", cls, classes))
    make = getattr(module, cls)
    if inspect.isclass(make) and issubclass(make, nn.Module) and not hasattr(make, "begin"):
        return _bare(make, spec, simulations)
    surrogate = make(Path(spec.checkpoint)) if spec.checkpoint else make()
    missing = [
        name
        for name in ("fields", "n_history", "traits", "begin", "to", "fingerprint")
        if not hasattr(surrogate, name)
    ]
    if missing:
        raise ModelError(
            f"{path}:{cls} is no surrogate, it lacks {', '.join(missing)}; "
            "subclass harness.surrogates.base.ModuleSurrogate"
        )
    return surrogate


def _bare(make: type[nn.Module], spec: ModelSpec, simulations: Sequence[Simulation]) -> ModuleSurrogate:
    """A `torch.nn.Module` that is nothing else: (T, C, *space) -> (C, *space), in physical units.

    T is its attribute `n_history`, else 1; its channels are the data's.  It is made without
    arguments, and a checkpoint is its state dict.
    """
    try:
        module = make()
    except TypeError as error:
        raise ModelError(
            f"{spec.name} cannot be made without arguments: {error}; give them defaults, or subclass "
            "harness.surrogates.base.ModuleSurrogate"
        ) from error
    n_history = int(getattr(module, "n_history", 1))
    if n_history < 1:
        raise ModelError(f"{spec.name} conditions on {n_history} frames; n_history is 1 or more")
    if spec.checkpoint:
        state.fill(module, state.read(Path(spec.checkpoint)), Path(spec.checkpoint))
    return ModuleSurrogate(module, simulations[0].layout, n_history)


def source_digest(surrogate: Surrogate) -> str:
    """SHA-256 of the names and sources of a surrogate's classes, and of its modules' if it has any.

    Changed code never meets an old record, nor one class the record of another in the same file.
    Classes without a source file have none to change.
    """
    kinds = [type(surrogate)]
    if hasattr(surrogate, "module"):
        kinds += [type(part) for part in surrogate.module.modules()]
    named = [surrogate.n_history, *(kind.__qualname__ for kind in kinds)]
    digest = hashlib.sha256(json.dumps(named).encode())
    classes = [cls for kind in kinds for cls in kind.__mro__]
    for source in sorted({_source(cls) for cls in classes} - {None}, key=str):
        digest.update(Path(str(source)).read_bytes())
    return digest.hexdigest()


def _source(cls: type) -> str | None:
    try:
        return inspect.getsourcefile(cls)
    except (TypeError, OSError):
        return None
