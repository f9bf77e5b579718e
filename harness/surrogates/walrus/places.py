"""Where checkpoints lie, and what to say when there is none."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from harness.hub.names import models_folder
from harness.surrogates.walrus.errors import WalrusError

REPOSITORY = "polymathic-ai/walrus"
#: The repository has no tags; records are named by the content of the weights, whatever the revision.
REVISION = "main"
VARIABLE = "HARNESS_WALRUS_PT"
CONFIG = "extended_config.yaml"
#: what holds the weights, the first that is there
WEIGHTS = ("walrus.safetensors", "walrus.pt", "coalesced.pth")
#: what Polymathic's trainer writes: a file, or a folder of torch.distributed, known by its metadata
TRAINED, SHARDED = "full_checkpoint.pt", ".metadata"
#: 1,286,199,047 float32 parameters
SIZE = "5.1 GB"


@dataclass(frozen=True)
class Files:
    """One checkpoint: its weights and the configuration it was trained as."""

    weights: Path
    config: Path


def fetched() -> Path:
    """Where `harness fetch walrus-pt` puts the released checkpoint."""
    return models_folder() / "walrus-pt"


def find(checkpoint: Path | None) -> Files:
    """The files of a checkpoint: a folder or a file of weights; None looks for the released model.

    Raises WalrusError: what is missing, its size, how to get it, and where was looked.
    """
    if checkpoint is not None:
        return _given(checkpoint.expanduser())
    looked = []
    named = os.environ.get(VARIABLE)
    looked.append(f"${VARIABLE} ({named or 'not set'})")
    if named:
        return _given(Path(named).expanduser())
    for place in (fetched(), *_hub_snapshots()):
        looked.append(str(place))
        if (files := _in(place)) is not None:
            return files
    raise WalrusError(
        f"the weights of Walrus, {CONFIG} (8 KB) and walrus.pt ({SIZE}) of "
        f"huggingface.co/{REPOSITORY}, are not here\n"
        "  get them:   harness fetch walrus-pt\n"
        f"  or by hand: hf download {REPOSITORY} walrus.pt {CONFIG} --local-dir DIR\n"
        f"              and then --model walrus-pt=DIR, or {VARIABLE}=DIR\n"
        "  looked in:  " + "\n              ".join(looked)
    )


def _given(place: Path) -> Files:
    """A checkpoint that the user named: a folder, or a file with its configuration in a folder above.

    Polymathic's trainer writes RUN/extended_config.yaml and RUN/checkpoints/best/full_checkpoint.pt.
    """
    if place.is_dir():
        if (files := _in(place)) is not None:
            return files
        if (place / TRAINED).is_file():
            return _given(place / TRAINED)
        if (place / SHARDED).is_file():
            raise WalrusError(
                f"{place} is a checkpoint in shards, of torch.distributed.checkpoint; join them:\n"
                f"  python -m torch.distributed.checkpoint.format_utils dcp_to_torch {place} "
                f"{place / 'coalesced.pth'}\n"
                f"  and then --model walrus-pt={place / 'coalesced.pth'}"
            )
        raise WalrusError(_holds_none(place))
    if not place.is_file():
        raise WalrusError(f"no checkpoint of Walrus at {place}")
    for folder in place.absolute().parents[:3]:
        if (folder / CONFIG).is_file():
            return Files(place, folder / CONFIG)
    raise WalrusError(
        f"{place} has no {CONFIG} beside it or above: it says how the model is built and normalised, "
        "and comes with every checkpoint"
    )


def _holds_none(folder: Path) -> str:
    """What a folder holds instead of a checkpoint, and which of it could be named instead."""
    found = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
    written = [
        str(p)
        for p in sorted(folder.glob("checkpoints/*"))
        if p.name in WEIGHTS or (p / TRAINED).is_file() or (p / SHARDED).is_file()
    ]
    named = f"; name one of its checkpoints: {', '.join(written)}" if written else ""
    return (
        f"{folder} is no checkpoint of Walrus: expected {CONFIG} and one of {', '.join(WEIGHTS)}, "
        f"found {found}{named}"
    )


def _in(folder: Path) -> Files | None:
    for name in WEIGHTS:
        if (folder / name).is_file() and (folder / CONFIG).is_file():
            return Files(folder / name, folder / CONFIG)
    return None


def _hub_snapshots() -> list[Path]:
    """Snapshots of the repository in the local cache of Hugging Face, the current revision first."""
    home = os.environ.get("HF_HOME") or "~/.cache/huggingface"
    hub = Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()
    repository = hub / f"models--{REPOSITORY.replace('/', '--')}"
    snapshots = sorted(repository.glob("snapshots/*"))
    current = repository / "refs" / REVISION
    if current.is_file():
        name = current.read_text().strip()
        snapshots.sort(key=lambda path: path.name != name)
    return snapshots or [repository]
