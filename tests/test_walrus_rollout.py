"""Walrus's rollout: draws that repeat, a float64 that is one, weights that fit, and what it costs."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from harness import numerics
from harness.audit import PrecisionAudit
from harness.fields import MHD, FieldLayout
from harness.stepping import Draw
from harness.surrogates.walrus import WalrusError, config, cost, draws, grid, weights
from harness.surrogates.walrus.surrogate import COMPILE, Walrus, load
from tests import walrus_example as example

CPU = torch.device("cpu")
JITTERED = (64, 16, 16)
SMALL = (16, 16, 16)

pytestmark = example.needs_source


def roll(model: Walrus, history: Tensor, draw: Draw, steps: range) -> Tensor:
    """The state after these steps, as the rollout loop makes it."""
    shape = tuple(history.shape[2:])
    step = model.to(CPU, history.dtype).begin(example.window(shape), draw)
    for number in steps:
        with torch.no_grad():
            history = torch.cat([history[1:], step(history, number)[None]])
    return history


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
def test_one_draw_is_one_rollout_also_after_a_restart(dtype: torch.dtype, tmp_path: Path) -> None:
    model = example.tiny(tmp_path)
    history = example.history(JITTERED).to(dtype)
    half = roll(model, history, Draw(5), range(1, 2))
    torch.rand(3), np.random.rand(3), random.random()  # whatever else draws in between
    resumed = roll(model, half, Draw(5), range(2, 3))
    assert torch.equal(resumed, roll(model, history, Draw(5), range(1, 3)))


def test_the_order_of_the_fields_does_not_matter(tmp_path: Path) -> None:
    """Another layout of the same fields gives the same frame, through the indices."""
    turned = FieldLayout(("velocity", "density", "magnetic_field"), (1, 0, 1))
    order = [MHD.channels.index(name) for name in turned.channels]
    model = example.tiny(tmp_path)
    history = example.history(SMALL).float()
    there = replace(example.window(SMALL), simulation=example.simulation(SMALL, layout=turned))
    with torch.no_grad():
        frame = model.begin(example.window(SMALL), Draw(0))(history, 1)
        other = model.begin(there, Draw(0))(history[:, order], 1)
        wrong = model.begin(there, Draw(0))(history, 1)
    assert (other - frame[order]).abs().max() <= 5e-6 * frame.abs().max()
    assert (wrong - frame).abs().max() > 1e-2 * frame.abs().max()


def test_precisions_see_the_same_draw_and_other_draws_differ_more_than_rounding(tmp_path: Path) -> None:
    model = example.tiny(tmp_path)
    history = example.history(JITTERED)
    double = roll(model, history, Draw(5), range(1, 2))[-1]
    single = roll(model, history.float(), Draw(5), range(1, 2))[-1].double()
    other = roll(model, history, Draw(6), range(1, 2))[-1]
    rounding, jitter = ((x - double).norm() / double.norm() for x in (single, other))
    print(f"of the state's norm: another draw {jitter:.1e}, float32 rounding {rounding:.1e}")
    assert rounding < 1e-6
    assert jitter > 1e3 * rounding


def test_a_step_leaves_the_global_generators_alone(tmp_path: Path) -> None:
    model = example.tiny(tmp_path)
    torch.manual_seed(1), np.random.seed(1)
    expected = torch.rand(1), np.random.rand(1)
    torch.manual_seed(1), np.random.seed(1)
    roll(model, example.history(SMALL).float(), Draw(0), range(1, 2))
    assert (torch.rand(1), np.random.rand(1)) == expected


def test_a_step_that_fails_leaves_them_alone_too(tmp_path: Path) -> None:
    model = example.tiny(tmp_path)
    step = model.begin(example.window(JITTERED), Draw(0))
    torch.manual_seed(1), np.random.seed(1)
    expected = torch.rand(1), np.random.rand(1)
    torch.manual_seed(1), np.random.seed(1)
    with pytest.raises(RuntimeError, match="channels"):
        step(example.history(JITTERED)[:, :5].float(), 1)
    assert (torch.rand(1), np.random.rand(1)) == expected


def test_without_a_draw_there_is_no_randomness(tmp_path: Path) -> None:
    """Jitter and rolls are off: nothing is drawn, and whatever the generators hold plays no part."""
    model = example.tiny(tmp_path)
    history = example.history(SMALL).float()
    frames = []
    for seed in (1, 2):
        torch.manual_seed(seed), np.random.seed(seed)
        frames.append(roll(model, history, Draw(None), range(1, 2)))
        drawn = torch.rand(1), np.random.rand(1)
        torch.manual_seed(seed), np.random.seed(seed)
        assert drawn == (torch.rand(1), np.random.rand(1))
    assert torch.equal(*frames)


def test_float64_is_float64(tmp_path: Path) -> None:
    """Not one operator below double precision; the model as loaded, cast alone, has some."""
    model = example.tiny(tmp_path).to(CPU, torch.float64)
    history = example.history(SMALL)
    step = model.begin(example.window(SMALL), Draw(0))
    with torch.no_grad(), PrecisionAudit() as seen:
        step(history, 1)
    assert not seen.leaks
    assert seen.calls > 300
    labels, codes = torch.tensor(example.MHD_LABELS), [[[2, 2]] * 3]
    from harness.surrogates.walrus.surrogate import Metadata

    with torch.no_grad(), PrecisionAudit() as plain, draws.numbers(Draw(0), 1):
        model.module(history[:, None], labels, codes, Metadata())
    assert plain.leaks


def test_positions_are_float64_in_float64(tmp_path: Path) -> None:
    """Angles at 16 tokens from -1 to 1, times the stored frequencies: to the last digits of float64."""
    model = example.tiny(tmp_path).to(CPU, torch.float64)
    prepared, _ = model._prepare(example.window(SMALL), Draw(0))
    angles = prepared.blocks[0].space_mixing.rotary_emb.angles
    freqs = model.module.blocks[0].space_mixing.rotary_emb.freqs.numpy()
    along_x = np.linspace(-1, 1, 16)[:, None] * np.repeat(freqs, 2)
    assert angles.dtype == torch.float64
    np.testing.assert_allclose(angles[:, 3, 5, : 2 * len(freqs)], along_x, rtol=1e-14, atol=1e-13)


def test_the_norms_epsilon_does_not_follow_the_precision(tmp_path: Path) -> None:
    """A near-dead channel tells: the source's own layer is another function in float64."""
    from harness.surrogates.walrus.inference import RmsNorm

    own = RmsNorm(torch.ones(2))
    theirs = example.tiny(tmp_path).module.blocks[0].space_mixing.norm1
    x = torch.full((1, 2, 2, 2, 2), 1e-4)
    assert torch.allclose(own(x).double(), own(x.double()), rtol=1e-6)
    assert torch.equal(type(theirs)(2, 2)(x), own(x))
    assert not torch.allclose(type(theirs)(2, 2)(x).double(), type(theirs)(2, 2)(x.double()), rtol=0.1)


