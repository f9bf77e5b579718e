"""What Polymathic's code makes of a network that anyone can compute: `python -m tests.walrus_recorded`.

The notebook's rollout, with Polymathic's normalisers and formatter, is run around a network of a few
lines that draws as Walrus does.  Digests and norms of its frames are written to a file, so that the
adapter's arithmetic (normalisation, field indices, draws) is checked where that code is absent.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from harness.stepping import Draw
from harness.surrogates.walrus import source

RECORD = Path(__file__).with_name("walrus_recorded.json")
SHAPE, STEPS, DRAW = (6, 5, 4), 4, Draw(11)
#: of a data set, for a model that is normalised by them
STATISTICS = {
    "rms": {"density": 2.1, "magnetic_field": [3.1, 4.3, 12.7], "velocity": [1.1, 0.9, 1.3]},
    "rms_delta": {"density": 0.21, "magnetic_field": [0.3, 0.4, 0.7], "velocity": [0.1, 0.2, 0.3]},
}


def history(frames: int) -> Tensor:
    """Whole numbers over 64: exact in float32, hence the same on every machine.  Channels lie last."""
    generator = torch.Generator().manual_seed(7)
    numbers = torch.randint(-640, 640, (frames, *SHAPE, 7), generator=generator)
    scale = torch.tensor([1.0, 2.0, 4.0, 0.5, 1.0, 8.0, 0.25])
    return (numbers / 64 * scale).permute(0, 4, 1, 2, 3)


def network(x: Tensor, labels: Tensor, boundaries: Any, metadata: Any) -> Tensor:
    """Rolls by numbers from both global generators, and depends on everything it is given."""
    shifts = [int(torch.randint(-2, 3, ())) + int(np.random.randint(0, 4)) for _ in range(3)]
    rolled = torch.roll(x, shifts, dims=(3, 4, 5))
    codes = sum(int(side) for axis in boundaries[0] for side in axis)
    weights = 1 + labels.view(1, 1, -1, 1, 1, 1) / 64 + codes / 128 + metadata.n_spatial_dims / 256
    return rolled * weights - x / 2


def environment() -> dict[str, str]:
    """What must agree for the same bits."""
    return {"torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}


def digest(frame: Tensor) -> str:
    return hashlib.sha256(frame.contiguous().numpy().tobytes()).hexdigest()


def described(frames: Tensor) -> list[dict[str, Any]]:
    """Digest, rms per channel and a few cells of every frame."""
    return [
        {
            "sha256": digest(frame),
            "rms": [float(c) for c in frame.double().square().mean((1, 2, 3)).sqrt()],
            "cells": [float(c) for c in frame[:, 1, 2, 3].double()],
        }
        for frame in frames
    ]


def global_normaliser() -> Any:
    """Polymathic's own class, with the statistics above for the data set of the notebook's path."""
    from tests.walrus_notebook import parts

    components = [f"{name}_{axis}" for name in ("magnetic_field", "velocity") for axis in "xyz"]
    metadata = SimpleNamespace(
        n_spatial_dims=3, field_names={0: ["density"], 1: components}, constant_field_names={}
    )
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(yaml.safe_dump(STATISTICS))
        file.flush()
        data = SimpleNamespace(dataset_name="MHD_64", metadata=metadata, normalization_path=file.name)
        return parts().strategies.GlobalRevNormalization(
            SimpleNamespace(sub_dsets=[data]), torch.device("cpu")
        )


def main() -> None:
    from tests.walrus_notebook import NOTEBOOK, rollout

    notebook = source.folder().parent / NOTEBOOK
    rollouts = [
        {
            "n_history": frames,
            "normalisation": normalisation,
            "input_sha256": digest(history(frames)),
            "frames": described(
                rollout(
                    network, DRAW, history(frames), STEPS,
                    global_normaliser() if normalisation == "global" else None,
                )
            ),
        }
        for frames, normalisation in ((3, "samplewise"), (6, "samplewise"), (3, "global"))
    ]  # fmt: skip
    record = {
        "how": "tests/walrus_recorded.py: the cell rollout_model of the notebook, with Polymathic's "
        "SamplewiseRevNormalization or GlobalRevNormalization and ChannelsFirstWithTimeFormatter, "
        "around `network`",
        "source": f"github.com/PolymathicAI/walrus@{source.COMMIT}",
        "notebook_sha256": hashlib.sha256(notebook.read_bytes()).hexdigest(),
        "environment": environment(),
        "rollouts": rollouts,
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
