"""From `--model` to a loaded surrogate.

Grammar, the same everywhere: NAME[=CHECKPOINT][+INTERVENTION...].  NAME is one of `names()`, an
entry point of the group "physics_harness.surrogates", or PATH/FILE.py:CLASS.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from harness.interventions import INTERVENTIONS
from harness.paths import slug
from harness.suggest import unknown
from harness.surrogates.base import Surrogate
from harness.truth.window import Simulation

GROUP = "physics_harness.surrogates"


class ModelError(ValueError):
    """A model that cannot be had: unknown name, missing or unfit weights."""


class MissingModel(ModelError):
    """A model that is known but not here: what it needs, and how to get it."""


@dataclass(frozen=True, order=True)
class ModelSpec:
    """One `--model`, parsed.  `name` is a registered name or "path/file.py:Class"."""

    name: str
    checkpoint: str | None = None
    interventions: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Short name for ids, folders and reports: letters, digits and `.+-_` only.

        "fno-mini" -> fno-mini; "fno-mini=./run/new.safetensors+divfree" -> fno-mini.new+divfree;
        "my/net.py:Net" -> net.Net.
        """
        path, _, cls = self.name.rpartition(":")
        parts = [slug(Path(path).stem), slug(cls)] if path.endswith(".py") else [slug(self.name)]
        if self.checkpoint:
            parts.append(slug(Path(self.checkpoint).stem))
        return "+".join([".".join(parts), *self.interventions])

    @property
    def baseline(self) -> str | None:
        """Folder name of the model's own baseline; another checkpoint has none of its own."""
        return None if self.checkpoint else self.label


def parse(text: str) -> ModelSpec:
    """Read one model of the grammar; ModelError says what does not fit."""
    head, *interventions = text.strip().split("+")
    name, equals, checkpoint = head.partition("=")
    if not name or (equals and not checkpoint):
        raise ModelError(f"--model {text!r} is not NAME[=CHECKPOINT][+INTERVENTION...]")
    for intervention in interventions:
        if intervention not in INTERVENTIONS:
            raise ModelError(unknown("intervention", intervention, sorted(INTERVENTIONS)))
    return ModelSpec(name, checkpoint or None, tuple(interventions))


#: makes a surrogate from its spec and the simulations of the protocol (which replays need)
Loader = Callable[[ModelSpec, Sequence[Simulation]], Surrogate]


def _mini(spec: ModelSpec, simulations: Sequence[Simulation]) -> Surrogate:
    from harness.surrogates.minis import load_mini

    return load_mini(spec.name, Path(spec.checkpoint) if spec.checkpoint else None)


def _reference(spec: ModelSpec, simulations: Sequence[Simulation]) -> Surrogate:
    from harness.surrogates import reference

    return reference.LOADERS[spec.name](simulations)


def _control(spec: ModelSpec, simulations: Sequence[Simulation]) -> Surrogate:
    from harness.surrogates import controls

    return controls.load(spec.name.removeprefix("control:"), simulations)


def _walrus(spec: ModelSpec, simulations: Sequence[Simulation]) -> Surrogate:
    from harness.surrogates import walrus

    try:
        return walrus.load(_checkpoint(spec), simulations)
    except walrus.WalrusError as error:
        raise ModelError(f"{spec.name}: {error}") from error


def _walrus_is_here(spec: ModelSpec) -> None:
    from harness.surrogates import walrus

    try:
        walrus.require(_checkpoint(spec))
    except walrus.WalrusError as error:
        raise MissingModel(f"{spec.name} cannot run yet:\n{error}") from error


def _checkpoint(spec: ModelSpec) -> Path | None:
    return Path(spec.checkpoint) if spec.checkpoint else None


#: name -> raises MissingModel if something that the model needs is not here
REQUIREMENTS: dict[str, Callable[[ModelSpec], None]] = {"walrus-pt": _walrus_is_here}

#: name -> the protocol of a model that was not made for the embedded truth
PROTOCOLS = {"walrus-pt": "mhd64-early"}

#: Models that are asked, before a run, whether and how fast they can roll its windows
#: (`harness.surrogates.forecast`).
FORECASTS = frozenset({"walrus-pt"})


def _builtin() -> dict[str, tuple[str, Loader]]:
    from harness.surrogates.controls import CONTROLS

    return {
        "fno-mini": ("shipped Fourier neural operator, embedded MHD, 3 frames", _mini),
        "conv-mini": ("shipped convolutional network, embedded MHD, 1 frame", _mini),
        "walrus-pt": (
            "Polymathic's Walrus 1.3B, released weights or =CHECKPOINT",
            _walrus,
        ),
        "persistence": ("the last input frame, for ever", _reference),
        "oracle": ("positive control: replays the truth", _reference),
        "solver": ("positive control: the embedded truth's own integrator", _reference),
        "stranger": ("positive control: another simulation's truth from step 1 on", _reference),
        **{
            f"control:{name}": (f"negative control: {control.summary}", _control)
            for name, control in CONTROLS.items()
        },
    }


def names() -> Mapping[str, str]:
    """Every registered name with one line about it, entry points included."""
    listed = {name: text for name, (text, _) in _builtin().items()}
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
    return next((PROTOCOLS[name] for name in named if name in PROTOCOLS), None)


def _check(spec: ModelSpec) -> None:
    path, _, _ = spec.name.rpartition(":")
    if path.endswith(".py"):
        if not Path(path).is_file():
            raise ModelError(
                f"no file {path!r} (from --model {spec.name!r}); paths are relative to here"
            )
    elif spec.name not in names():
        raise ModelError(unknown("model", spec.name, list(names())))
    if spec.checkpoint and not Path(spec.checkpoint).exists():
        raise ModelError(f"no checkpoint {spec.checkpoint!r} for model {spec.name!r}")
    if spec.name in REQUIREMENTS:
        REQUIREMENTS[spec.name](spec)


def load(spec: ModelSpec, simulations: Sequence[Simulation]) -> Surrogate:
    """The surrogate itself.  ModelError, or the loader's own precise error."""
    path, _, cls = spec.name.rpartition(":")
    if path.endswith(".py"):
        return _from_file(Path(path), cls, spec)
    builtin = _builtin()
    if spec.name in builtin:
        return builtin[spec.name][1](spec, simulations)
    (point,) = entry_points(group=GROUP, name=spec.name)
    return point.load()(spec, simulations)


def _from_file(path: Path, cls: str, spec: ModelSpec) -> Surrogate:
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


def source_digest(surrogate: Surrogate) -> str:
    """SHA-256 of the source files of a surrogate's classes, and of its module's if it has one.

    Changed code never meets an old record.  Classes without a source file have none to change.
    """
    classes = [*type(surrogate).__mro__]
    if hasattr(surrogate, "module"):
        classes += type(surrogate.module).__mro__
    digest = hashlib.sha256()
    for source in sorted({_source(cls) for cls in classes} - {None}, key=str):
        digest.update(Path(str(source)).read_bytes())
    return digest.hexdigest()


def _source(cls: type) -> str | None:
    try:
        return inspect.getsourcefile(cls)
    except (TypeError, OSError):
        return None
