"""What can be fetched: the repositories on the hub, and the folders that the harness looks in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from the_well.data.utils import WELL_DATASETS

from harness.hub.errors import FetchError
from harness.hub.names import OWNER, WELL_MODELS, models_folder
from harness.paths import slug
from harness.suggest import unknown


@dataclass(frozen=True)
class Item:
    """One thing to fetch.

    kind: "models" or "datasets", as the hub's addresses say.  revision: branch, tag or commit; what
    it points at when it is first fetched is what later fetches into the same folder get.
    patterns: shell patterns of the files wanted.  folder: where they are put.
    """

    name: str
    kind: str
    repository: str
    patterns: tuple[str, ...]
    folder: Path
    revision: str = "main"


def item(name: str, data: Path, split: str, match: str = "*") -> Item:
    """The thing called `name`: a data set of The Well, `walrus-pt`, or WELL_MODEL=DATASET.

    split, match: the split of a data set, and a pattern that its files' names must match.
    Raises FetchError, with the nearest names, for one that cannot be fetched.
    """
    if slug(name.replace("=", "-")) != name.replace("=", "-"):
        raise FetchError(unknown("name", name, names()))
    wanted: tuple[str, ...]
    if name in WELL_DATASETS:
        wanted = (f"data/{split}/{match}.hdf5", f"data/{split}/{match}.h5", "stats.yaml")
        return Item(name, "datasets", f"{OWNER}/{name}", wanted, data / "datasets" / name)
    if name == "walrus-pt":
        wanted = ("walrus.pt", "extended_config.yaml")
        return Item(name, "models", f"{OWNER}/walrus", wanted, models_folder() / name)
    model, _, dataset = name.partition("=")
    if model in WELL_MODELS and dataset in WELL_DATASETS:
        repository = f"{WELL_MODELS[model]}-{dataset}"
        wanted = ("config.json", "model.safetensors")
        return Item(name, "models", f"{OWNER}/{repository}", wanted, models_folder() / repository)
    raise FetchError(unknown("name", name, names()))


def names() -> tuple[str, ...]:
    """Everything that can be fetched; a benchmark model of The Well is asked for with a data set."""
    return ("walrus-pt", *(f"{model}=DATASET" for model in WELL_MODELS), *sorted(WELL_DATASETS))
