"""Checkpoints of the learned surrogates, and the weights that are shipped."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from harness.paths import cache
from harness.surrogates.minis import MINIS, WEIGHTS, CheckpointError, build, load_mini, save_mini
from tests.untrained import state, untrained

NAMES = sorted(MINIS)
SIMULATED = cache() / "data" / "datasets" / "simulated" / "data" / "test"


@pytest.mark.parametrize("name", NAMES)
def test_checkpoint_round_trip(name, tmp_path):
    mini, path = untrained(name), tmp_path / "new.safetensors"
    save_mini(mini, path)
    loaded = load_mini(name, path)
    history = state(mini.n_history)
    with torch.no_grad():
        assert torch.equal(loaded.module(history), mini.module(history))
    assert loaded.fingerprint() == mini.fingerprint()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_fingerprint_is_of_weights_and_configuration():
    mini = untrained("conv-mini")
    same, nudged = untrained("conv-mini"), untrained("conv-mini")
    with torch.no_grad():
        weight = next(nudged.module.parameters())
        weight.view(-1)[0] = torch.nextafter(weight.view(-1)[0], torch.tensor(9.0))
    same_weights = untrained("conv-mini")
    same_weights.config = mini.config | {"dilations": [1, 2, 1, 1]}
    assert mini.fingerprint() == same.fingerprint()
    assert len({m.fingerprint() for m in (mini, nudged, same_weights)}) == 3


def rewritten(path: Path, state: dict[str, Tensor], config: object) -> Path:
    save_file(state, path, metadata={"config": json.dumps(config)})
    return path


def test_missing_unexpected_and_misshapen_keys_are_named(tmp_path):
    path = tmp_path / "w.safetensors"
    save_mini(untrained("conv-mini"), path)
    weights = load_file(path)
    weights["net.head.blas"] = weights.pop("net.head.bias")
    weights["mean"] = torch.zeros(6, 1, 1, 1)
    rewritten(path, weights, MINIS["conv-mini"])
    with pytest.raises(CheckpointError) as caught:
        load_mini("conv-mini", path)
    text = str(caught.value)
    assert str(path) in text
    assert "missing keys: net.head.bias;" in text
    assert "unexpected keys: net.head.blas;" in text
    assert "mean has shape (6, 1, 1, 1), expected (7, 1, 1, 1)" in text


def test_the_other_architecture_is_refused(tmp_path):
    path = tmp_path / "fno.safetensors"
    save_mini(untrained("fno-mini"), path)
    with pytest.raises(CheckpointError, match="expected architecture 'conv', found 'fno'"):
        load_mini("conv-mini", path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ([], "not a JSON object"),
        (MINIS["conv-mini"] | {"n_history": 2}, "expected n_history 1, found 2"),
        (MINIS["conv-mini"] | {"depth": 3}, "unexpected keyword argument 'depth'"),
        ({"architecture": "conv", "n_history": 1, "width": 8}, "missing a required argument"),
        (MINIS["conv-mini"] | {"width": "<script>"}, "architecture 'conv'"),
        (MINIS["conv-mini"] | {"width": -3}, "architecture 'conv'"),
        (MINIS["conv-mini"] | {"units": "reversible"}, "expected units None, found 'reversible'"),
    ],
)
def test_a_header_that_fits_no_network(config, message, tmp_path):
    path = rewritten(tmp_path / "w.safetensors", {"mean": torch.zeros(1)}, config)
    with pytest.raises(CheckpointError, match=message):
        load_mini("conv-mini", path)


def test_units_that_cannot_be_had():
    with pytest.raises(ValueError, match=r"unknown units 'yards': one of fixed, reversible"):
        build(MINIS["conv-mini"] | {"units": "yards"})
    with pytest.raises(ValueError, match="a history of 2 frames or more"):
        build(MINIS["conv-mini"] | {"units": "reversible"})


def test_damaged_and_foreign_files(tmp_path):
    path = tmp_path / "w.safetensors"
    save_mini(untrained("conv-mini"), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="not a complete safetensors file"):
        load_mini("conv-mini", path)
    path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="not a complete safetensors file"):
        load_mini("conv-mini", path)
    path.write_bytes(pickle.dumps({"weights": 1}))
    with pytest.raises(CheckpointError, match="a pickle can run code"):
        load_mini("conv-mini", path)
    save_file({"mean": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="no entry 'config'"):
        load_mini("conv-mini", path)
    save_file({"mean": torch.zeros(1)}, path, metadata={"config": "{"})
    with pytest.raises(CheckpointError, match="not JSON"):
        load_mini("conv-mini", path)


def test_unknown_name_and_missing_file(tmp_path):
    with pytest.raises(KeyError, match=r"no learned surrogate 'fno-maxi': one of .*conv-mini"):
        load_mini("fno-maxi")
    with pytest.raises(FileNotFoundError, match=r"no weights of fno-mini at .*gone"):
        load_mini("fno-mini", tmp_path / "gone.safetensors")


def test_shipped_weights_are_small():
    assert sum(path.stat().st_size for path in WEIGHTS.glob("*.safetensors")) <= 4_000_000


@pytest.mark.parametrize("name", NAMES)
def test_shipped_weights_load_and_are_those_of_the_record(name):
    mini = load_mini(name)
    record = json.loads((WEIGHTS / f"{name}.training.json").read_text())
    assert mini.fingerprint() == record["fingerprint"]
    assert mini.config == MINIS[name] == record["config"]
    assert record["stopped_by"] in ("rule", "time")
    assert record["parameters"] == sum(p.numel() for p in mini.module.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_shipped_step1_beats_persistence(name):
    files = sorted(SIMULATED.glob("*.hdf5"))
    if not files:
        pytest.skip(f"no simulated truth in {SIMULATED}: run `harness data simulate`")
    module = load_mini(name).module
    for path in files:
        with h5py.File(path) as file:
            for start in (0, 53):
                frames = slice(start, start + 4)
                parts = [file["t0_fields/density"][0, frames][:, None]]
                for field in ("magnetic_field", "velocity"):
                    parts.append(np.moveaxis(file[f"t1_fields/{field}"][0, frames], -1, 1))
                window = torch.from_numpy(np.concatenate(parts, axis=1)).float()
                truth, last = window[3], window[2]
                with torch.no_grad():
                    found = module(window[3 - module.n_history : 3])

                def vrmse(prediction: Tensor, truth: Tensor = truth) -> float:
                    mse = (prediction - truth).square().mean((1, 2, 3))
                    return float((mse / truth.var((1, 2, 3), correction=0)).sqrt().mean())

                assert vrmse(found) <= 0.6 * vrmse(last), (path.name, start)
