"""Models of other people: The Well's benchmark models, exported programs, saved rollouts."""

from __future__ import annotations

import io
import json
import math
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn

from harness.fields import MHD
from harness.paths import ROOT
from harness.stepping import Draw
from harness.surrogates import exported, registry, saved, well_models
from harness.surrogates.base import TRAITS
from harness.surrogates.spec import ModelError, ModelSpec
from harness.surrogates.well_classes import CLASSES, INSTALL, model_class
from harness.truth.errors import TruthError
from harness.truth.well import Frames, scan
from harness.truth.window import Simulation, Window
from tests import toy
from tests.conftest import Toy
from tests.well_files import write_well_file

#: neuraloperator 0.3.0 indexes by lists of slices
pytestmark = pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")

CPU = torch.device("cpu")
SIZES: dict[str, dict[str, Any]] = {
    "FNO": {"modes1": 3, "modes2": 3, "modes3": 3, "hidden_channels": 6},
    "TFNO": {"modes1": 3, "modes2": 3, "modes3": 3, "hidden_channels": 6},
    "UNetClassic": {"init_features": 2},
    "UNetConvNext": {"init_features": 4, "stages": 2},
}
NAMES = {kind: name for name, kind in well_models.WELL_MODELS.items()}


def built(kind: str, frames: int = 4, n: int = 16, **more: Any) -> nn.Module:
    pytest.importorskip("huggingface_hub", reason="pip install huggingface_hub")
    if "FNO" in kind and not all(find_spec(name) for name in ("neuralop", "tensorly", "tltorch")):
        pytest.skip(f"get them with: {INSTALL}")
    torch.manual_seed(0)
    arguments = {"dim_in": 7 * frames, "dim_out": 7, "n_spatial_dims": 3,
                 "spatial_resolution": (n,) * 3, **SIZES[kind], **more}  # fmt: skip
    return model_class(kind)(**arguments).eval()


def statistics() -> dict[str, dict[str, Any]]:
    """stats.yaml as The Well's data sets have it, with means that matter."""
    vector = {"mean": [1.0, 0.1, -0.1], "std": [0.3, 0.2, 0.4]}
    return {
        key + delta: {
            "density": {"mean": 1.0, "std": 0.02}[key],
            "magnetic_field": vector[key],
            "velocity": vector[key],
        }
        for key in ("mean", "std")
        for delta in ("", "_delta")
    }


def data(folder: Path, n: int = 16) -> Simulation:
    """One simulation of 8 frames in The Well's layout, its statistics beside it."""
    rng = np.random.default_rng(0)
    frames = rng.normal(1.0, 0.2, (8, 7, n, n, n)).astype("f4")
    write_well_file(folder / "datasets/toy/data/test/a.hdf5", frames, dataset_name="toy")
    (folder / "datasets/toy/stats.yaml").write_text(yaml.safe_dump(statistics()))
    (simulation,) = scan(folder, "toy", "test").simulations
    return simulation


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


# ---- The Well's models ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CLASSES)
def test_a_saved_model_predicts_what_the_wells_own_code_does(kind: str, tmp_path: Path) -> None:
    from the_well.data import WellDataset
    from the_well.data.data_formatter import DefaultChannelsFirstFormatter
    from the_well.data.normalization import ZScoreNormalization

    simulation = data(tmp_path)
    network = built(kind)
    network.save_pretrained(tmp_path / "model")
    spec = ModelSpec(NAMES[kind], str(tmp_path / "model"))
    registry.fit(spec, [simulation])
    surrogate = registry.load(spec, [simulation])
    assert surrogate.n_history == 4
    with Frames(simulation) as frames:
        history = torch.stack([frames.read(i) for i in range(4)])
    stepper = surrogate.to(CPU, torch.float32).begin(Window(simulation, 0, 0, 4, 4), Draw())
    with torch.no_grad():
        ours = stepper(history, 1)

        # Their reader, normalisation, stacking, model and its inverse, as their trainer chains them.
        dataset = WellDataset(
            path=str(simulation.file.parent),
            normalization_path=str(simulation.file.parents[2] / "stats.yaml"),
            n_steps_input=4,
            n_steps_output=1,
            use_normalization=True,
            normalization_type=ZScoreNormalization,
        )
        batch = {name: value[None] for name, value in dataset[0].items() if name.endswith("fields")}
        formatter = DefaultChannelsFirstFormatter(dataset.metadata)
        (stacked,), _ = formatter.process_input(batch)
        raw = formatter.process_output_channel_last(network(stacked))
        theirs = dataset.norm.denormalize_flattened(raw, "variable")[0].movedim(-1, 0)
    assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-5 * float(theirs.std()))
    assert float((ours - history[-1]).abs().max()) > 1e-3


