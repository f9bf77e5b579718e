"""The autoregressive loop and the engine that runs it, on small frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from harness import numerics
from harness.audit import PrecisionAudit
from harness.fields import MHD
from harness.jobs import audit, bind, rollout, truth_job, twin
from harness.rollout import Recent, Start, structure_steps
from harness.stepping import Draw, Stepper
from harness.surrogates.base import ModuleSurrogate
from harness.surrogates.spec import ModelSpec
from harness.truth.window import Window
from tests import toy
from tests.waves import SPEC, EngineOf, job, window_of


class Linear(nn.Module):
    """Mixes channels, cell by cell."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        mix = torch.eye(7) + 0.01 * torch.randn(7, 7, generator=generator)
        self.mix = nn.Parameter(scale * mix)

    def forward(self, history: Tensor) -> Tensor:
        return torch.einsum("ij,jxyz->ixyz", self.mix, history[-1])


class Noisy(ModuleSurrogate):
    """Adds noise from its draw."""

    def begin(self, window: Window, draw: Draw) -> Stepper:
        def step(history: Tensor, number: int) -> Tensor:
            noise = torch.randn(history[-1].shape, generator=draw.torch(number))
            return self.module(history) + 0.1 * noise.to(history)

        return step


@pytest.fixture
def window(tmp_path: Path) -> Window:
    return window_of(tmp_path)


def linear(scale: float = 1.0) -> ModuleSurrogate:
    return ModuleSurrogate(Linear(scale), MHD, 1)


@pytest.mark.parametrize("n", [1, 3])
def test_the_history_moves_over_the_frames_and_no_frame_is_lost(n: int) -> None:
    """Frames keep their place in memory but when the buffer ends, and what was handed out stays."""
    recent = Recent(torch.arange(n).double()[:, None])
    seen, moved = [recent.frames], 0
    for number in range(n, n + 20):
        before = seen[-1].data_ptr()
        recent.append(torch.full((1,), number, dtype=torch.float64))
        seen.append(recent.frames)
        assert seen[-1].is_contiguous()
        moved += seen[-1].data_ptr() != before + 8
    for first, frames in enumerate(seen):
        assert frames.flatten().tolist() == [first + i for i in range(n)]
    assert moved == (20 - n) // (n + 1) + 1


def test_a_rollout_is_the_model_applied_to_its_own_output(window: Window, engine_of: EngineOf) -> None:
    record = engine_of(linear()).record(job(window))
    mix = Linear().mix.detach().double().numpy()
    frames = toy.waves(0).astype(np.float64)
    state = frames[2]
    for step in range(7):
        np.testing.assert_allclose(
            record.pred["variance"][step], state.reshape(7, -1).var(1), rtol=1e-4
        )
        np.testing.assert_allclose(
            record.truth["variance"][step], frames[2 + step].reshape(7, -1).var(1), rtol=1e-4
        )
        mse = ((state - frames[2 + step]) ** 2).reshape(7, -1).mean(1)
        np.testing.assert_allclose(record.data["mse"][step], mse, rtol=1e-3, atol=1e-12)
        state = np.einsum("ij,jxyz->ixyz", mix, state)


def test_every_model_starts_from_the_same_last_frames(window: Window) -> None:
    history = torch.from_numpy(toy.waves(0)[:3])
    for n in (1, 2, 3):
        surrogate = ModuleSurrogate(Linear(), MHD, n)
        source = Start(surrogate, window, history, Draw(), "fp32").source()
        assert torch.equal(source(0), history[-1])
    with pytest.raises(ValueError, match="conditions on 4 frames, the window has 3"):
        Start(ModuleSurrogate(Linear(), MHD, 4), window, history, Draw(), "fp32").source()


def test_divergence_is_recorded_and_ends_the_rollout(window: Window, engine_of: EngineOf) -> None:
    record = engine_of(linear(1e18)).record(job(window))
    assert (record.diverged_at, record.diverged_in) == (3, "rho")
    assert bool(np.isnan(record.pred["variance"][4:]).all())
    assert bool(np.isfinite(record.truth["variance"][:4]).all())


def test_draws_repeat_and_differ_and_are_shared_by_a_twin(window: Window, engine_of: EngineOf) -> None:
    made = engine_of(Noisy(Linear(), MHD, 1))
    first = made.record(job(window))
    again = engine_of(Noisy(Linear(), MHD, 1)).record(job(window))
    assert np.array_equal(first.pred["variance"], again.pred["variance"])
    other = made.record(job(window, rollout(draw=1)))
    assert not np.array_equal(first.pred["variance"], other.pred["variance"])
    delta = made.record(job(window, twin())).data["vrmse_joint"]
    assert 0 < float(delta[1]) < 1e-6  # the same noise in both precisions


