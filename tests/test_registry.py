"""The grammar of `--model`, and what identifies a surrogate."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from harness.fields import MHD
from harness.stepping import Draw
from harness.surrogates import registry
from harness.surrogates.base import ModuleSurrogate
from harness.surrogates.reference import Stranger
from harness.surrogates.registry import resolve
from harness.surrogates.spec import ModelError, ModelSpec, parse
from harness.truth.window import Simulation, Window


def simulation(name: str = "s0", ma: float = 0.7) -> Simulation:
    return Simulation(
        dataset="toy", name=name, data_id=f"id-{name}", n_frames=10, layout=MHD, shape=(8, 8, 8),
        spacing=(1.0,) * 3, boundaries=("periodic",) * 3, dt=0.1, parameters=(("Ma", ma),),
        file=Path("/nowhere"), sample=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "label", "baseline"),
    [
        ("fno-mini", "fno-mini", "fno-mini"),
        ("fno-mini+divfree+restore", "fno-mini+divfree+restore", "fno-mini+divfree+restore"),
        ("fno-mini=./runs/step 9.safetensors", "fno-mini.step-9", None),
        ("my/net.py:Net", "net.Net", "net.Net"),
        ("../../etc/pass<wd>.py:Net", "pass-wd.Net", "pass-wd.Net"),
    ],
)
def test_label_and_baseline(text: str, label: str, baseline: str | None) -> None:
    spec = parse(text)
    assert (spec.label, spec.baseline) == (label, baseline)
    assert "/" not in spec.label and ".." not in spec.label


def test_comma_separated_repeated_and_expanded() -> None:
    assert [s.name for s in resolve(["oracle,solver", "stranger"])] == ["oracle", "solver", "stranger"]
    controls = resolve(["control:*"])
    assert len(controls) > 10
    assert all(s.name.startswith("control:") for s in controls)


def test_every_registered_name_has_a_line() -> None:
    assert all(text for text in registry.names().values())
    assert {"fno-mini", "conv-mini", "persistence", "oracle", "solver", "stranger"} <= set(
        registry.names()
    )


def test_unknown_names_suggest() -> None:
    with pytest.raises(ModelError, match="did you mean oracle"):
        resolve(["orcale"])


def test_fingerprint_is_of_content_not_of_objects() -> None:
    def make(seed: int) -> ModuleSurrogate:
        torch.manual_seed(seed)
        return ModuleSurrogate(nn.Conv3d(7, 7, 1), MHD, 1)

    assert make(0).fingerprint() == make(0).fingerprint()
    assert make(0).fingerprint() != make(1).fingerprint()
    moved = make(0).to(torch.device("cpu"), torch.float64)
    assert moved.module.weight.dtype == torch.float64
    assert make(0).module.weight.dtype == torch.float32


def test_a_cast_keeps_complex_weights_complex() -> None:
    class Spectral(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.complex(torch.ones(2), torch.full((2,), 1 / 3)))
            self.register_buffer("counter", torch.zeros(1, dtype=torch.int64))

    surrogate = ModuleSurrogate(Spectral(), MHD, 1)
    for dtype, expected in ((torch.float32, torch.complex64), (torch.float64, torch.complex128)):
        module = surrogate.to(torch.device("cpu"), dtype).module
        assert module.weight.dtype == expected
        assert torch.equal(module.weight.to(torch.complex64), surrogate.module.weight)
        assert module.counter.dtype == torch.int64
    assert surrogate.module.weight.dtype == torch.complex64


def test_draws_repeat_by_seed_and_step_only() -> None:
    def numbers(seed: int, step: int) -> list[float]:
        return torch.rand(3, generator=Draw(seed).torch(step)).tolist()

    assert numbers(1, 5) == numbers(1, 5)
    assert numbers(1, 5) != numbers(1, 6)
    assert numbers(1, 5) != numbers(2, 5)
    assert Draw(3).numpy(4).random() == Draw(3).numpy(4).random()
    with pytest.raises(ValueError, match="no randomness"):
        Draw(None).torch(1)


def test_strangers_come_from_simulations_with_equal_parameters() -> None:
    kin = [simulation(f"s{i}") for i in range(3)]
    stranger = Stranger(MHD, [*kin, simulation("odd", 2.0)], shift=2)
    window = Window(kin[1], 0, 0, 3, 5)
    assert stranger.simulation(window).name == "s0"
    with pytest.raises(ValueError, match="needs a second simulation"):
        Stranger(MHD, [simulation("odd", 2.0)]).simulation(Window(simulation("odd", 2.0), 0, 0, 3, 5))


MODULES = """
import torch
from torch import nn

class Net(nn.Module):
    n_history = 2

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, history):
        return self.gain * history.mean(0)

class Wide(nn.Module):
    def __init__(self, width):
        super().__init__()
"""


def test_any_torch_module_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(MODULES)
    (spec,) = resolve([f"{tmp_path / 'nets.py'}:Net"])
    plain = registry.load(spec, [simulation()])
    assert (plain.n_history, plain.fields) == (2, MHD)
    history = torch.randn(2, 7, 4, 4, 4)
    window = Window(simulation(), 0, 0, 3, 5)
    assert torch.equal(plain.begin(window, Draw())(history, 1), history.mean(0))
    torch.save({"model": {"gain": torch.full((1,), 2.0)}}, tmp_path / "good.pt")
    trained = registry.load(ModelSpec(spec.name, str(tmp_path / "good.pt")), [simulation()])
    assert torch.equal(trained.begin(window, Draw())(history, 1), 2 * history.mean(0))
    assert trained.fingerprint() != plain.fingerprint()
    torch.save({"weight": torch.ones(1)}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match=r"holds no Net .* missing gain; unexpected weight"):
        registry.load(ModelSpec(spec.name, str(tmp_path / "other.pt")), [simulation()])
    torch.save({"gain": 2.0}, tmp_path / "number.pt")
    with pytest.raises(ModelError, match=r"other shapes gain float instead of \(1,\)"):
        registry.load(ModelSpec(spec.name, str(tmp_path / "number.pt")), [simulation()])
    with pytest.raises(ModelError, match=r"without arguments: .*'width'"):
        registry.load(ModelSpec(spec.name.replace("Net", "Wide")), [simulation()])


TWO_CLASSES = """\
from torch import nn


class Still(nn.Module):
    n_history = {n}

    def forward(self, history):
        return history[-1]


class Double(Still):
    def forward(self, history):
        return 2 * history[-1]
"""


def test_two_classes_of_one_file_have_records_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "two.py"
    digests = set()
    for n in (1, 2):
        file.write_text(TWO_CLASSES.format(n=n))
        for name in ("Still", "Double"):
            loaded = registry.load(parse(f"{file}:{name}"), [simulation()])
            digests.add(registry.source_digest(loaded))
    assert len(digests) == 4
    file.write_text(TWO_CLASSES.format(n=0))
    with pytest.raises(ModelError, match="conditions on 0 frames"):
        registry.load(parse(f"{file}:Still"), [simulation()])


def test_spec_orders_and_hashes() -> None:
    assert sorted({ModelSpec("b"), ModelSpec("a"), ModelSpec("a")})[0].name == "a"