@pytest.mark.parametrize("kind", ["FNO", "UNetConvNext"])
def test_precision_and_identity(kind: str, tmp_path: Path) -> None:
    simulation = data(tmp_path, 8)
    built(kind, n=8).save_pretrained(tmp_path / "model")
    spec = ModelSpec(NAMES[kind], str(tmp_path / "model"))
    one, two = (registry.load(spec, [simulation]) for _ in "12")
    assert one.fingerprint() == two.fingerprint()
    window, history = Window(simulation, 0, 0, 4, 4), torch.randn(4, 7, 8, 8, 8)
    with torch.no_grad():
        single = one.to(CPU, torch.float32).begin(window, Draw())(history, 1)
        double = one.to(CPU, torch.float64).begin(window, Draw())(history.double(), 1)
    assert double.dtype == torch.float64
    assert torch.allclose(single.double(), double, atol=1e-4)
    stats = yaml.safe_load((tmp_path / "datasets/toy/stats.yaml").read_text())
    stats["std"]["density"] = 0.5
    (tmp_path / "model/stats.yaml").write_text(yaml.safe_dump(stats))  # beside the weights: wins
    assert registry.load(spec, [simulation]).fingerprint() != one.fingerprint()


def test_weights_are_found_where_fetch_puts_them(tmp_path: Path) -> None:
    simulation = data(tmp_path, 8)
    spec = ModelSpec("well-unet-convnext")
    with pytest.raises(ModelError, match=r"harness fetch well-unet-convnext=toy"):
        registry.fit(spec, [simulation])
    built("UNetConvNext", n=8).save_pretrained(tmp_path / "cache/models/UNetConvNext-toy")
    registry.fit(spec, [simulation])
    (tmp_path / "datasets/toy/stats.yaml").unlink()
    with pytest.raises(ModelError, match=r"no stats\.yaml.*\n.*harness fetch toy"):
        registry.fit(spec, [simulation])


def test_two_data_sets_take_two_runs(tmp_path: Path) -> None:
    """Weights and statistics are one data set's: the other's windows would be rolled by them."""
    one = data(tmp_path, 8)
    built("UNetConvNext", n=8).save_pretrained(tmp_path / "cache/models/UNetConvNext-toy")
    two = replace(one, dataset="other")
    spec = ModelSpec("well-unet-convnext")
    for ask in (registry.fit, registry.load):
        with pytest.raises(ModelError, match=r"this run has 2: other, toy\nmake one run for each"):
            ask(spec, [one, two])
    registry.fit(spec, [one, one])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"init_features": 8}, "other shapes"),
        ({"stages": 3}, "missing"),
        ({"stages": 1}, "unexpected"),
        ({"width": 1}, "does not fit UNetConvNext"),
        ({"dim_out": 6}, "expected T x 7 to 7"),
        ({"dim_in": 44, "dim_out": 11}, "models that predict tensor fields"),
        ({"dim_in": 30}, "or read constant fields, cannot be run"),
    ],
)
def test_another_architecture_is_named(change: dict[str, int], says: str, tmp_path: Path) -> None:
    simulation = data(tmp_path, 8)
    built("UNetConvNext", n=8).save_pretrained(tmp_path / "model")
    path = tmp_path / "model/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError, match=says):
        registry.load(ModelSpec("well-unet-convnext", str(tmp_path / "model")), [simulation])


