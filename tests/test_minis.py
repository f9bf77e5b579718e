"""The learned surrogates, their checkpoints and their training script."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy import ndimage
from torch import Tensor

from harness.audit import PrecisionAudit
from harness.paths import cache
from harness.stepping import Draw
from harness.surrogates.minis import (
    MINIS,
    WEIGHTS,
    CheckpointError,
    Mini,
    build,
    load_mini,
    save_mini,
)
from harness.surrogates.minis.increments import FixedUnits, ReversibleUnits
from harness.surrogates.minis.networks import SpectralConvolution, Stencil
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
CPU = torch.device("cpu")
SIMULATED = cache() / "data" / "datasets" / "simulated" / "data" / "test"


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def state(n_history: int, cells: int = 16, dtype: torch.dtype = torch.float32) -> Tensor:
    """Positive density, mean field along x, everything else noise."""
    history = 0.3 * noise(n_history, 7, cells, cells, cells, dtype=dtype)
    history[:, 0] = 1 + history[:, 0].abs()
    history[:, 1] += 1
    return history


def untrained(name: str, seed: int = 0) -> Mini:
    """A mini whose normalisation is not trivial."""
    mini = build(MINIS[name], seed)
    if isinstance(mini.module, FixedUnits):
        mini.module.load_state_dict(scales([state(8, cells=8)]), strict=False)
    return mini


# the model -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_step_has_the_shape_of_a_frame_and_repeats_bit_for_bit(name):
    mini = untrained(name)
    history = state(mini.n_history, cells=14)
    stepper = mini.begin(None, Draw())
    with torch.no_grad():
        first, again = stepper(history, 1), stepper(history.clone(), 2)
    assert first.shape == (7, 14, 14, 14)
    assert first.dtype == torch.float32
    assert torch.equal(first, again)
    assert not torch.equal(first, history[-1])


@pytest.mark.parametrize("name", NAMES)
def test_every_frame_of_the_history_counts(name):
    mini = untrained(name).to(CPU, torch.float64)
    history = state(mini.n_history, dtype=torch.float64).requires_grad_()
    mini.module(history).square().sum().backward()
    assert history.grad is not None
    assert (history.grad.abs().amax((2, 3, 4)) > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_float64_path_holds_no_lower_precision(name):
    mini = untrained(name)
    exact = mini.to(CPU, torch.float64)
    history = state(mini.n_history)
    doubled = history.double()
    with torch.no_grad(), PrecisionAudit() as audit:
        fine = exact.module(doubled)
    assert audit.calls > 50
    assert not audit.leaks
    assert fine.dtype == torch.float64
    with torch.no_grad():
        coarse = mini.module(history)
    difference = (fine - coarse).abs().max() / fine.abs().max()
    assert 0 < difference < 1e-5
    assert next(mini.module.parameters()).dtype == torch.float32


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("autocast", [True, False])
def test_bfloat16_runs(name, autocast):
    mini = untrained(name)
    history = state(mini.n_history)
    with torch.no_grad():
        exact = mini.module(history)
        if autocast:
            with torch.autocast("cpu", torch.bfloat16):
                coarse = mini.module(history)
        else:
            coarse = mini.to(CPU, torch.bfloat16).module(history.bfloat16())
    difference = (coarse.float() - exact).square().mean().sqrt() / exact.std()
    assert 1e-5 < difference < 0.05


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shift", [(1, 0, 0), (0, 2, 0), (3, 5, 7)])
def test_translation_equivariance(name, shift):
    module = untrained(name).to(CPU, torch.float64).module
    history = state(module.n_history, cells=15, dtype=torch.float64)
    with torch.no_grad():
        moved = module(history.roll(shift, (-3, -2, -1)))
        expected = module(history).roll(shift, (-3, -2, -1))
    assert (moved - expected).abs().max() < 1e-12 * expected.abs().max()


def test_conv_mini_is_local_and_fno_mini_is_not():
    reach = 1 + sum(MINIS["conv-mini"]["dilations"])
    changed = {}
    for name in NAMES:
        module = untrained(name).to(CPU, torch.float64).module
        history = state(module.n_history, cells=2 * reach + 5, dtype=torch.float64)
        poked = history.clone()
        poked[..., 0, 0, 0] += 0.1
        with torch.no_grad():
            changed[name] = (module(poked) != module(history)).any(0)
    assert changed["conv-mini"][reach, 0, 0]
    assert not changed["conv-mini"][reach + 1 : -reach].any()
    assert changed["fno-mini"].all()


def test_spectral_convolution_equals_a_full_fft():
    layer = SpectralConvolution(width=3, modes=2).double()
    x = noise(3, 9, 8, 7, dtype=torch.float64)
    spectrum = np.fft.rfftn(x.numpy(), axes=(1, 2, 3))
    weight = torch.view_as_complex(layer.weight.detach()).numpy().reshape(3, 5, 5, 3)
    product = np.zeros_like(spectrum)
    for i, kx in enumerate((0, 1, 2, -2, -1)):
        for j, ky in enumerate((0, 1, 2, -2, -1)):
            for kz in range(3):
                product[:, kx, ky, kz] = weight[:, i, j, kz] * spectrum[:, kx, ky, kz]
    expected = np.fft.irfftn(product, s=(9, 8, 7), axes=(1, 2, 3))
    assert np.abs(layer(x).detach().numpy() - expected).max() < 1e-13


def test_spectral_convolution_refuses_a_grid_without_its_modes():
    with pytest.raises(ValueError, match=r"\(8, 4, 8\) cells does not resolve 2 modes.* 5 cells"):
        SpectralConvolution(width=1, modes=2)(torch.zeros(1, 8, 4, 8))


@pytest.mark.parametrize("dilation", [1, 2])
def test_stencil_is_the_periodic_convolution_of_its_taps(dilation):
    layer = Stencil(width=2, dilation=dilation).double()
    x = noise(2, 7, 8, 9, dtype=torch.float64)
    taps = layer.taps.detach().numpy().reshape(3, 3, 2)
    for channel, found in enumerate(layer(x).detach().numpy()):
        expected = x[channel].numpy()
        for axis in range(3):
            centre, left, right = taps[axis, :, channel]
            gap = [0.0] * (dilation - 1)
            kernel = [left, *gap, centre, *gap, right]
            expected = ndimage.correlate1d(expected, kernel, axis=axis, mode="wrap")
        assert np.abs(found - expected).max() < 1e-13


@pytest.mark.parametrize(("name", "covariant"), [("revin-mini", True), ("fno-mini", False)])
def test_only_reversible_units_carry_the_scale_of_a_channel_through(name, covariant):
    # Powers of two: not even rounding may tell one scale from another.
    module, scale = untrained(name).module, 2.0 ** torch.arange(-3, 4).view(7, 1, 1, 1)
    history = state(3)
    with torch.no_grad():
        assert torch.equal(module(scale * history), scale * module(history)) is covariant


def test_reversible_units_are_the_rms_over_history_and_space():
    module = ReversibleUnits(torch.nn.Identity(), n_history=3, channels=7)
    history = state(3, cells=6, dtype=torch.float64)
    inputs, unit = module.normalise(history)
    frames = history.numpy()
    rms = np.sqrt((frames**2).mean((0, 2, 3, 4), keepdims=True))
    np.testing.assert_allclose(inputs.numpy(), (frames / rms).reshape(21, 6, 6, 6), rtol=1e-12)
    increments = np.sqrt((np.diff(frames, axis=0) ** 2).mean((0, 2, 3, 4)))
    np.testing.assert_allclose(unit.numpy().ravel(), increments, rtol=1e-12)
    _, still = module.normalise(history[:1].expand(3, -1, -1, -1, -1))
    assert still.unique().tolist() == [1e-5]


@pytest.mark.parametrize("name", NAMES)
def test_residual_is_the_error_of_the_step_in_its_unit(name):
    module = untrained(name).to(CPU, torch.float64).module
    window = state(module.n_history + 1, dtype=torch.float64)
    with torch.no_grad():
        _, unit = module.normalise(window[:-1])
        error = (module(window[:-1]) - window[-1]) / unit
        torch.testing.assert_close(module.residual(window), error)


@pytest.mark.parametrize("name", NAMES)
def test_a_history_of_another_shape_is_refused(name):
    module = untrained(name).module
    wrong = torch.zeros(module.n_history + 1, 7, 14, 14, 14)
    expected = rf"\({module.n_history}, 7, x, y, z\), got \({module.n_history + 1}, 7, 14, 14, 14\)"
    with pytest.raises(ValueError, match=expected):
        module(wrong)


def test_building_draws_from_its_seed_and_leaves_the_global_state():
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    prints = [build(MINIS["conv-mini"], seed).fingerprint() for seed in (0, 0, 1)]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert prints[0] == prints[1] != prints[2]


# checkpoints ---------------------------------------------------------------------------------


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


# training ------------------------------------------------------------------------------------


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


# the shipped weights -------------------------------------------------------------------------


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
