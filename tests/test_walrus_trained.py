"""Checkpoints written by Polymathic's own trainer, in every layout."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from harness.stepping import Draw
from harness.surrogates.walrus import Walrus, WalrusError, config, load, places, weights
from tests import walrus_example as example
from tests import walrus_notebook as notebook

FINETUNED = {"learnable_rope": True, "rope_per_axis": True, "ape_shape": [16, 16, 16]}


def trained_model(configuration: config.Config) -> nn.Module:
    """The network as their training script has it: fine-tuning's options added, then trained."""
    module = config.build(configuration)
    state = example.draw_state(configuration)
    for path, part in module.named_modules():
        for name, tensor in (*part._parameters.items(), *part._buffers.items()):
            if tensor is None:
                continue
            key = f"{path}.{name}".lstrip(".")
            value = state[key] if key in state else torch.zeros_like(tensor, device="cpu")
            if isinstance(tensor, nn.Parameter):
                part._parameters[name] = nn.Parameter(value)
            else:
                part._buffers[name] = value
    return module


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, nn.Module]:
    """The folder of a fine-tuning run, its configuration written, and its network."""
    folder = tmp_path / "finetune/0"
    (folder / "checkpoints").mkdir(parents=True)
    tree = example.tree() | {"finetuning_mods": FINETUNED}
    configuration = config.read(example.write_config(folder, tree))
    return folder, trained_model(configuration)


def save(run: tuple[Path, nn.Module], whole: bool) -> Path:
    """Polymathic's checkpointer at the end of an epoch; the folder of the best epoch."""
    folder, module = run
    optimizer = torch.optim.AdamW(module.parameters())
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()  # so that it has a state, which is saved too
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no checkpoint to resume from, and torch's own deprecations
        pointer = notebook.parts().checkpoints.CheckPointer(folder / "checkpoints")
        pointer.save_if_necessary(module, optimizer, val_loss=0.5, epoch=1, force=True, local=whole)
    return folder / "checkpoints/best"


def frame(model: Walrus) -> torch.Tensor:
    with torch.no_grad():
        step = model.begin(example.window(), Draw(0))
        return step(example.history((16, 16, 16)).float(), 1)


def holds(model: Walrus, module: nn.Module) -> bool:
    """Whether every number that inference needs is the trained one."""
    theirs = module.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in model.module.state_dict().items())


@notebook.needs_notebook
def test_a_run_of_one_process(run: tuple[Path, nn.Module]) -> None:
    best = save(run, whole=True)
    assert (run[0] / "checkpoints/last").is_symlink()
    by_folder, by_file = load(best), load(run[0] / "checkpoints/last/full_checkpoint.pt")
    assert holds(by_folder, run[1])
    assert by_folder.fingerprint() == by_file.fingerprint()
    assert frame(by_folder).isfinite().all()
    with pytest.raises(WalrusError, match=rf"name one of its checkpoints: {best}, "):
        load(run[0])


@notebook.needs_notebook
def test_a_run_of_several_processes_is_joined_as_the_answer_says(run: tuple[Path, nn.Module]) -> None:
    """The command is taken from the message, and run."""
    best = save(run, whole=False)
    with pytest.raises(WalrusError) as caught:
        load(best)
    (command,) = [line for line in str(caught.value).splitlines() if "dcp_to_torch" in line]
    words = command.split()
    subprocess.run([sys.executable, *words[1:]], check=True, capture_output=True)
    assert holds(load(Path(words[-1])), run[1])


@notebook.needs_notebook
def test_the_layouts_are_one_model(run: tuple[Path, nn.Module]) -> None:
    """{"app": {"model"}}, {"model"} by Polymathic's AppState, the state itself, and safetensors."""
    folder, module = run
    state = module.state_dict()
    trees: dict[str, Any] = {
        "app": {"app": {"model": state, "optimizer": {}}},
        "model": notebook.parts().checkpoints.AppState(module).state_dict(),
        "flat": state,
    }
    assert trees["model"].keys() == {"model"}
    marks = set()
    for name, tree in trees.items():
        torch.save(tree, folder / f"{name}.pth")
        marks.add(load(folder / f"{name}.pth").fingerprint())
    save_file({k: v.clone() for k, v in state.items()}, folder / "flat.safetensors")
    marks.add(load(folder / "flat.safetensors").fingerprint())
    assert len(marks) == 1


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks Linux what is mapped")
@pytest.mark.parametrize("name", ["walrus.pt", "walrus.safetensors"])
def test_the_numbers_stay_on_disk(name: str, tmp_path: Path) -> None:
    """32 MB of weights cost no memory of the process before they are used."""
    state = {f"w{i}": torch.rand(2**20) for i in range(8)}
    file = tmp_path / name
    save_file(state, file) if name.endswith("safetensors") else torch.save(state, file)
    before = resident()
    found = weights.read(file)
    assert str(file) in Path("/proc/self/maps").read_text()
    assert resident() - before < 8
    assert torch.equal(found["w7"], state["w7"])


def resident() -> float:
    """Memory of this process that is not a file's, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1024


@example.needs_source
def test_a_loaded_model_is_the_mapped_file(tmp_path: Path) -> None:
    """Loading copies no weight: the parameters lie in the mapping."""
    folder = example.write_checkpoint(tmp_path)
    model = load(folder)
    mapped = [
        [int(end, 16) for end in line.split()[0].split("-")]
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith(str(folder / places.WEIGHTS[1]))
    ]
    for parameter in model.module.parameters():
        assert any(low <= parameter.data_ptr() < high for low, high in mapped)
