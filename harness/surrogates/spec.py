"""One `--model`, parsed: NAME[=CHECKPOINT][+INTERVENTION...]."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.interventions import INTERVENTIONS
from harness.paths import slug
from harness.suggest import unknown


class ModelError(ValueError):
    """A model that cannot be had: unknown name, missing or unfit weights."""


class MissingModel(ModelError):
    """Code or weights that a known model needs are not here; the message says how to get them."""


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
        "my/net.py:Net" -> net.Net; "saved:runs/a" -> saved.a.
        """
        family, colon, rest = self.name.partition(":")
        if colon and family in ("saved", "exported"):
            return "+".join([f"{family}.{slug(Path(rest).stem)}", *self.interventions])
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
