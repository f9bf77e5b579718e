"""Whatever options a released or fine-tuned configuration holds, the adapter computes the same."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.stepping import Draw
from harness.surrogates.walrus import WalrusError, config, draws, load
from tests import walrus_example as example
from tests import walrus_notebook as notebook

GRID = (64, 16, 16)
Change = Callable[[dict[str, Any]], Any]


def model(**options: object) -> Change:
    return lambda tree: tree["model"].update(options)


def tuned(**options: object) -> Change:
    return lambda tree: tree["finetuning_mods"].update(options)


OPTIONS: dict[str, Change] = {
    "released": lambda tree: None,
    "position embedding": tuned(ape_shape=[16, 16, 16]),
    "learned angles": tuned(learnable_rope=True),
    "learned angles per axis": tuned(learnable_rope=True, rope_per_axis=True),
    "all of fine-tuning": tuned(learnable_rope=True, rope_per_axis=True, ape_shape=[16, 16, 16]),
    "fine-tuning's own": model(drop_path=0.0, gradient_checkpointing_freq=1),
    "no checkpointing": model(gradient_checkpointing_freq=0),
    "not causal": model(causal_in_time=False),
    "jitter of the defaults": model(use_periodic_fixed_jitter=False),
    "three dimensions only": model(include_d=[3], override_dimensionality=3),
    "no bias in time": lambda tree: tree["model"]["processor"]["time_mixing"].update(bias_type="none"),
    "wider feed-forward": lambda tree: tree["model"]["processor"]["space_mixing"].update(mlp_dim=96),
    "GELU": lambda tree: tree["model"]["encoder"]["activation"].update(_target_="torch.nn.GELU"),
}


@example.needs_source
@pytest.mark.parametrize("name", OPTIONS)
def test_the_prepared_model_is_the_loaded_one(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bitwise, with every frame decoded, under one draw; and nothing is printed on the way."""
    tree = example.tree()
    OPTIONS[name](tree)
    loaded = load(example.write_checkpoint(tmp_path, tree))
    assert capsys.readouterr().out == ""
    prepared, arguments = loaded._prepare(example.window(GRID), Draw(1))
    module: Any = copy.deepcopy(loaded.module)
    prepared.causal_in_time = module.causal_in_time
    x = example.history(GRID).float()[:, None]
    frames = []
    for network in (prepared, module):
        with torch.no_grad(), draws.numbers(Draw(1), 1):
            frames.append(network(x, *arguments))
    assert torch.equal(*frames)
    assert frames[0].std() > 0.1


@example.needs_source
def test_learned_angles_and_the_position_embedding_are_used(tmp_path: Path) -> None:
    tree = example.tree()
    OPTIONS["all of fine-tuning"](tree)
    loaded = load(example.write_checkpoint(tmp_path, tree))
    x = example.history((16, 16, 16)).float()[:, None]

    def frame() -> torch.Tensor:
        prepared, arguments = loaded._prepare(example.window(), Draw(None))
        with torch.no_grad():
            return prepared(x, *arguments)

    first = frame()
    freqs = loaded.module.blocks[0].space_mixing.rotary_emb.freqs
    assert len(freqs) == 3 and loaded.module.ape.shape == (1, 1, 32, 16, 16, 16)
    freqs[1].mul_(0.5)
    second = frame()
    loaded.module.ape.mul_(2)
    assert not torch.equal(first, second) and not torch.equal(second, frame())


@example.needs_source
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (tuned(freeze=True), "cannot be built: Freezing not implemented"),
        (model(include_d=[2]), "embeds frames of 2 dimensions, not of 3"),
        (model(hidden_dim=33), "cannot be built"),
        (model(groups=5), "cannot be built"),
    ],
)
def test_what_cannot_be_is_said(change: Change, says: str, tmp_path: Path) -> None:
    configuration = config.read(example.write_config(tmp_path, example.tree()))
    torch.save(example.draw_state(configuration), tmp_path / "walrus.pt")
    tree = example.tree()
    change(tree)
    example.write_config(tmp_path, tree)
    with pytest.raises(WalrusError, match=says):
        load(tmp_path)


@notebook.needs_notebook
def test_the_released_configuration_is_read_and_built(tmp_path: Path) -> None:
    """As the notebook printed it: 1,286,199,047 parameters in 857 tensors, 3 frames for MHD_64."""
    file = tmp_path / "extended_config.yaml"
    file.write_text(notebook.released_config())
    released = config.read(file)
    module = config.build(released)
    assert sum(p.numel() for p in module.parameters()) == 1_286_199_047
    assert len(module.state_dict()) == 857
    assert (released.normalisation, released.finetuning, released.floor) == ("samplewise", {}, 1e-5)
    assert released.labels("MHD_64", example.MHD) == example.MHD_LABELS
    assert (released.history("MHD_64"), released.history("active_matter")) == (3, 6)
    # The miniature of these tests differs from it by its size only.
    mine = config.build(config.read(example.write_config(tmp_path, example.tree(example.FULL))))
    assert {n: t.shape for n, t in mine.state_dict().items()} == {
        n: t.shape for n, t in module.state_dict().items()
    }