def test_compiled_blocks_are_one_graph_and_equal(tmp_path: Path) -> None:
    from torch._dynamo.utils import counters

    history = example.history(SMALL).float()
    eager = roll(example.tiny(tmp_path), history, Draw(2), range(1, 2))
    counters.clear()
    compiled = roll(example.tiny(tmp_path, compiled=True), history, Draw(2), range(1, 2))
    assert (eager - compiled).abs().max() <= 1e-6 * eager.abs().max()
    assert counters["stats"]["unique_graphs"] == 1
    assert example.tiny(tmp_path).fingerprint() != example.tiny(tmp_path, compiled=True).fingerprint()


def test_the_variable_compiles_the_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = example.write_checkpoint(tmp_path / "released")
    eager = load(folder)
    monkeypatch.setenv(COMPILE, "1")
    assert load(folder).compiled and not eager.compiled


def test_autocast_keeps_a_float32_state_and_the_angles(tmp_path: Path) -> None:
    model = example.tiny(tmp_path)
    history = example.history(SMALL).float()
    exact = roll(model, history, Draw(0), range(1, 2))[-1]
    step = model.begin(example.window(SMALL), Draw(0))
    with torch.no_grad(), numerics.autocast("bf16", CPU):
        frame = step(history, 1)
    assert frame.dtype == torch.float32
    difference = (frame - exact).norm() / (exact - history[-1]).norm()
    assert 1e-5 < difference < 0.05  # bfloat16 holds 8 bits; angles in bfloat16 would be off by 0.1 rad


def test_moving_shares_what_is_there_already(tmp_path: Path) -> None:
    model = example.tiny(tmp_path)
    same, double = model.to(CPU, torch.float32), model.to(CPU, torch.float64)
    weight = model.module.blocks[0].time_mixing.input_head.weight
    assert same.module.blocks[0].time_mixing.input_head.weight is weight
    assert double.module.blocks[0].time_mixing.input_head.weight.dtype == torch.float64
    assert weight.dtype == torch.float32
    ready = model._prepare(example.window(SMALL), Draw(0))[0]
    assert ready.blocks[0].time_mixing.input_head.weight is weight
    assert model.module.blocks[0].space_mixing.rotary_emb.freqs.dtype == torch.float32


