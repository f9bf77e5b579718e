"""`harness doctor`: what is here, and what each model and protocol still needs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from harness.cli.console import show_table
from harness.hub.names import models_folder

#: packages whose versions a bug report needs; the last ones only some models do
PACKAGES = ("torch", "numpy", "h5py", "the_well", "neuraloperator", "huggingface_hub", "einops")
#: of those on one line
ABREAST = 4

#: who needs it, and a command or a sentence that says how to get it
Need = tuple[str, str]


def doctor(
    data: Annotated[Path | None, typer.Option(help="folder of the data sets")] = None,
) -> None:
    """Say in one screen what is here: versions, devices, models, data, and how to get the rest."""
    from harness.plan import Options

    root = Options(data=data).data_root
    console = Console()
    _versions(console)
    _places(console, root)
    needs = [*_models(console, root), *_protocols(console, root)]
    if needs:
        console.print(Text("\nHow to get what is missing", style="bold"))
        for line in _grouped(needs):
            console.print(Text(line), soft_wrap=True)


def _versions(console: Console) -> None:
    import platform

    import torch

    found = [f"python {platform.python_version()}", *map(_version, PACKAGES)]
    for first in range(0, len(found), ABREAST):
        console.print(Text("  ".join(found[first : first + ABREAST])))
    gpus = [
        f"{torch.cuda.get_device_name(i)}, {torch.cuda.get_device_properties(i).total_memory >> 30} GiB"
        for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
    ]
    if not gpus and shutil.which("nvidia-smi") and torch.version.cuda is None:
        gpus = [f"one may be here, but torch {torch.__version__} is built without CUDA"]
    console.print(
        Text(f"GPU      {'; '.join(gpus) or 'none that torch sees'}; {os.cpu_count()} CPU cores")
    )


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} missing"


def _places(console: Console, root: Path) -> None:
    from harness import paths
    from harness.hub.fetch import room_in, spoken

    places = {"data": root, "weights": models_folder(), "records": paths.cache() / "records"}
    for name, path in places.items():
        free = spoken(room_in(path))
        absent = "" if path.exists() else ", not there yet"
        console.print(Text(f"{name:8} {path}  ({free} free{absent})"), soft_wrap=True)


def _models(console: Console, root: Path) -> list[Need]:
    """What each model has here; returns what it needs."""
    from harness.cli import inventory

    found = list(inventory.models())
    mhd = inventory.split(root, "MHD_64", "test").state
    shipped = inventory.Model("fno-, conv-, revin-mini", weights="shipped", data="simulated")
    rest = inventory.Model("references, controls, toys", weights="none")
    console.print()
    show_table(
        ("model", "code", "weights", "data"),
        [
            (m.name, m.code, m.weights, f"{m.data}: {mhd}" if m.data == "MHD_64" else m.data)
            for m in (shipped, *found, rest)
        ],
    )
    return [(m.name, command) for m in found for command in m.needs]


def _protocols(console: Console, root: Path) -> list[Need]:
    """The protocols and whether their data is here; returns how to get what is not."""
    from harness.cli import inventory
    from harness.plan import size_of
    from harness.truth import files, protocols

    rows: list[tuple[str, ...]] = []
    needs: list[Need] = []
    for name in protocols.names():
        protocol = protocols.read(protocols.FOLDER / f"{name}.toml")
        if protocol.dataset == protocols.ANY:
            here = inventory.data_sets(root)
            rows.append((f"{name}=DATASET", "any, test", ", ".join(here) or "no data set"))
            continue
        found = inventory.split(root, protocol.dataset, protocol.split)
        place = f"{protocol.dataset}, {protocol.split}"
        if protocol.dataset == files.EMBEDDED:
            made = "made by the first run"
            rows.append((name, place, made if found.state == inventory.NONE else found.state))
            continue
        rows.append((name, place, found.state))
        needs += [(name, f"unusable: {problem}") for problem in found.problems]
        if not found.complete:
            command = f"harness fetch {protocol.dataset} --split {protocol.split} --data {root}"
            needs.append((name, f"{command}   # {size_of(protocol.dataset)}"))
    console.print()
    show_table(("protocol", "data set, split", "here"), rows)
    return needs


def _grouped(needs: Sequence[Need]) -> list[str]:
    """Lines: names, and below them what all of these need; each command once."""
    by_command: dict[str, tuple[str, ...]] = {}
    for name, command in needs:
        by_command[command] = (*by_command.get(command, ()), name)
    lines: list[str] = []
    for command, names in by_command.items():
        if f"{', '.join(names)}:" not in lines:
            lines.append(f"{', '.join(names)}:")
        at = lines.index(f"{', '.join(names)}:") + 1
        while at < len(lines) and lines[at].startswith("  "):
            at += 1
        lines.insert(at, "  " + command.replace("\n", "\n  "))
    return lines
