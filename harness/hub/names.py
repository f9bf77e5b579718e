"""The names under which things lie on the hub and in the harness's own cache."""

from __future__ import annotations

from pathlib import Path

from harness import paths

OWNER = "polymathic-ai"
#: registered name -> family of The Well's benchmark models on the hub
WELL_MODELS = {
    "well-fno": "FNO",
    "well-tfno": "TFNO",
    "well-unet-classic": "UNetClassic",
    "well-unet-convnext": "UNetConvNext",
}


def models_folder() -> Path:
    """Where fetched weights lie, one folder a model."""
    return paths.cache() / "models"