def test_the_studys_fno_is_read_from_its_state_dict(tmp_path: Path) -> None:
    small = {"dim_in": 7, "dim_out": 7, "n_spatial_dims": 3, "spatial_resolution": (8, 8, 8),
             **SIZES["FNO"]}  # fmt: skip
    network = built("FNO", frames=1, n=8)
    torch.save({"model": network.state_dict(), "epoch": 3}, tmp_path / "best.pt")
    surrogate = well_models.study_fno(tmp_path / "best.pt", small)
    assert (surrogate.n_history, surrogate.fields) == (1, MHD)
    history = torch.randn(1, 7, 8, 8, 8)
    with torch.no_grad():
        assert torch.equal(surrogate.module(history), network(history)[0])  # raw fields
    with pytest.raises(ModelError, match="other shapes"):  # the study's own is larger
        well_models.study_fno(tmp_path / "best.pt")
    with pytest.raises(ModelError, match=r"not published.*baseline_01\.pt"):
        registry.resolve(["fno-scratch"])


def test_the_studys_three_fnos_are_judged_by_name(toy_bench: Toy) -> None:
    """At the study's size, with drawn weights."""
    built("FNO", n=8)  # skips without the class
    network = model_class("FNO")(**well_models.STUDY_CONFIG)
    torch.save({"model": network.state_dict()}, toy_bench.folder / "drawn.pt")
    names = ("fno-scratch", "fno-ft", "fno-pretrained")
    toy_bench.pytest(
        "--model", ",".join(f"{name}=drawn.pt" for name in names), "--no-baselines",
        suites=str(ROOT / "suites" / "test_errors.py"),
    )  # fmt: skip
    judged = {t.model: t.verdict for t in toy_bench.run.tests if t.model.startswith("fno-")}
    assert set(judged) == {f"{name}.drawn" for name in names}, toy_bench.output
    figures = {verdict.figure for verdict in judged.values() if verdict}
    assert len(figures) == 1 and 0 < figures.pop() < math.inf  # one network under three names


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (well_models.STUDY_CONFIG, 18_617_591),  # "18.62 M" in the study's p1/PROVENANCE.md
        # 4 bytes each are the 1.21 GB that the hub lists for FNO-MHD_64/model.safetensors
        (well_models.STUDY_CONFIG | {"dim_in": 28, "modes1": 16, "modes2": 16, "modes3": 16,
                                     "hidden_channels": 128}, 302_131_079),
    ],
    ids=["study", "FNO-MHD_64"],
)  # fmt: skip
def test_the_published_sizes_are_those_of_the_classes(config: dict[str, Any], parameters: int) -> None:
    built("FNO", n=8)  # skips without the class
    with torch.device("meta"):
        network = model_class("FNO")(**config)
    assert sum(p.numel() for p in network.parameters()) == parameters


class Evil:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return exec, ("raise SystemExit('code was run')",)


def test_a_pickle_with_code_is_refused(tmp_path: Path) -> None:
    built("FNO", frames=1, n=8)
    (tmp_path / "evil.pt").write_bytes(pickle.dumps({"model": Evil()}))
    with pytest.raises(ModelError, match="weights only"):
        well_models.study_fno(tmp_path / "evil.pt")
    torch.save({"model": [1, 2]}, tmp_path / "list.pt")
    with pytest.raises(ModelError, match=r"missing .* more; unexpected model"):
        well_models.study_fno(tmp_path / "list.pt")


# ---- exported programs ---------------------------------------------------------------------------