def by_hand(size: dict[str, int], n: int, frames: int) -> float:
    """Operations of all blocks, from the shapes of their matrix products (a multiply-add counts 2).

    Time: d -> 3d and d -> d.  Space: d -> 4d + 3d, 2d -> d and d -> d.  Attention: two products of
    the tokens of a frame with each other, and of the frames at a token.
    """
    d, tokens = size["hidden"], n**3
    linear = 2 * frames * tokens * d * d * (3 + 1 + 7 + 2 + 1)
    attention = 4 * frames * tokens * d * (tokens + frames)
    return float(size["blocks"] * (linear + attention))


def test_the_released_size_and_cost(tmp_path: Path) -> None:
    """Operations of the published configuration from shapes alone, counted in three ways.

    The source's own module with all its blocks and its checkpointing; the adapter's, which decodes
    the last frame only; and the blocks by hand, which leaves the four convolutions.
    """
    from harness.surrogates.walrus.surrogate import Metadata

    full = config.read(example.write_config(tmp_path, example.tree(example.FULL)))
    module = config.build(full)
    model = Walrus(module, full)
    window = example.window((64, 64, 64))
    frames = torch.empty(3, 1, 7, 64, 64, 64, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(frames, torch.tensor(example.MHD_LABELS), [[[2, 2]] * 3], Metadata())
    published = counter.get_total_flops()
    assert published == pytest.approx(41.43e12, rel=1e-4)
    assert by_hand(example.FULL, 16, 3) == pytest.approx(38.63e12, rel=1e-3)
    assert 0.93 < by_hand(example.FULL, 16, 3) / published < 0.94
    prepared, arguments = model._prepare(window, Draw(0))
    prepared.causal_in_time = True  # every frame decoded, as the published loop does
    with torch.no_grad():
        assert cost.flops(prepared, (frames, *arguments)) == published
    assert model.flops_per_step(window) == pytest.approx(40.37e12, rel=1e-3)


def test_counted_operations_are_those_of_all_blocks(tmp_path: Path) -> None:
    content = example.tree(example.TINY | {"blocks": 5})
    configuration = config.read(example.write_config(tmp_path, content))
    model = Walrus(config.build(configuration), configuration)
    prepared, arguments = model._prepare(example.window(SMALL), Draw(0))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        prepared(torch.empty(3, 1, 7, *SMALL, device="meta"), *arguments)
    assert model.flops_per_step(example.window(SMALL)) == counter.get_total_flops()


@pytest.mark.parametrize("boundary", ["periodic", "wall"])
@pytest.mark.parametrize("jitter", [True, False])
def test_the_grids_that_work_are_those_that_come_back_whole(
    boundary: str, jitter: bool, tmp_path: Path
) -> None:
    """Every multiple of 16 up to 512 along one axis, asked of the model's own code (shapes only)."""
    model = example.tiny(tmp_path).to(torch.device("meta"), torch.float32)
    module = model.module
    module.jitter_patches = module.patch_jitterer.jitter_patches = jitter
    code = grid.BOUNDARIES[boundary]
    from harness.surrogates.walrus.surrogate import Metadata

    for n in range(16, 513, 16):
        shape, boundaries = (n, 16, 16), (boundary, "periodic", "periodic")
        x = torch.empty(2, 1, 7, *shape, device="meta")
        codes = [[[code, code], [2, 2], [2, 2]]]
        try:
            with torch.no_grad():
                whole = module(x, torch.tensor(example.MHD_LABELS), codes, Metadata()).shape == x.shape
        except KeyError:
            whole = False
        try:
            grid.check(shape, boundaries, model.walrus.kernels, jitter)
            accepted = True
        except WalrusError:
            accepted = False
        assert accepted == whole, (n, boundary)


def test_prepared_for_the_token_grid_that_the_model_makes(tmp_path: Path) -> None:
    """Angles are made for the token grid; a walled axis has one token more while it jitters."""
    model = example.tiny(tmp_path).to(torch.device("meta"), torch.float32)
    walled = example.simulation((64, 16, 16), boundaries=("wall", "open", "periodic"))
    from harness.truth.window import Window

    for draw in (Draw(0), Draw(None)):
        prepared, arguments = model._prepare(Window(walled, 0, 0, 3, 1), draw)
        with torch.no_grad():
            y = prepared(torch.empty(3, 1, 7, 64, 16, 16, device="meta"), *arguments)
        assert y.shape == (1, 1, 7, 64, 16, 16)


def test_what_is_not_used_is_dropped_and_what_is_missing_named(tmp_path: Path) -> None:
    model = example.tiny(tmp_path)
    assert list(model.module.embed) == list(model.module.debed) == ["3"]
    assert not any(t.is_meta for t in (*model.module.parameters(), *model.module.buffers()))
    assert not any(p.requires_grad for p in model.module.parameters())
    with pytest.raises(WalrusError, match="missing encoder_dummy"):
        state = example.draw_state(model.walrus)
        del state["encoder_dummy"]
        weights.put(config.build(model.walrus), state, tmp_path)
