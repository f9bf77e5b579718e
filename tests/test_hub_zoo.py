"""The Well's benchmark models and data from the hub to a verdict, by the shell's commands only.

The hub is a server on loopback.  What it holds is made by the real classes' `save_pretrained`; the
cache in which the second way finds it is made by Hugging Face's own client.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from harness.cli import app
from harness.hub.names import WELL_MODELS
from tests import toy
from tests.conftest import Toy
from tests.hub_server import COMMIT, Hub, serve
from tests.test_zoo import built, statistics
from tests.well_files import write_well_file

DATA = "datasets/polymathic-ai/MHD_64"
#: neuraloperator 0.3.0 indexes by lists of slices
pytestmark = pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")


@pytest.fixture(autouse=True)
def _grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toy, "CELLS", 16)  # the classic U-Net halves it four times


@pytest.fixture
def hub(tmp_path: Path, _grid: None) -> Iterator[Hub]:
    """All four models for MHD_64, and one simulation of it with its statistics."""
    made = tmp_path / "made"
    write_well_file(
        made / "a.hdf5", toy.waves(0), dataset_name="MHD_64", parameters={"Ma": 0.7, "Ms": 0.5}
    )
    files = {
        DATA: {
            "data/test/MHD_Ma_0.7_Ms_0.5.hdf5": (made / "a.hdf5").read_bytes(),
            "stats.yaml": yaml.safe_dump(statistics()).encode(),
        }
    }
    for kind in WELL_MODELS.values():
        built(kind, n=16).save_pretrained(made / kind)
        files[f"models/polymathic-ai/{kind}-MHD_64"] = {
            name: (made / kind / name).read_bytes() for name in ("config.json", "model.safetensors")
        }
    with serve(Hub(files, small={"stats.yaml", "config.json"})) as running:
        yield running


def by_the_harness(hub: Hub) -> None:
    """`harness fetch`, as the messages of a run say."""
    for name in ("MHD_64", *(f"{model}=MHD_64" for model in WELL_MODELS)):
        done = CliRunner().invoke(app, ["fetch", name])
        assert done.exit_code == 0, done.output


def by_hugging_face(hub: Hub) -> None:
    """Hugging Face's client, which makes its own cache."""
    client = pytest.importorskip("huggingface_hub")
    for repository, files in hub.files.items():
        kind, _, name = repository.partition("/")
        for file in files:
            client.hf_hub_download(name, file, repo_type=kind[:-1], endpoint=hub.address)


@pytest.mark.parametrize("bring", [by_the_harness, by_hugging_face])
def test_the_zoo_from_the_hub_to_a_verdict(
    bring: object, hub: Hub, toy_bench: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = toy_bench.folder
    monkeypatch.setenv("HARNESS_CACHE", str(folder / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", hub.address)
    monkeypatch.setenv("HF_HUB_CACHE", str(folder / "hub"))
    if bring is by_hugging_face:
        import huggingface_hub.constants

        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder / "hub"))
    protocol = toy.PROTOCOL.replace("toy", "MHD_64").replace("n_history = 3", "n_history = 4")
    (folder / "toy.toml").write_text(protocol.replace("steps = 6", "steps = 2"))
    ask = ("--model", ",".join(WELL_MODELS), "--data", str(folder / "cache/data"))

    assert toy_bench.pytest(*ask) == 4
    assert "harness fetch MHD_64 --split test" in toy_bench.output
    bring(hub)  # type: ignore[operator]
    commits = list(folder.rglob(f"snapshots/{COMMIT}")) or [
        path for path in folder.rglob(".fetched.json") if COMMIT in path.read_text()
    ]
    assert len(commits) == 5  # the revision is on record
    hub.files.clear()  # from here on nothing is asked of the hub
    code = toy_bench.pytest(*ask, "--no-baselines", "-k", "offset and not offsets")
    assert code in (0, 1), toy_bench.output
    tests = [test for test in toy_bench.run.tests if test.model in WELL_MODELS]
    assert {test.model for test in tests} == set(WELL_MODELS)
    assert all(test.outcome in ("passed", "violated") for test in tests), toy_bench.output
    assert {m.n_history for m in toy_bench.run.models if m.name in WELL_MODELS} == {4}
