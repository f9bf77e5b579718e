"""Walrus's two reversible normalisations beside Polymathic's own classes, on files as The Well's."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from the_well.data import WellDataset

from harness.fields import MHD
from harness.stepping import Draw
from harness.surrogates.walrus import Walrus, WalrusError, load
from harness.surrogates.walrus.normalisation import constant, read_statistics, samplewise
from harness.surrogates.walrus.surrogate import stepper
from harness.truth import well
from harness.truth.window import Simulation, Window
from tests import mhd64_files
from tests import walrus_example as example
from tests import walrus_notebook as notebook
from tests.test_walrus_equality import published, rolled

STATISTICS = {
    kind: {"density": 2.0 * s, "magnetic_field": [3.0 * s, 4.0 * s, 12.0 * s], "velocity": [s, s, s]}
    for kind, s in (("rms", 1.0), ("rms_delta", 0.1))
}


def write_statistics(file: Path, factor: float = 1.0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    scaled = {
        kind: {name: (factor * torch.tensor(v)).tolist() for name, v in values.items()}
        for kind, values in STATISTICS.items()
    }
    file.write_text(yaml.safe_dump(scaled))


def test_global_statistics_share_one_number_among_components(tmp_path: Path) -> None:
    file = tmp_path / "stats.yaml"
    write_statistics(file)
    found = read_statistics(file, MHD)
    b = 13 / 3**0.5
    assert found["rms"] == pytest.approx([2, b, b, b, 1, 1, 1])
    assert found["rms_delta"] == pytest.approx([0.2, b / 10, b / 10, b / 10, 0.1, 0.1, 0.1])
    scales, deltas = (torch.tensor(found[k]).double() for k in ("rms", "rms_delta"))
    r, _ = constant(scales, deltas, 3)(torch.zeros(3, 7, 4, 4, 4))
    assert (r.shape, r.dtype) == ((7, 1, 1, 1), torch.float32)
    for broken in ({"rms": {}}, {"rms": {"density": [1.0, 2.0]}}):
        file.write_text(yaml.safe_dump(broken))
        with pytest.raises(WalrusError, match=r"expected rms and rms_delta of .*stats\.yaml"):
            read_statistics(file, MHD)


@notebook.needs_notebook
@pytest.mark.parametrize("name", ["SamplewiseRevNormalization", "RMSSamplewiseRevNormalization"])
@pytest.mark.parametrize("epsilon", [1e-5, 0.5])
def test_scales_of_the_sample_are_theirs(name: str, epsilon: float) -> None:
    """In float64 too, up to their float32; a floor above some scales is kept by both."""
    history = example.history((16, 8, 8))
    history[:, 2] *= 1e-9  # a channel below any floor
    theirs = getattr(notebook.parts().strategies, name)().compute_stats(
        history[:, None], notebook.Metadata(), epsilon=epsilon
    )
    for dtype in (torch.float32, torch.float64):
        r, d = samplewise(history.to(dtype), floor=epsilon)
        torch.testing.assert_close(r.float(), theirs.sample_std[0, 0], rtol=3e-7, atol=0)
        torch.testing.assert_close(d.float(), theirs.delta_std[0, 0], rtol=3e-7, atol=0)
    assert not theirs.sample_mean.any() and not theirs.delta_mean.any()
    assert float(r[2]) == float(d[2]) == epsilon


def simulation_of(root: Path) -> Simulation:
    mhd64_files.build(root, 0.7, 0.5, n=16)
    (simulation,) = well.scan(root, "MHD_64", "test").simulations
    return simulation


def global_model(folder: Path, simulation: Simulation, name: str, statistics: str | None) -> Walrus:
    tree = example.tree(revin=name)
    if statistics is not None:
        info = tree["data"]["module_parameters"]["well_dataset_info"]["MHD_64"]
        info["normalization_path"] = statistics
    return load(example.write_checkpoint(folder, tree), [simulation])


@notebook.needs_notebook
@pytest.mark.parametrize(
    ("name", "statistics"),
    [("RMSGlobalRevNormalization", None), ("GlobalRevNormalization", "logged_stats.yaml")],
)
def test_a_globally_normalised_rollout_is_theirs(
    name: str, statistics: str | None, tmp_path: Path
) -> None:
    """Their class reads the file that The Well's own data set names; so does the adapter."""
    simulation = simulation_of(tmp_path)
    folder = tmp_path / "datasets/MHD_64"
    for file, factor in (("stats.yaml", 1.0), ("logged_stats.yaml", 1.7)):
        write_statistics(folder / file, factor)
    dataset = WellDataset(
        well_base_path=str(tmp_path / "datasets"), well_dataset_name="MHD_64", well_split_name="test",
        normalization_path=statistics,
    )  # fmt: skip
    sub: Any = SimpleNamespace(
        dataset_name=dataset.metadata.dataset_name,
        metadata=dataset.metadata,
        normalization_path=dataset.normalization_path,
    )
    strategy = getattr(notebook.parts().strategies, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves the file open
        revin = strategy(SimpleNamespace(sub_dsets=[sub]), torch.device("cpu"))
    model = global_model(tmp_path / "model", simulation, name, statistics)
    history = example.history((16, 16, 16)).float()
    scales = model._normalisation(simulation)
    stats = revin.compute_stats(history[:, None], notebook.Metadata())
    assert torch.equal(scales(history)[0], stats.sample_std[0, 0])
    assert torch.equal(scales(history)[1], stats.delta_std[0, 0])
    expected = published(model, Draw(3), history, 2, revin)
    window = Window(simulation, 0, 0, 3, 3)
    frames = rolled(model.begin(window, Draw(3)), history.contiguous(), 2, channels_last=False)
    assert (frames - expected).abs().max() <= 1e-6 * expected.abs().max()
    prepared, arguments = model._prepare(window, Draw(3))
    prepared.causal_in_time = True
    exact = rolled(stepper(prepared, arguments, scales, Draw(3)), history, 2, channels_last=True)
    assert torch.equal(exact, expected)
    by_the_sample = published(model, Draw(3), history, 2)
    assert (by_the_sample - expected).abs().max() > 1e-2 * expected.abs().max()


@example.needs_source
def test_statistics_belong_to_the_checkpoint_and_must_be_there(tmp_path: Path) -> None:
    simulation = simulation_of(tmp_path)
    name = "GlobalRevNormalization"
    with pytest.raises(WalrusError, match=r"normalised by the data set's own statistics.*stats\.yaml"):
        global_model(tmp_path / "model", simulation, name, None)
    with pytest.raises(WalrusError, match=r"datasets/MHD_64/logged\.yaml"):
        global_model(tmp_path / "model", simulation, name, "/mnt/elsewhere/MHD_64/logged.yaml")
    file = tmp_path / "datasets/MHD_64/stats.yaml"
    write_statistics(file)
    first = global_model(tmp_path / "model", simulation, name, None).fingerprint()
    write_statistics(file, 2.0)
    assert global_model(tmp_path / "model", simulation, name, None).fingerprint() != first