def test_a_leak_is_found_and_a_clean_model_is_clean(window: Window, engine_of: EngineOf) -> None:
    class Leaky(Linear):
        def forward(self, history: Tensor) -> Tensor:
            return super().forward(history).float().to(history.dtype)

    clean = engine_of(linear()).record(job(window, audit()))
    assert int(clean.data["low_precision_calls"]) == 0 and int(clean.data["calls"]) > 0
    leaky = engine_of(ModuleSurrogate(Leaky(), MHD, 1))
    record = leaky.record(job(window, audit()))
    assert int(record.data["low_precision_calls"]) == 2  # down, and up again
    assert "_to_copy" in record.data.attrs["leaks"]


def test_the_audit_ignores_integers_and_counts_constants() -> None:
    with torch.no_grad(), PrecisionAudit() as seen:
        torch.arange(4)[torch.tensor([0, 1])].sum()
        torch.ones(3, dtype=torch.float64) * 2
    assert not seen.leaks
    with torch.no_grad(), PrecisionAudit() as seen:
        torch.linspace(0, 1, 4).double()
    assert sum(seen.leaks.values()) >= 1


def test_bf16_keeps_a_float32_state(window: Window) -> None:
    seen: list[torch.dtype] = []

    class Probe(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Conv3d(7, 7, 1)

        def forward(self, history: Tensor) -> Tensor:
            result = self.net(history[-1:])[0]
            seen.append(result.dtype)
            return result

    history = torch.from_numpy(toy.waves(0)[:3])
    rolled = Start(ModuleSurrogate(Probe(), MHD, 1), window, history, Draw(), "bf16").source()
    with torch.no_grad():
        assert rolled(1).dtype == torch.float32
    assert seen == [torch.bfloat16]


def test_switches_are_strict_inside_and_restored_outside() -> None:
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    before = numerics.flags()
    with pytest.raises(RuntimeError), numerics.strict():
        assert numerics.flags()["matmul_precision"] == "highest"
        assert numerics.flags()["cudnn_allow_tf32"] == "False"
        raise RuntimeError
    assert numerics.flags() == before
    torch.set_float32_matmul_precision("highest")


def test_keys_name_content_and_conditions_only(window: Window, engine_of: EngineOf) -> None:
    changed = engine_of(linear(2.0)).key(job(window))
    made = engine_of(linear())
    keys = {
        changed,
        made.key(job(window)),
        made.key(job(window, rollout(draw=1))),
        made.key(job(window, twin())),
        made.key(job(window, audit())),
        made.key(job(window, keep_fields=True)),
        made.key(bind(rollout(), SPEC, window, "bf16", True)),
        made.key(bind(rollout(), SPEC, Window(window.simulation, 0, 1, 3, 6), "fp32", True)),
        made.key(truth_job(window.simulation)),
    }
    assert len(keys) == 9
    renamed = bind(rollout(), ModelSpec("another name"), window, "fp32", True)
    assert made.key(renamed) == made.key(job(window))


def test_kept_fields_are_the_predicted_frames(window: Window, engine_of: EngineOf) -> None:
    import h5py

    made = engine_of(linear())
    record = made.record(job(window, keep_fields=True))
    with h5py.File(made.store.fields(record.key)) as file:
        frames = file["frames"][()]
    assert frames.shape == (7, 7, 8, 8, 8)
    np.testing.assert_allclose(frames.reshape(7, 7, -1).var(2), record.pred["variance"], rtol=1e-4)


def test_structure_is_measured_on_schedule_and_for_every_truth_frame(
    window: Window, engine_of: EngineOf
) -> None:
    assert structure_steps(50) == (1, 10, 50)
    assert structure_steps(97) == (1, 10, 97)
    assert structure_steps(1) == (1,)
    made = engine_of(linear())
    record = made.record(job(window))
    assert list(record.data["structure_step"]) == [1, 6]
    assert record.data["coherence"].dims == ("structure_step", "channel", "k_perp")
    assert "structure_step" in record.pred["patch_imprint"].dims
    truth = made.record(truth_job(window.simulation))
    assert list(truth.data["structure_step"]) == list(truth.data["step"])
    shared = {"structure_step": 6}
    frame = window.frame(6)
    np.testing.assert_allclose(
        record.truth["increment_kurtosis"].sel(shared),
        truth.truth["increment_kurtosis"].sel(structure_step=frame),
    )
    assert "structure_function" not in made.record(job(window, twin())).data


def test_a_diverged_rollout_has_no_structure_after_its_end(window: Window, engine_of: EngineOf) -> None:
    record = engine_of(linear(1e18)).record(job(window))
    kurtosis = record.pred["increment_kurtosis"].sel(quantity="velocity", lag=1)
    assert bool(np.isfinite(kurtosis.sel(structure_step=1)).all())
    assert bool(np.isnan(kurtosis.sel(structure_step=6)).all())


def test_a_record_knows_the_models_token_stride(window: Window, engine_of: EngineOf) -> None:
    plain, patched = linear(), linear()
    patched.token_stride = 4  # type: ignore[attr-defined]
    for surrogate, stride in ((plain, 0), (patched, 4)):
        made = engine_of(surrogate)
        assert made.record(job(window)).data.attrs["token_stride"] == stride
