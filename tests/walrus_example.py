"""A Walrus in miniature: the released configuration's shape with few channels, and drawn weights.

Everything is real but the size: it is built by Polymathic's code from a file like theirs.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from harness.fields import MHD, FieldLayout
from harness.surrogates.walrus import Walrus, WalrusError, config, source, weights
from harness.truth.window import Simulation, Window


def _missing() -> str:
    try:
        source.folder()
    except WalrusError as error:
        return str(error)
    return ""


#: for tests that run Polymathic's code
needs_source = pytest.mark.skipif(bool(_missing()), reason=_missing())

#: width, width of the embedding, blocks, groups, heads; the released model and its miniature
FULL: dict[str, int] = {"hidden": 1408, "inner": 352, "blocks": 40, "groups": 16, "heads": 16}
TINY: dict[str, int] = {"hidden": 32, "inner": 16, "blocks": 2, "groups": 2, "heads": 2}
#: index in the embedding of rho, B_x, B_y, B_z, v_x, v_y, v_z in the released model
MHD_LABELS = (28, 39, 40, 41, 4, 5, 6)
STRATEGY = "walrus.trainer.normalization_strat."


def tree(size: Mapping[str, int] = TINY, revin: str = "SamplewiseRevNormalization") -> dict[str, Any]:
    """A configuration with every key that the adapter reads."""
    part = {"_partial_": True}
    activation = {"_target_": "torch.nn.SiLU", **part}
    kernels = {
        "base_kernel_size3d": [[8, 4]] * 3,
        "base_kernel_size2d": [[8, 4]] * 2,
        "learned_pad": True,
    }
    models = "walrus.models."
    names = {
        28: "density", 39: "magnetic_field_x", 40: "magnetic_field_y", 41: "magnetic_field_z",
        3: "pressure", 4: "velocity_x", 5: "velocity_y", 6: "velocity_z", 66: "C_zz",
    }  # fmt: skip
    return {
        "trainer": {"revin": {"_target_": STRATEGY + revin, **part}, "prediction_type": "delta"},
        "model": {
            "_target_": f"{models}IsotropicModel",
            "encoder": {
                "_target_": f"{models}encoders.vstride_encoder.SpaceBagAdaptiveDVstrideEncoder",
                "kernel_scales_seq": [[2, 2], [4, 2], [4, 4], [8, 4]],
                "variable_downsample": True,
                "variable_deterministic_ds": True,
                "activation": activation,
                **kernels,
                **part,
            },
            "decoder": {
                "_target_": f"{models}decoders.vstride_decoder.AdaptiveDVstrideDecoder",
                "activation": activation,
                **kernels,
                **part,
            },
            "processor": {
                "_target_": f"{models}spatiotemporal_blocks.space_time_split.SpaceTimeSplitBlock",
                "space_mixing": {
                    "_target_": f"{models}spatial_blocks.full_attention.FullAttention",
                    "num_heads": size["heads"],
                    "mlp_dim": None,
                    **part,
                },
                "time_mixing": {
                    "_target_": f"{models}temporal_blocks.axial_time_attention.AxialTimeAttention",
                    "num_heads": size["heads"],
                    "bias_type": "rel",
                    **part,
                },
                "channel_mixing": {"_target_": "torch.nn.Identity", **part},
                **part,
            },
            "norm_layer": {"_target_": f"{models}shared_utils.normalization.RMSGroupNorm", **part},
            "hidden_dim": size["hidden"],
            "intermediate_dim": size["inner"],
            "processor_blocks": size["blocks"],
            "groups": size["groups"],
            "projection_dim": 48,
            "drop_path": 0.05,
            "max_d": 3,
            "causal_in_time": True,
            "include_d": [2, 3],
            "override_dimensionality": 0,
            "jitter_patches": True,
            "gradient_checkpointing_freq": 2,
            "use_periodic_fixed_jitter": True,
            "input_field_drop": 0.0,
        },
        "data": {
            "field_index_map_override": {name: index for index, name in names.items()},
            "module_parameters": {
                "n_steps_input": 6,
                "well_dataset_info": {
                    "MHD_64": {"step_downsample_factor": 0.5},
                    "supernova_explosion_128": {
                        "step_downsample_factor": 0.5,
                        "field_transforms": {"density": "torch.log10"},
                    },
                    "active_matter": {"include_filters": []},
                },
            },
        },
        "finetuning_mods": {},
    }


def write_config(folder: Path, content: Mapping[str, Any]) -> Path:
    file = folder / "extended_config.yaml"
    file.write_text(yaml.safe_dump(dict(content)))
    return file


def draw_state(configuration: config.Config, seed: int = 0) -> dict[str, Tensor]:
    """A state with weights of size fan_in^(-1/2): as initialised, the blocks would hardly matter."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}
    for name, shape in ((n, t.shape) for n, t in config.build(configuration).state_dict().items()):
        normal = torch.randn(shape, generator=generator)
        if "freqs" in name:  # a linear ladder of frequencies, times pi
            state[name] = torch.linspace(1.0, 128.0, shape[0]) * math.pi
        elif len(shape) > 1:
            state[name] = normal / math.prod(shape[1:]) ** 0.5
        elif name.endswith("weight") or name == "encoder_dummy":
            state[name] = torch.ones(shape)
        else:
            state[name] = 0.1 * normal
    return state


