"""Checkpoints of Walrus: found, read without running anything, fitted, and refused in words."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from harness.fields import MHD, FieldLayout
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


@pytest.mark.parametrize(
    "target", ["os.system", "torch.load", "walrus.trainer.Trainer", ["os.system"], None]
)
def test_only_parts_of_the_model_are_called(tmp_path: Path, target: object) -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["model"]["decoder"]["activation"] = {"_target_": target, "command": "echo"}

    with pytest.raises(WalrusError, match=r"asks to call .*, which is no part of the model") as caught:
        read(tmp_path, change)
    assert repr(target) in str(caught.value)


@pytest.mark.parametrize(
    ("hostile", "says"),
    [
        ("!!python/object/apply:os.system ['touch ran']", "could not determine a constructor"),
        ("&a [*a]", "more than 10000 parts"),
        (", ".join(["[" * 3000]), "not a readable configuration"),
        (
            "[&a [1, 1, 1, 1, 1, 1, 1, 1, 1], &b [*a, *a, *a, *a, *a, *a, *a, *a, *a], "
            "&c [*b, *b, *b, *b, *b, *b, *b, *b, *b], &d [*c, *c, *c, *c, *c, *c, *c, *c, *c], "
            "[*d, *d, *d, *d, *d, *d, *d, *d, *d]]",
            "more than 10000 parts",
        ),
    ],
    ids=["tag", "cycle", "depth", "bomb"],
)
def test_a_hostile_file_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hostile: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file = example.write_config(tmp_path, example.tree())
    text = file.read_text().replace("  drop_path: 0.05\n", f"  drop_path: {hostile}\n")
    file.write_text(text)
    with pytest.raises(WalrusError, match=says):
        config.read(file)
    assert not Path("ran").exists()


@pytest.mark.parametrize("key", ["variable_downsample", "variable_deterministic_ds", "learned_pad"])
def test_strides_that_do_not_follow_from_the_grid_are_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(WalrusError, match=f"expected {key} true, found False"):
        read(tmp_path, lambda tree: tree["model"]["encoder"].update({key: False}))


def test_the_floor_is_the_trainers(tmp_path: Path) -> None:
    """`epsilon` as Polymathic's scripts write it, which YAML takes for a word."""
    assert read(tmp_path).floor == 1e-5
    assert read(tmp_path, lambda tree: tree["trainer"].update(epsilon="1e-8")).floor == 1e-8


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


def test_the_folder_of_a_run_names_its_checkpoints(nowhere: Path) -> None:
    """As Polymathic's trainer writes it: whole files from one process, shards from several."""
    run = put(nowhere / "finetune/0", places.CONFIG)
    best = put(run / "checkpoints/best", "full_checkpoint.pt", "metadata.pt")
    last = put(run / "checkpoints/last", ".metadata", "__0_0.distcp")
    with pytest.raises(WalrusError, match=r"found checkpoints, .*; name one of its checkpoints: ") as e:
        places.find(run)
    assert f"{best}, {last}" in str(e.value)
    expected = places.Files(best / "full_checkpoint.pt", run / places.CONFIG)
    assert places.find(best) == places.find(best / "full_checkpoint.pt") == expected
    with pytest.raises(
        WalrusError, match=rf"in shards.*(?s:.*)dcp_to_torch {last} {last}/coalesced\.pth"
    ):
        places.find(last)
    put(last, "coalesced.pth")
    assert places.find(last / "coalesced.pth").config == run / places.CONFIG


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
