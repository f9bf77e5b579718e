"""Checkpoints of Walrus: found, read without running anything, fitted, and refused in words."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from harness.fields import MHD, FieldLayout
from harness.surrogates.base import Draw
from harness.surrogates.walrus import WalrusError, config, load, places, weights
from tests import walrus_example as example


def read(folder: Path, change: Callable[[dict[str, Any]], None] = lambda tree: None) -> config.Config:
    tree = example.tree()
    change(tree)
    return config.read(example.write_config(folder, tree))


# -- configuration ---------------------------------------------------------------------------------


def test_fields_are_indexed_and_histories_are_the_data_sets(tmp_path: Path) -> None:
    configuration = read(tmp_path)
    assert configuration.labels("MHD_64", MHD) == example.MHD_LABELS
    turned = FieldLayout(("velocity", "pressure", "magnetic_field"), (1, 0, 1))
    assert configuration.labels("simulated", turned) == (4, 5, 6, 3, 39, 40, 41)
    assert configuration.n_states == 67
    assert [configuration.history(d) for d in ("MHD_64", "unlisted", "active_matter")] == [3, 3, 6]


def test_unknown_and_transformed_fields_are_refused(tmp_path: Path) -> None:
    configuration = read(tmp_path)
    with pytest.raises(WalrusError, match="unknown field of Walrus 'densty'; did you mean density"):
        configuration.labels("MHD_64", FieldLayout(("densty",), (0,)))
    with pytest.raises(WalrusError, match=r"transformed fields of supernova_explosion_128.*log10"):
        configuration.labels("supernova_explosion_128", MHD)


@pytest.mark.parametrize("target", ["os.system", "torch.load", "walrus.trainer.Trainer"])
def test_only_parts_of_the_model_are_called(tmp_path: Path, target: str) -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["model"]["decoder"]["activation"] = {"_target_": target, "command": "echo"}

    with pytest.raises(WalrusError, match=f"asks to call '{target}', which is no part of the model"):
        read(tmp_path, change)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("prediction_type", "full", "expected prediction_type delta, found 'full'"),
        ("revin", {"_target_": example.STRATEGY + "MeanStdSamplewiseRevNormalization"}, "did you mean"),
        ("revin", {}, "lacks '_target_'"),
    ],
)
def test_another_model_is_refused(tmp_path: Path, key: str, value: object, says: str) -> None:
    with pytest.raises(WalrusError, match=says):
        read(tmp_path, lambda tree: tree["trainer"].update({key: value}))


@pytest.mark.parametrize("content", ["model: {", "- 1", "model: {}", ""])
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / places.CONFIG
    file.write_text(content)
    with pytest.raises(WalrusError, match=r"extended_config.yaml is not"):
        config.read(file)


# -- where checkpoints lie -------------------------------------------------------------------------


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No checkpoint in any of the places."""
    for name in (places.VARIABLE, "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path


def put(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_one_screen_says_what_is_missing(nowhere: Path) -> None:
    with pytest.raises(WalrusError) as caught:
        places.find(None)
    screen = str(caught.value)
    for part in (
        "walrus.pt (5.1 GB)", "huggingface.co/polymathic-ai/walrus", "harness fetch walrus-pt",
        "--model walrus-pt=DIR", "$HARNESS_WALRUS_PT (not set)",
        str(nowhere / "cache/models/walrus-pt"),
        str(nowhere / "hf/hub/models--polymathic-ai--walrus"),
    ):  # fmt: skip
        assert part in screen
    assert len(screen.splitlines()) < 10


def test_the_places_in_their_order(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = nowhere / "hf/hub/models--polymathic-ai--walrus"
    for revision in ("aaa", "bbb"):
        put(hub / "snapshots" / revision, places.CONFIG, "walrus.pt")
    (hub / "refs").mkdir()
    (hub / "refs" / "main").write_text("bbb")
    assert places.find(None).weights == hub / "snapshots/bbb/walrus.pt"
    fetched = put(nowhere / "cache/models/walrus-pt", places.CONFIG, "walrus.pt", "walrus.safetensors")
    assert places.find(None) == places.Files(fetched / "walrus.safetensors", fetched / places.CONFIG)
    named = put(nowhere / "named", places.CONFIG, "coalesced.pth")
    monkeypatch.setenv(places.VARIABLE, str(named))
    assert places.find(None).weights == named / "coalesced.pth"
    given = put(nowhere / "given", places.CONFIG)
    own = put(given / "checkpoints", "mine.pth") / "mine.pth"
    assert places.find(own) == places.Files(own, given / places.CONFIG)


def test_a_place_that_holds_no_checkpoint_says_what_it_holds(nowhere: Path) -> None:
    folder = put(nowhere / "x", "walrus.pt", "README.md")
    with pytest.raises(WalrusError, match=r"expected extended_config\.yaml and .* found README\.md"):
        places.find(folder)
    with pytest.raises(WalrusError, match=r"has no extended_config\.yaml beside it"):
        places.find(folder / "walrus.pt")
    with pytest.raises(WalrusError, match="no checkpoint of Walrus at"):
        places.find(nowhere / "absent")


# -- weights ---------------------------------------------------------------------------------------

STATE = {"a": torch.arange(3.0), "b": torch.ones(2, 2)}


@pytest.mark.parametrize("tree", [STATE, {"model": STATE}, {"app": {"model": STATE}, "step": 3}])
def test_the_three_layouts(tmp_path: Path, tree: dict[str, Any]) -> None:
    torch.save(tree, tmp_path / "w.pt")
    found = weights.read(tmp_path / "w.pt")
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[k], STATE[k]) for k in STATE)


def test_safetensors_hold_the_same(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "w.safetensors")
    assert torch.equal(weights.read(tmp_path / "w.safetensors")["a"], STATE["a"])


class Runs:
    """Unpickled without care, this would run a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch ran",)


def test_a_pickle_with_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": STATE, "x": Runs()}, "w.pt")
    with pytest.raises(WalrusError, match="is refused: it is no file of tensors only"):
        weights.read(Path("w.pt"))
    assert not Path("ran").exists()


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
def test_a_truncated_file_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    save_file(STATE, path) if name.endswith("safetensors") else torch.save(STATE, path)
    path.write_bytes(path.read_bytes()[:-80])
    with pytest.raises(WalrusError, match=f"{name} is (not a complete checkpoint|refused)"):
        weights.read(path)


def test_a_file_without_a_state_says_what_it_holds(tmp_path: Path) -> None:
    torch.save({"optimizer": {"lr": 1.0}, "epoch": 3}, tmp_path / "w.pt")
    with pytest.raises(WalrusError, match=r"holds no state of a model.*found optimizer, epoch"):
        weights.read(tmp_path / "w.pt")


# -- the whole, by Polymathic's code ---------------------------------------------------------------

FINETUNED = {"learnable_rope": True, "rope_per_axis": True, "ape_shape": [16, 16, 16]}


@example.needs_source
def test_a_checkpoint_is_loaded_and_named_by_its_content(tmp_path: Path) -> None:
    first = load(example.write_checkpoint(tmp_path / "a"))
    again = load(example.write_checkpoint(tmp_path / "b") / "walrus.pt")
    other = load(example.write_checkpoint(tmp_path / "c", seed=1))
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()
    assert (first.n_history, first.fields) == (3, MHD)
    assert "stochastic" in first.traits


@example.needs_source
def test_a_fine_tuned_checkpoint_is_built_with_its_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Position embedding and learned angles per axis are used, and bitwise as in Polymathic's."""
    tree = example.tree() | {"finetuning_mods": FINETUNED}
    model = load(example.write_checkpoint(tmp_path, tree))
    assert capsys.readouterr().out == ""
    freqs = model.module.blocks[0].space_mixing.rotary_emb.freqs
    assert len(freqs) == 3 and model.module.ape.shape == (1, 1, 32, 16, 16, 16)
    freqs[1].mul_(0.5)
    model.module.ape.normal_()
    prepared, arguments = model._prepare(example.window(), Draw(None))
    prepared.causal_in_time = True  # every frame decoded, as the module as loaded does
    module = copy.deepcopy(model.module)
    module.jitter_patches = module.patch_jitterer.jitter_patches = False
    x = example.history((16, 16, 16)).float()[:, None]
    with torch.no_grad():
        assert torch.equal(prepared(x, *arguments), module(x, *arguments))


@example.needs_source
def test_fine_tuned_weights_beside_the_wrong_configuration(tmp_path: Path) -> None:
    tuned = example.write_checkpoint(tmp_path / "a", example.tree() | {"finetuning_mods": FINETUNED})
    base = example.write_checkpoint(tmp_path / "b")
    example.write_config(tuned, example.tree())
    with pytest.raises(WalrusError, match=r"unexpected ape.*it is fine-tuned: the configuration"):
        load(tuned)
    example.write_config(base, example.tree() | {"finetuning_mods": FINETUNED})
    with pytest.raises(WalrusError, match=r"missing ape.*the weights are not fine-tuned"):
        load(base)
    example.write_config(base, example.tree(example.TINY | {"hidden": 64}))
    with pytest.raises(WalrusError, match=r"has shape \(32,.*expected \(64,"):
        load(base)
