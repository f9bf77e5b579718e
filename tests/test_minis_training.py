"""The training script of the learned surrogates."""

from __future__ import annotations

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

from harness.surrogates.minis import MINIS, build, load_mini
from tests.untrained import state
from training.train_minis import (
    RECIPES,
    Evaluation,
    Recipe,
    has_levelled,
    scales,
    step1_vrmse,
    train,
    transform,
)

NAMES = sorted(MINIS)


def curl(field: Tensor) -> Tensor:
    """Spectral curl of (3, n, n, n) in a box of side 2 pi."""
    k = torch.fft.fftfreq(field.shape[-1], 1 / field.shape[-1], dtype=field.dtype)
    waves = torch.stack(torch.meshgrid(k, k, k, indexing="ij"))
    spectrum = torch.fft.fftn(field, dim=(1, 2, 3))
    return torch.fft.ifftn(1j * torch.linalg.cross(waves + 0j, spectrum, dim=0), dim=(1, 2, 3)).real


def tendencies(frame: Tensor) -> Tensor:
    """Induction curl(v x B), Lorentz force (curl B) x B and vorticity stretching v x curl v."""
    field, velocity = frame[1:4], frame[4:7]
    induction = curl(torch.linalg.cross(velocity, field, dim=0))
    force = torch.linalg.cross(curl(field), field, dim=0)
    force = force + torch.linalg.cross(velocity, curl(velocity), dim=0)
    return torch.cat([frame[:1], induction, force])


GROUP = [(s, x, y, z) for s in (0, 1) for x in (0, 1) for y in (0, 1) for z in (0, 1)]


@pytest.mark.parametrize("element", GROUP)
def test_augmentation_commutes_with_the_equations(element):
    frame = state(1, cells=9, dtype=torch.float64)[0]
    there = tendencies(transform(frame, *element))
    assert (there - transform(tendencies(frame), *element)).abs().max() < 1e-11
    assert transform(frame, *element)[1].mean() == pytest.approx(frame[1].mean().item())


def test_augmentation_has_sixteen_different_elements():
    frame = state(1, cells=5)[0]
    images = [transform(frame, *element) for element in GROUP]
    assert all(not torch.equal(a, b) for i, a in enumerate(images) for b in images[:i])


def test_scales_normalise_and_keep_the_symmetry():
    frames = state(20, cells=6)
    found = scales([frames])
    assert (found["mean"][2:] == 0).all()
    assert found["scale"][2] == found["scale"][3]
    assert found["increment_scale"][5] == found["increment_scale"][6]
    standard = (frames - found["mean"]) / found["scale"]
    assert standard[:, :2].mean((0, 2, 3, 4)).abs().max() < 1e-5
    assert (standard.square().mean((0, 2, 3, 4)) - 1).abs().max() < 0.02


def test_step1_vrmse_of_a_known_error():
    frames = state(6, cells=6)
    mini = build(MINIS["conv-mini"])
    for parameter in mini.module.net.head.parameters():
        parameter.data.zero_()
    found = step1_vrmse(mini.module, [frames], stride=1)
    truth, last = frames[3:].numpy().astype(float), frames[2:-1].numpy().astype(float)
    mse = ((truth - last) ** 2).mean((2, 3, 4))
    assert found == pytest.approx(np.sqrt(mse / truth.var((2, 3, 4))).mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("last", "levelled"), [(0.095, False), (0.0981, True), (0.0979, False), (0.3, True)]
)
def test_stopping_rule(last, levelled):
    recipe = Recipe(least=1000)
    figures = [(400, 0.2), (800, 0.1), (1000, last)]
    curve = [Evaluation(i, 0.0, figure, 0.0, 0.0) for i, figure in figures]
    assert has_levelled(curve, recipe) is levelled
    assert not has_levelled(curve, replace(recipe, least=1001))


@pytest.mark.parametrize("name", ["conv-mini", "revin-mini"])
def test_training_writes_weights_curve_and_record(name, tmp_path):
    for split in ("train", "valid"):
        folder = tmp_path / "datasets" / "simulated" / "data" / split
        folder.mkdir(parents=True)
        frames = state(6, cells=14).numpy()[None]
        with h5py.File(folder / "a.hdf5", "w") as file:
            file.attrs["data_id"] = f"id of {split}"
            file["t0_fields/density"] = frames[:, :, 0]
            file["t1_fields/magnetic_field"] = np.moveaxis(frames[:, :, 1:4], 2, -1)
            file["t1_fields/velocity"] = np.moveaxis(frames[:, :, 4:7], 2, -1)
    recipe = replace(RECIPES[name], every=2, least=4, most=4, stride=2, improvement=-9.0)
    outputs = []
    for out in (tmp_path / "a", tmp_path / "b"):
        out.mkdir()
        train(name, tmp_path, 3, out, [2], recipe)
        outputs.append(load_mini(name, out / f"{name}.safetensors"))
    assert outputs[0].fingerprint() == outputs[1].fingerprint()
    assert outputs[0].fingerprint() != build(MINIS[name], 3).fingerprint()
    early = load_mini(name, tmp_path / "a" / f"{name}.2.safetensors")
    assert early.fingerprint() != outputs[0].fingerprint()
    record = json.loads((tmp_path / "a" / f"{name}.training.json").read_text())
    assert record["stopped_by"] == "limit"
    assert record["train_data_id"] == {"a.hdf5": "id of train"}
    assert record["fingerprint"] == outputs[0].fingerprint()
    rows = (tmp_path / "a" / f"{name}.curve.csv").read_text().splitlines()
    assert rows[0].startswith("iteration,train_loss,valid_step1_vrmse")
    assert [row.split(",")[0] for row in rows[1:]] == ["2", "4"]