class Relaxing(nn.Module):
    """Toward the mean of the last two frames, by a convolution."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.mix = nn.Conv3d(7, 7, 3, padding=1, padding_mode="circular", bias=False)

    def forward(self, history: Tensor) -> Tensor:
        return history.mean(0) + 1e-3 * self.mix(history[-1:])[0]


def export(path: Path, module: nn.Module, shape: tuple[int, ...], **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.export.save(torch.export.export(module, (torch.randn(shape),), **more), path)
    return path


def rewritten(path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """A copy of an archive with its members changed."""
    target = path.with_name("changed.pt2")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for info in old.infolist():
            new.writestr(info.filename, change(info.filename, old.read(info)))
    return target


def test_an_exported_program_steps_like_its_module(tmp_path: Path) -> None:
    simulation = data(tmp_path, 8)
    module = Relaxing()
    path = export(tmp_path / "relaxing.pt2", module, (2, 7, 8, 8, 8))
    (spec,) = registry.resolve([f"exported:{path}"])
    assert spec.label == "exported.relaxing"
    surrogate = registry.load(spec, [simulation])
    assert surrogate.n_history == 2 and surrogate.traits == TRAITS - {"dtype"}
    history, window = torch.randn(2, 7, 8, 8, 8), Window(simulation, 0, 0, 3, 4)
    with torch.no_grad():
        step = surrogate.to(CPU, torch.float32).begin(window, Draw())
        assert torch.allclose(step(history, 1), module(history), atol=1e-6)
    with pytest.raises(ValueError, match=r"computes in torch\.float32 only"):
        surrogate.to(CPU, torch.float64)
    with pytest.raises(ValueError, match="the program takes"):
        surrogate.begin(Window(data(tmp_path / "big", 16), 0, 0, 3, 4), Draw())
    other = export(tmp_path / "wide.pt2", nn.Identity(), (2, 5, 8, 8, 8))
    with pytest.raises(ModelError, match="takes 5 channels, toy has 7"):
        registry.fit(ModelSpec(f"exported:{other}"), [simulation])


def _graph(find: bytes, put: bytes) -> Callable[[str, bytes], bytes]:
    def change(name: str, content: bytes) -> bytes:
        return content.replace(find, put) if name.endswith("models/model.json") else content

    return change


def _pickled_weights(name: str, content: bytes) -> bytes:
    return content.replace(b'"use_pickle": false', b'"use_pickle": true')


def _evil_inputs(name: str, content: bytes) -> bytes:
    if "sample_inputs" not in name:
        return content
    buffer = io.BytesIO()
    torch.save(Evil(), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_graph(b"torch.ops.aten.mean.dim", b"torch.hub.load"), "it calls 'torch.hub.load'"),
        (_graph(b"torch.ops.aten.mean.dim", b"torch.ops.load_library"), "it calls"),
        (_graph(b'"guards_code": []', b'"guards_code": ["exit()"]'), "expression to evaluate"),
        (_pickled_weights, "has pickled parts"),
        (_evil_inputs, "needs a pickle with code"),
    ],
)
def test_a_program_that_could_run_code_is_refused(
    change: Callable[[str, bytes], bytes], says: str, tmp_path: Path
) -> None:
    path = export(tmp_path / "good.pt2", Relaxing(), (2, 7, 8, 8, 8))
    registry.resolve([f"exported:{path}"])
    changed = rewritten(path, change)
    with pytest.raises(ModelError, match=says):
        registry.resolve([f"exported:{changed}"])
    with pytest.raises(ModelError, match=says):
        exported.load(ModelSpec(f"exported:{changed}"), [])


def _with(path: Path, member: str, content: bytes) -> Path:
    """The archive with one more member."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{archive.namelist()[0].partition('/')[0]}/{member}", content)
    return path


#: a tensor's entry in a table of constants, for an object that torch unpickles all the same
OPAQUE = {
    "config": {"evil": {
        "path_name": "opaque_obj_0", "is_param": False, "use_pickle": False,
        "tensor_meta": {"dtype": 1, "sizes": [], "requires_grad": False, "strides": [], "layout": 7,
                        "device": {"type": "cpu", "index": None}, "storage_offset": {"as_int": 0}},
    }}
}  # fmt: skip


