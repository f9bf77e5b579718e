"""`harness doctor`: what is here, and what each model and protocol still needs."""

from __future__ import annotations

import os
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from harness.cli.console import show_table
from harness.hub.names import OWNER, WELL_MODELS, models_folder
from harness.paths import hub_repositories

#: packages that some model or command needs, and which
OPTIONAL = {
    "neuraloperator": "well-fno, well-tfno, fno-scratch, fno-ft, fno-pretrained",
    "huggingface_hub": "The Well's benchmark models",
}
PACKAGES = ("torch", "numpy", "h5py", "the_well", *OPTIONAL)


def doctor(
    data: Annotated[Path | None, typer.Option(help="folder of the data sets")] = None,
) -> None:
    """Say in one screen what is here: versions, devices, models, protocols and their data."""
    from harness.plan import Options

    root = (data or Options().data_root).expanduser()
    console = Console()
    _versions(console)
    _places(console, root)
    notes = [*_models(console), *_protocols(console, root)]
    if notes:
        console.print(Text("\nTo mend it", style="bold"))
        for note in dict.fromkeys(notes):
            console.print(Text(note), soft_wrap=True)


def _versions(console: Console) -> None:
    import platform

    import torch

    found = {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}
    console.print(Text("  ".join(f"{name} {what}" for name, what in found.items())), soft_wrap=True)
    gpus = [
        f"{torch.cuda.get_device_name(i)}, {torch.cuda.get_device_properties(i).total_memory >> 30} GiB"
        for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
    ]
    console.print(Text(f"GPU: {'; '.join(gpus) or 'none that torch sees'}; {os.cpu_count()} CPU cores"))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        needed = f" ({OPTIONAL[package]})" if package in OPTIONAL else ""
        return f"missing{needed}"


def _places(console: Console, root: Path) -> None:
    from harness import paths
    from harness.hub.fetch import spoken

    places = {"data": root, "weights": models_folder(), "records": paths.cache() / "records"}
    for name, path in places.items():
        there = next(p for p in (path, *path.parents) if p.exists())
        free = spoken(shutil.disk_usage(there).free)
        console.print(
            Text(f"{name}: {path}{'' if path.exists() else ' (not yet)'}, {free} free"), soft_wrap=True
        )


def _models(console: Console) -> list[str]:
    """What each model has here; returns what is missing, in full."""
    from harness.surrogates.families import FAMILIES
    from harness.surrogates.spec import ModelError, ModelSpec

    rows: list[tuple[str, str, str]] = []
    notes: list[str] = []
    for name, family in FAMILIES.items():
        if name.endswith(":"):
            rows.append((f"{name}...", "give a path or number", family.summary))
            continue
        try:
            family.require(ModelSpec(name))
            state = "ready" if name not in WELL_MODELS else _weights(name)
        except ModelError as error:
            state, notes = "not yet", [*notes, str(error)]
        rows.append((name, state, family.summary))
    console.print()
    show_table(("model", "here", "what it is"), rows)
    return notes


def _weights(name: str) -> str:
    """For which data sets the weights of a benchmark model of The Well are here."""
    kind = WELL_MODELS[name]
    folders = [*models_folder().glob(f"{kind}-*"), *hub_repositories("models", f"{OWNER}/{kind}-*")]
    here = sorted({folder.name.rpartition(f"{kind}-")[2] for folder in folders})
    return f"weights for {', '.join(here)}" if here else f"harness fetch {name}=DATASET"


def _protocols(console: Console, root: Path) -> list[str]:
    """The protocols and whether their data is here; returns how to get what is not."""
    from harness.plan import how_to_get
    from harness.truth import files, protocols
    from harness.truth.errors import MissingData, TruthError

    rows, notes = [], []
    for name in protocols.names():
        protocol = protocols.read(protocols.FOLDER / f"{name}.toml")
        if protocol.dataset == protocols.ANY:
            here = sorted({path.parents[2].name for path in root.glob("datasets/*/data/test/*.h*5")})
            rows.append((f"{name}=DATASET", ", ".join(here) or "no data set here", "any data set"))
            continue
        place = f"{protocol.dataset}, {protocol.split}"
        try:
            found, _ = files.find(root, protocol.dataset, protocol.split)
            state = f"{len(found)} files in {_short(found[0].parent, root)}"
        except MissingData as error:
            embedded = protocol.dataset == files.EMBEDDED
            state = "simulated by the first run" if embedded else "not here"
            notes += [] if embedded else [how_to_get(error, root)]
        except TruthError as error:
            state, notes = "unusable", [*notes, str(error)]
        rows.append((name, state, place))
    console.print()
    show_table(("protocol", "data", "data set, split"), rows)
    return notes


def _short(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
