"""Three checkpoints of fno-mini to try the gate on: one repairs, one regresses, one is damaged.

    python docs/examples/checkpoints.py FOLDER

All are made from the shipped weights, whose last linear map scales the predicted increment:
    repaired.safetensors   increments 0.5 % larger: the velocity spectrum of s0 stays within its limit
    regressed.safetensors  increments 1 % smaller: the same spectrum departs further
    damaged.safetensors    the first half of the file, as an interrupted upload leaves it
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from harness.surrogates.minis import load_mini, save_mini

FACTORS = {"repaired": 1.005, "regressed": 0.99}
LAST_MAP = "net.head.2."


def make(folder: Path) -> None:
    """Write the three files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, factor in FACTORS.items():
        mini = load_mini("fno-mini")
        with torch.no_grad():
            for parameter, value in mini.module.named_parameters():
                if parameter.startswith(LAST_MAP):
                    value *= factor
        save_mini(mini, folder / f"{name}.safetensors")
    whole = (folder / "repaired.safetensors").read_bytes()
    (folder / "damaged.safetensors").write_bytes(whole[: len(whole) // 2])


if __name__ == "__main__":
    make(Path(sys.argv[1]))