def _opaque(name: str, content: bytes) -> bytes:
    return json.dumps(OPAQUE).encode() if name.endswith("constants_config.json") else content


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("member", "content"),
    [
        ("models/x_config.json", b'{"config": {}, "target": "torch.hub.load"}'),
        ("models/model.json", b"{}"),
        ("data/constants/opaque_obj_0", pickle.dumps(Evil())),
        ("data/constants/custom_obj_0", pickle.dumps(Evil())),
        ("data/weights/model.pt", pickle.dumps(Evil())),
        ("data/constants/MODEL_CONSTANTS_CONFIG.JSON", b""),
    ],
    ids=["graph-as-config", "two-graphs", "opaque", "custom", "legacy-weights", "other-case"],
)
def test_a_name_hides_no_graph_and_no_pickle(member: str, content: bytes, tmp_path: Path) -> None:
    good = export(tmp_path / "good.pt2", Relaxing(), (2, 7, 8, 8, 8))
    changed = _with(rewritten(good, _opaque) if "opaque" in member else good, member, content)
    with pytest.raises(ModelError, match=f"it has .*{member}"):
        exported.load(ModelSpec(f"exported:{changed}"), [])


def test_torch_reads_what_was_inspected(tmp_path: Path) -> None:
    """Two tables of contents in one file: zipfile takes the last, torch's reader the one pointed at."""
    simulation = data(tmp_path, 8)
    good = export(tmp_path / "good.pt2", Relaxing(), (2, 7, 8, 8, 8))

    def zeroed(name: str, content: bytes) -> bytes:
        return bytes(len(content)) if name.endswith("weight_0") else content

    first = rewritten(good, zeroed).read_bytes()
    second = rewritten(good, lambda name, content: content).read_bytes()
    end = 22  # bytes of the end record, which points at the table of the archive it is cut from
    both = tmp_path / "both.pt2"
    both.write_bytes(first[:-end] + second)
    torch_reads = torch.export.load(io.BytesIO(both.read_bytes())).state_dict["mix.weight"]
    assert not torch_reads.any()
    surrogate = registry.load(ModelSpec(f"exported:{both}"), [simulation])
    (weight,) = surrogate.module.parameters()
    assert torch.equal(weight, Relaxing().mix.weight)


def test_symbolic_shapes_and_what_is_no_program_are_refused(tmp_path: Path) -> None:
    dynamic = {"history": {2: torch.export.Dim("n", min=4, max=64)}}
    path = export(tmp_path / "any.pt2", Relaxing(), (2, 7, 8, 8, 8), dynamic_shapes=dynamic)
    with pytest.raises(ModelError, match="expression to evaluate"):
        registry.resolve([f"exported:{path}"])
    torch.save({"a": torch.ones(1)}, tmp_path / "weights.pt")
    (tmp_path / "text.pt2").write_text("no zip")
    for name, says in (("weights.pt", "refused"), ("text.pt2", "no exported program"),
                       ("gone.pt2", "no exported program at")):  # fmt: skip
        with pytest.raises(ModelError, match=says):
            registry.resolve([f"exported:{tmp_path / name}"])


# ---- saved rollouts ------------------------------------------------------------------------------


def save_rollout(folder: Path, name: str, frames: np.ndarray, first_step: int | None = None) -> Path:
    path = write_well_file(folder / f"{name}.hdf5", frames, dataset_name="anything")
    if first_step is not None:
        with h5py.File(path, "r+") as file:
            file.attrs["first_step"] = first_step
    return path


def test_saved_frames_come_back_step_by_step(tmp_path: Path) -> None:
    simulation = data(tmp_path, 8)
    frames = np.random.default_rng(1).normal(size=(5, 7, 8, 8, 8)).astype("f4")
    frames[3, 2, 0, 0, 0] = np.nan  # a result, not an error
    folder = tmp_path / "predicted"
    save_rollout(folder, "a-w0", frames)
    (spec,) = registry.resolve([f"saved:{folder}"])
    registry.fit(spec, [simulation])
    surrogate = registry.load(spec, [simulation])
    assert (spec.label, surrogate.traits) == ("saved.predicted", frozenset())
    step = surrogate.begin(Window(simulation, 0, 0, 3, 5), Draw())
    for number in range(1, 6):
        found = step(torch.empty(0), number).numpy()
        assert np.array_equal(found, frames[number - 1], equal_nan=True)
    before = surrogate.fingerprint()
    save_rollout(folder, "a-w0", frames, first_step=0)
    assert registry.load(spec, [simulation]).fingerprint() != before
    step = surrogate.begin(Window(simulation, 0, 0, 3, 4), Draw())
    assert np.array_equal(step(torch.empty(0), 4).numpy(), frames[4])


