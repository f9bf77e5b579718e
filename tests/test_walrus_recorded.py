"""The adapter's own arithmetic against what Polymathic's code recorded; needs no Polymathic code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from harness.stepping import Draw
from harness.surrogates.walrus import config
from harness.surrogates.walrus.normalisation import (
    Normalisation,
    constant,
    read_statistics,
    samplewise,
)
from harness.surrogates.walrus.surrogate import arguments, stepper
from tests import walrus_example as example
from tests import walrus_recorded as recorded

RECORD = json.loads(recorded.RECORD.read_text())


def frames(
    tmp_path: Path,
    n_history: int,
    draw: Draw = recorded.DRAW,
    tree: Any = None,
    normalisation: str = "samplewise",
) -> torch.Tensor:
    configuration = config.read(example.write_config(tmp_path, tree or example.tree()))
    given = arguments(configuration, example.simulation(recorded.SHAPE), torch.device("cpu"))
    scales = samplewise if normalisation == "samplewise" else global_scales(tmp_path)
    step = stepper(recorded.network, given, scales, draw)
    history, made = recorded.history(n_history), []
    for number in range(1, recorded.STEPS + 1):
        made.append(step(history, number))
        history = torch.cat([history[1:], made[-1][None]])
        history = history.permute(0, 2, 3, 4, 1).contiguous().permute(0, 4, 1, 2, 3)
    return torch.stack(made)


def global_scales(tmp_path: Path) -> Normalisation:
    file = tmp_path / "stats.yaml"
    file.write_text(yaml.safe_dump(recorded.STATISTICS))
    found = read_statistics(file, example.MHD)
    return constant(torch.tensor(found["rms"]), torch.tensor(found["rms_delta"]), 3)


@pytest.mark.parametrize(
    "entry", RECORD["rollouts"], ids=lambda e: f"{e['normalisation']}-T{e['n_history']}"
)
def test_frames_are_those_that_polymathics_code_made(entry: dict[str, Any], tmp_path: Path) -> None:
    assert recorded.digest(recorded.history(entry["n_history"])) == entry["input_sha256"]
    normalisation = entry["normalisation"]
    made = recorded.described(frames(tmp_path, entry["n_history"], normalisation=normalisation))
    for mine, theirs in zip(made, entry["frames"], strict=True):
        assert mine["rms"] == pytest.approx(theirs["rms"], rel=1e-6)
        assert mine["cells"] == pytest.approx(theirs["cells"], rel=1e-5, abs=1e-6)
    if recorded.environment() == RECORD["environment"]:
        assert [f["sha256"] for f in made] == [f["sha256"] for f in entry["frames"]]


def test_another_draw_or_another_index_is_noticed(tmp_path: Path) -> None:
    theirs = RECORD["rollouts"][0]["frames"][0]
    other = recorded.described(frames(tmp_path, 3, Draw(12)))[0]
    assert other["cells"] != pytest.approx(theirs["cells"], rel=1e-3)
    tree = example.tree()
    indices = tree["data"]["field_index_map_override"]
    indices["velocity_x"], indices["velocity_y"] = indices["velocity_y"], indices["velocity_x"]
    swapped = recorded.described(frames(tmp_path, 3, tree=tree))[0]
    assert swapped["rms"] != pytest.approx(theirs["rms"], rel=1e-3)
