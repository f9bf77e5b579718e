"""What is here: the code and weights of each model, the files of each data set."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.hub.fetch import spoken, unfinished
from harness.hub.names import OWNER, WELL_MODELS, models_folder
from harness.paths import hub_repositories
from harness.surrogates.spec import ModelError

#: state of what is not here at all
NONE = "missing"


@dataclass(frozen=True)
class Model:
    """What there is of a model, in a word or two each, and how to get what is missing."""

    name: str
    code: str = "here"
    weights: str = "here"
    data: str = "any"
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Data:
    """What there is of a data set's split.

    state: in a word or two.  complete: whether something is here and nothing is missing or half here.
    problems: what is wrong with files that cannot be used.
    """

    state: str
    complete: bool = False
    problems: tuple[str, ...] = ()


def walrus() -> Model:
    """Polymathic's code and the released weights."""
    from harness.surrogates.walrus import WalrusError, places, source

    no_code = _missing(source.folder, WalrusError)
    no_weights = _missing(lambda: places.find(None), WalrusError)
    needs = [no_code] if no_code else []
    if no_weights:
        named = os.environ.get(places.VARIABLE)
        needs.append(no_weights if named else f"harness fetch walrus-pt   # {places.SIZE}")
    partial = unfinished(places.fetched())
    weights = f"{spoken(partial)} of {places.SIZE}" if no_weights and partial else _state(no_weights)
    return Model("walrus-pt", _state(no_code), weights, "MHD_64", tuple(needs))


def benchmark(name: str) -> Model:
    """A benchmark model of The Well, whose weights are of one data set each."""
    kind = WELL_MODELS[name]
    no_code = _no_class(kind)
    folders = [*models_folder().glob(f"{kind}-*"), *hub_repositories("models", f"{OWNER}/{kind}-*")]
    here = sorted({f.name.rpartition(f"{kind}-")[2] for f in folders if any(f.rglob("config.json"))})
    needs = [no_code] if no_code else []
    if not here:
        needs.append("harness fetch MODEL=DATASET   # or say --model MODEL=FOLDER")
    return Model(name, _state(no_code), ", ".join(here) or "none yet", "as weights", tuple(needs))


def study(name: str) -> Model:
    """One of the study's FNOs, whose weights were not published."""
    from harness.surrogates.well_models import STUDY, study_weights

    no_code, no_weights = _no_class("FNO"), _missing(lambda: study_weights(name))
    needs = [no_code] if no_code else []
    if no_weights:
        files = ", ".join(STUDY.values())
        needs.append(f"--model MODEL=PATH --against MODEL   # only the study's authors have {files}")
        needs.append("harness published MODEL   # what the study recorded of it")
    weights = "unpublished" if no_weights else "here"
    return Model(name, _state(no_code), weights, "MHD_64", tuple(needs))


def models() -> Iterator[Model]:
    """Every model that needs more than the harness brings along."""
    from harness.surrogates.well_models import STUDY

    yield walrus()
    yield from (study(name) for name in STUDY)
    yield from (benchmark(name) for name in WELL_MODELS)


def split(root: Path, dataset: str, name: str) -> Data:
    """The files of a split: found, counted against The Well's own list, their headers read.

    A chosen part of it, such as one M_A, is complete too.
    """
    from harness.truth import files
    from harness.truth.errors import MissingData, TruthError
    from harness.truth.schema import read_contents

    # Simulated data are not fetched: what a killed run left is made again.
    partial = 0 if dataset == files.EMBEDDED else unfinished(root / "datasets" / dataset)
    half = f"{spoken(partial)} of an unfinished fetch" if partial else ""
    try:
        found, _ = files.find(root, dataset, name)
    except MissingData:
        return Data(half or NONE)
    except TruthError as error:
        return Data("unreadable", problems=(str(error),))
    problems = []
    for path in found:
        try:
            read_contents(path)
        except TruthError as error:
            problems.append(str(error))
    usable, listed = len(found) - len(problems), len(published_files().get(dataset, {}).get(name, ()))
    state = f"{usable} of {max(listed, len(found))} files"
    return Data(f"{state}, {half}" if half else state, not (half or problems), tuple(problems))


@cache
def published_files() -> dict[str, dict[str, Any]]:
    """The Well's own list: data set -> split -> addresses of its files."""
    import yaml
    from the_well.utils.download import WELL_REGISTRY

    with open(WELL_REGISTRY, encoding="utf-8") as stream:
        return dict(yaml.safe_load(stream))


def data_sets(root: Path) -> list[str]:
    """Names of the data sets with a test split under the data folder or in Hugging Face's cache."""
    here = {path.parents[2].name for path in root.glob("datasets/*/data/test/*.h*5")}
    cached = hub_repositories("datasets", f"{OWNER}/*")
    here |= {
        path.name.rpartition("--")[2]
        for path in cached
        if any(path.glob("snapshots/*/data/test/*.h*5"))
    }
    return sorted(here)


def _no_class(kind: str) -> str:
    from harness.surrogates.well_classes import model_class

    return _missing(lambda: model_class(kind))


def _missing(find: Callable[[], object], kind: type[Exception] = ModelError) -> str:
    """Why something cannot be found; nothing where it is."""
    try:
        find()
    except kind as error:
        return str(error)
    return ""


def _state(missing: str) -> str:
    return NONE if missing else "here"