def write_checkpoint(folder: Path, content: Mapping[str, Any] | None = None, seed: int = 0) -> Path:
    """A folder like the released one: extended_config.yaml and walrus.pt."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration = config.read(write_config(folder, content or tree()))
    torch.save({"app": {"model": draw_state(configuration, seed)}}, folder / "walrus.pt")
    return folder


def drawn(size: Mapping[str, int], compiled: bool = False) -> Walrus:
    """Walrus of a size, with drawn weights."""
    with tempfile.TemporaryDirectory() as folder:
        configuration = config.read(write_config(Path(folder), tree(size)))
    module = config.build(configuration)
    weights.put(module, draw_state(configuration), configuration.file)
    return Walrus(module, configuration, compiled=compiled)


def tiny(folder: Path, n_history: int = 3, compiled: bool = False) -> Walrus:
    """The miniature with a history of 3 or 6 frames."""
    content = tree()
    content["data"]["module_parameters"]["n_steps_input"] = 2 * n_history
    configuration = config.read(write_config(folder, content))
    module = config.build(configuration)
    weights.put(module, draw_state(configuration), folder)
    return Walrus(module, configuration, compiled=compiled)


def simulation(
    shape: tuple[int, ...] = (16, 16, 16),
    dataset: str = "MHD_64",
    layout: FieldLayout = MHD,
    boundaries: tuple[str, ...] = ("periodic",) * 3,
) -> Simulation:
    return Simulation(
        dataset=dataset, name="s0", data_id="id", n_frames=20, layout=layout, shape=shape,
        spacing=(1.0,) * len(shape), boundaries=boundaries, dt=0.1, parameters=(),
        file=Path("/nowhere/datasets/MHD_64/data/test/a.hdf5"), sample=0,
    )  # fmt: skip


def window(shape: tuple[int, ...] = (16, 16, 16), n_history: int = 3, steps: int = 4) -> Window:
    return Window(simulation(shape), 0, 0, n_history, steps)


def history(shape: tuple[int, ...], frames: int = 3, seed: int = 1) -> Tensor:
    """Smooth periodic fields that drift from frame to frame, (frames, 7, *space), float64.

    In memory the channels lie last, as in The Well's files.
    """
    generator = torch.Generator().manual_seed(seed)
    axes = [2 * math.pi * torch.arange(n, dtype=torch.float64) / n for n in shape]
    grid = torch.meshgrid(*axes, indexing="ij")
    fields = torch.zeros(frames, *shape, 7, dtype=torch.float64)
    fields[..., 0] = 1.0
    fields[..., 1] = 1.0
    for _ in range(6):
        k = torch.randint(-2, 3, (3,), generator=generator).double()
        amplitude = torch.randn(7, generator=generator, dtype=torch.float64)
        phase, speed = torch.rand(2, generator=generator, dtype=torch.float64)
        for t in range(frames):
            wave = torch.cos(sum(k[i] * grid[i] for i in range(3)) + 6.0 * phase + 0.3 * speed * t)
            fields[t] += 0.1 * amplitude * wave[..., None]
    return fields.permute(0, 4, 1, 2, 3)
