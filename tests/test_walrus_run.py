"""`pytest --model walrus-pt` from a missing checkpoint to a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from harness.plugin import preflight
from harness.surrogates import forecast, registry
from harness.surrogates.forecast import Forecasting, spoken
from harness.surrogates.spec import ModelError
from harness.surrogates.walrus import grid, inference, places, source
from tests import toy
from tests import walrus_example as example
from tests.conftest import Toy


@pytest.fixture
def bench16(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """The miniature benchmark on the smallest grid that Walrus takes."""
    monkeypatch.setattr(toy, "CELLS", 16)
    monkeypatch.delenv(places.VARIABLE, raising=False)
    monkeypatch.setenv("HF_HOME", str(pytester.path / "hf"))
    return Toy(pytester, monkeypatch)


def test_missing_weights_and_data_end_the_run_before_it_starts(bench16: Toy) -> None:
    """One screen for both, and the data that is there is not complained about."""
    assert bench16.pytest("--model", "walrus-pt", "--protocol", "mhd64-early") == 4
    assert "walrus-pt cannot run yet" in bench16.output
    assert "harness fetch walrus-pt" in bench16.output
    assert str(bench16.folder / "cache/models/walrus-pt") in bench16.output
    assert "of MHD_64, split test" in bench16.output and "7.3 GB" in bench16.output
    assert "of toy" not in bench16.output
    assert not list((bench16.folder / "cache").rglob("*.nc"))


def test_missing_code_and_weights_are_named_together(
    bench16: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent() -> Path:
        raise example.WalrusError("not installed")

    monkeypatch.setattr(source, "folder", absent)
    with pytest.raises(ModelError, match=r"(?s)not installed.*harness fetch walrus-pt"):
        registry.resolve(["walrus-pt"])


def test_walrus_brings_its_protocol_along() -> None:
    assert registry.protocol_of(("fno-mini", "walrus-pt=x.pt+divfree")) == "mhd64-early"
    assert registry.protocol_of(("fno-mini,conv-mini",)) is None


@example.needs_source
def test_a_grid_that_walrus_cannot_take_ends_the_run_too(toy_bench: Toy) -> None:
    folder = example.write_checkpoint(toy_bench.folder / "tiny")
    assert toy_bench.pytest("--model", f"walrus-pt={folder}") == 4
    assert "Walrus cannot take 8 points along x (periodic)" in toy_bench.output
    assert "16, 64, 128, 256, 512 points work" in toy_bench.output


@pytest.mark.parametrize(
    ("n", "says"),
    [(192, "loses points on 192"), (384, "loses points on 384"), (32, "cannot take 32"),
     (48, "cannot take 48"), (8, "cannot take 8"), (1024, "cannot take 1024")],
)  # fmt: skip
def test_a_grid_that_does_not_work_is_refused_in_words(n: int, says: str) -> None:
    kernels, walls = [(8, 4)] * 3, ["periodic"] * 3
    words = rf"{says} points along y \(periodic\).*: 16, 64, 128, 256, 512 points work"
    with pytest.raises(example.WalrusError, match=words):
        grid.check((64, n, 16), walls, kernels, jitter=True)
    assert grid.check((64, 128, 16), walls, kernels, jitter=True) == (16, 16, 16)


@example.needs_source
def test_a_longer_history_than_the_windows_ends_the_run_too(bench16: Toy) -> None:
    """Fine-tuned on a data set of its own, a checkpoint takes six frames of it, not three."""
    tree = example.tree()
    tree["data"]["module_parameters"]["well_dataset_info"] = {"toy": {}}
    folder = example.write_checkpoint(bench16.folder / "tiny", tree)
    assert bench16.pytest("--model", f"walrus-pt={folder}") == 4
    assert (
        "conditions on 6 frames of toy, the windows have 3: --protocol well-t17=toy" in bench16.output
    )
    assert "n_history = 6" in bench16.output


@example.needs_source
def test_hours_are_spent_only_if_the_device_is_named(
    bench16: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "LIMIT", 1e-3)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    folder = example.write_checkpoint(bench16.folder / "tiny")
    arguments = ("--model", f"walrus-pt={folder}", "--steps", "2", "--trajectories", "1")
    assert bench16.pytest(*arguments, "--device", "auto") == 4
    assert "say --device cpu if you mean it" in bench16.output
    assert "one rollout of each of 1 windows (2 steps)" in bench16.output
    assert not list((bench16.folder / "cache").rglob("*.nc"))
    assert bench16.pytest(*arguments, "-k", "offset and not offsets") == 0, bench16.output
    assert "walrus-pt.tiny on cpu in fp32: about" in bench16.output
    (model,) = [m for m in bench16.run.models if m.name == "walrus-pt.tiny"]
    assert model.n_history == 3
    assert "walrus-pt.tiny keeps every judged property" in bench16.output


@example.needs_source
@pytest.mark.parametrize(
    ("options", "allowed"),
    [(("--precision", "fp32"), ("highest", False)),
     (("--precision", "tf32", "--draw", "none"), ("high", True))],
    ids=["fp32", "tf32-none"],
)  # fmt: skip
def test_switches_and_draws_inside_the_network_are_those_of_the_command_line(
    bench16: Toy,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    allowed: tuple[str, bool],
) -> None:
    """Whatever the caller had switched on: matrix products and convolutions, jitter and rolls."""
    seen = set()
    prepare = inference.prepare
    drawn = "none" not in options

    def watched(*arguments: Any, **named: Any) -> Any:
        ready = prepare(*arguments, **named)

        def look(_: object, inputs: Any) -> None:
            if not inputs[0].is_meta:  # a forecast computes nothing
                switches = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
                seen.add((*switches, ready.jitter_patches, ready.patch_jitterer.jitter_patches))

        ready.blocks[0].register_forward_pre_hook(look)
        return ready

    monkeypatch.setattr(inference, "prepare", watched)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", not allowed[1])
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        folder = example.write_checkpoint(bench16.folder / "tiny")
        run = (
            "--model",
            f"walrus-pt={folder}",
            "--steps",
            "2",
            "--trajectories",
            "1",
            "--device",
            "cpu",
        )
        assert bench16.pytest(*run, *options, "-k", "offset and not offsets") == 0, bench16.output
        assert torch.get_float32_matmul_precision() == "medium"
        assert torch.backends.cudnn.allow_tf32 is not allowed[1]
    finally:
        torch.set_float32_matmul_precision(before)
    assert seen == {(*allowed, drawn, drawn)}


def test_a_forecast_asks_once_for_each_kind_of_window() -> None:
    asked = []

    class Slow:
        def seconds_per_step(self, window: object, device: torch.device, precision: str) -> float:
            asked.append(window)
            return 2.0

    windows = [example.window(steps=5), example.window((64, 16, 16), steps=3), example.window(steps=4)]
    assert isinstance(Slow(), Forecasting)
    assert forecast.seconds(Slow(), windows, torch.device("cpu"), "fp32") == 24.0
    assert len(asked) == 2


def test_durations_in_words() -> None:
    words = [spoken(s) for s in (0.034, 4.2, 55, 150, 4000, 9000, 400000)]
    assert words == ["0.034 s", "4.2 s", "55 s", "2 min", "67 min", "2 h", "5 days"]