def test_what_is_wrong_with_a_saved_rollout_is_said(tmp_path: Path) -> None:
    simulation = data(tmp_path, 8)
    folder = tmp_path / "predicted"
    with pytest.raises(ModelError, match="no folder of saved rollouts"):
        registry.resolve([f"saved:{folder}"])
    zeros = np.zeros((3, 7, 8, 8, 8), "f4")
    save_rollout(folder, "b-w0", zeros)
    spec = ModelSpec(f"saved:{folder}")
    with pytest.raises(ModelError, match=r"expected names like a-w0\.hdf5; found b-w0"):
        registry.fit(spec, [simulation])
    save_rollout(folder, "a-w0", zeros)
    surrogate = saved.load(spec, [simulation])
    window = Window(simulation, 0, 0, 3, 4)
    with pytest.raises(
        TruthError, match=r"too few predicted frames.*expected 4, for steps 1-4, found 3"
    ):
        surrogate.begin(window, Draw())
    with pytest.raises(TruthError, match=r"no prediction for this window in .*a-w1\.hdf5"):
        surrogate.begin(Window(simulation, 1, 0, 3, 4), Draw())
    save_rollout(folder, "a-w0", np.zeros((4, 7, 4, 4, 4), "f4"))
    with pytest.raises(TruthError, match=r"expected one trajectory on \(8, 8, 8\) points"):
        surrogate.begin(window, Draw())
    save_rollout(folder, "a-w0", zeros, first_step=7)
    with pytest.raises(TruthError, match="first_step: expected 0 or 1, found 7"):
        surrogate.begin(window, Draw())


# ---- all of them, judged -------------------------------------------------------------------------


def test_a_run_judges_them_side_by_side(toy_bench: Toy) -> None:
    folder = toy_bench.folder
    protocol = toy.PROTOCOL.replace("n_history = 3", "n_history = 4").replace("steps = 6", "steps = 5")
    (folder / "toy.toml").write_text(protocol)
    (folder / "data/datasets/toy/stats.yaml").write_text(yaml.safe_dump(statistics()))
    built("FNO", n=8).save_pretrained(folder / "fno")
    built("UNetConvNext", n=8).save_pretrained(folder / "unet")
    export(folder / "relaxing.pt2", Relaxing(), (2, 7, 8, 8, 8))
    for i in range(2):  # the third simulation has no prediction: an error of that case only
        save_rollout(folder / "predicted", f"wave{i}-w0", toy.waves(i)[4:9])
    models = "well-fno=fno,well-unet-convnext=unet,exported:relaxing.pt2,saved:predicted"
    code = toy_bench.pytest("--model", models, "--no-baselines", "-p", "no:randomly")
    assert code == 1, toy_bench.output
    by_model: dict[str, set[str]] = {}
    for result in toy_bench.run.tests:
        if result.property == "offset":
            by_model.setdefault(result.model, set()).add(f"{result.simulation}:{result.outcome}")
    assert "wave0:passed" in by_model["saved.predicted"]  # the truth itself
    assert "wave2:error" in by_model["saved.predicted"]
    assert by_model["exported.relaxing"] == {f"wave{i}:passed" for i in range(3)}
    assert len(by_model["well-fno.fno"]) == len(by_model["well-unet-convnext.unet"]) == 3
    fingerprints = {model.name: model.fingerprint for model in toy_bench.run.models}
    assert len(set(fingerprints.values())) == 5
    (parameters,) = [m.parameters for m in toy_bench.run.models if m.name == "well-fno.fno"]
    assert parameters is not None and parameters > 1000
