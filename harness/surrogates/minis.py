"""Two small learned surrogates of the embedded MHD truth, and their safetensors checkpoints.

Both predict the next frame as the last frame plus an increment,

    u(t+1) = u(t) + s_inc * net( (u(t) - mean) / s, (u(t) - u(t-1)) / s_inc, ... ),

where `mean`, `s` and `s_inc` are one number per channel, taken from the train split.  They hold no
constraint of any kind: no projection of B, no conserved mean, no bound.  Both are equivariant
under translations of the periodic box by whole cells; rotations and reflections are learned.

`fno-mini`  Fourier neural operator (Li et al., arXiv 2010.08895) on 3 frames, with residual layers
            and, for its size, spectral weights per channel; pointwise maps mix the channels.
`conv-mini` residual convolutional network on 1 frame: circular stencils per channel, and pointwise
            maps that mix the channels (depthwise separable, as in Chollet, arXiv 1610.02357).

`training/train_minis.py` makes the shipped weights.  A checkpoint carries its architecture as JSON
in the safetensors header; nothing in it is executed.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from harness.fields import MHD
from harness.surrogates.base import ModuleSurrogate

WEIGHTS = Path(__file__).parent / "weights"

#: name -> configuration: the architecture and the arguments of its class
MINIS: dict[str, dict[str, Any]] = {
    "fno-mini": {"architecture": "fno", "n_history": 3, "width": 24, "modes": 6, "layers": 4},
    "conv-mini": {
        "architecture": "conv",
        "n_history": 1,
        "width": 24,
        "hidden": 48,
        "dilations": [1, 1, 2, 1],
    },
}


class CheckpointError(ValueError):
    """Weights that cannot be used; the message names the file, what is expected and found."""


class Pointwise(nn.Module):
    """Linear map of the channels, the same in every cell: (n_in, *space) -> (n_out, *space)."""

    def __init__(self, n_in: int, n_out: int, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in) * (gain / math.sqrt(n_in)))
        self.bias = nn.Parameter(torch.zeros(n_out, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map the channels."""
        return torch.addmm(self.bias, self.weight, x.flatten(1)).view(-1, *x.shape[1:])


class SpectralConvolution(nn.Module):
    """A complex factor per channel and Fourier mode with |k_i| <= modes; other modes become zero.

    Transforms run axis by axis and drop the unused modes at once, which equals a full FFT.  The
    forward transform is the normalised one, so that a weight means the same on every grid.
    """

    def __init__(self, width: int, modes: int) -> None:
        super().__init__()
        self.modes = modes
        count = (2 * modes + 1) ** 2 * (modes + 1)
        # Real and imaginary part as one real tensor: a module's cast to float64 leaves complex
        # parameters out.
        self.weight = nn.Parameter(torch.randn(width, count, 2) / math.sqrt(2))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve; ValueError for a grid that does not resolve the modes."""
        if min(x.shape[1:]) <= 2 * self.modes:
            raise ValueError(
                f"a grid of {tuple(x.shape[1:])} cells does not resolve {self.modes} modes: "
                f"at least {2 * self.modes + 1} cells per axis are needed"
            )
        # torch.fft has no 16-bit floats; float32 and float64 stay as they are.
        work = torch.promote_types(x.dtype, torch.float32)
        weight = torch.view_as_complex(self.weight.to(work))
        z = torch.fft.rfft(x.to(work), dim=-1, norm="forward")[..., : self.modes + 1]
        for axis in (-2, -3):
            z = self._truncate(torch.fft.fft(z, dim=axis, norm="forward"), axis)
        z = (weight * z.flatten(1)).view(z.shape)
        for axis in (-3, -2):
            z = torch.fft.ifft(self._fill(z, axis, x.shape[axis]), dim=axis, norm="forward")
        return torch.fft.irfft(z, n=x.shape[-1], dim=-1, norm="forward").to(x.dtype)

    def _truncate(self, z: Tensor, axis: int) -> Tensor:
        low = z.narrow(axis, 0, self.modes + 1)
        return torch.cat([low, z.narrow(axis, z.shape[axis] - self.modes, self.modes)], axis)

    def _fill(self, z: Tensor, axis: int, cells: int) -> Tensor:
        positive = z.narrow(axis, 0, self.modes + 1)
        negative = z.narrow(axis, self.modes + 1, self.modes)
        shape = list(z.shape)
        shape[axis] = cells - z.shape[axis]
        return torch.cat([positive, z.new_zeros(shape), negative], axis)


class FourierLayer(nn.Module):
    """x + P2 silu( spectral(x) + P1 x ), with pointwise maps P1 and P2."""

    def __init__(self, width: int, modes: int, layers: int) -> None:
        super().__init__()
        self.spectral = SpectralConvolution(width, modes)
        self.bypass = Pointwise(width, width)
        self.mix = Pointwise(width, width, gain=1 / math.sqrt(layers))

    def forward(self, x: Tensor) -> Tensor:
        """One residual step; the shape stays."""
        return x + self.mix(F.silu(self.spectral(x) + self.bypass(x)))


class FourierOperator(nn.Module):
    """Fourier neural operator: pointwise lift, Fourier layers, pointwise projection."""

    def __init__(self, inputs: int, outputs: int, width: int, modes: int, layers: int) -> None:
        super().__init__()
        self.lift = Pointwise(inputs, width)
        self.layers = nn.Sequential(*(FourierLayer(width, modes, layers) for _ in range(layers)))
        self.head = nn.Sequential(
            Pointwise(width, 2 * width), nn.SiLU(), Pointwise(2 * width, outputs, gain=0.3)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(inputs, x, y, z) -> (outputs, x, y, z)."""
        return self.head(self.layers(self.lift(x)))


class Stencil(nn.Module):
    """Separable circular 3 x 3 x 3 stencil, one per channel: three taps along each axis.

    dilation: distance of the outer taps in cells.
    """

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        taps = torch.randn(3, 3, width, 1, 1, 1) * 0.5
        taps[:, 0] += 0.7
        self.taps = nn.Parameter(taps)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve along x, then y, then z."""
        for axis, (centre, left, right) in zip((-3, -2, -1), self.taps, strict=True):
            sides = torch.addcmul(x * centre, x.roll(self.dilation, axis), left)
            x = torch.addcmul(sides, x.roll(-self.dilation, axis), right)
        return x


class StencilLayer(nn.Module):
    """x + P2 silu( P1 stencil(x) ), with pointwise maps P1 to `hidden` channels and P2 back."""

    def __init__(self, width: int, hidden: int, dilation: int, layers: int) -> None:
        super().__init__()
        self.stencil = Stencil(width, dilation)
        self.expand = Pointwise(width, hidden)
        self.mix = Pointwise(hidden, width, gain=1 / math.sqrt(layers))

    def forward(self, x: Tensor) -> Tensor:
        """One residual step; the shape stays."""
        return x + self.mix(F.silu(self.expand(self.stencil(x))))


class ConvolutionalNetwork(nn.Module):
    """Full 3 x 3 x 3 convolution, residual stencil layers, pointwise projection; all circular."""

    def __init__(
        self, inputs: int, outputs: int, width: int, hidden: int, dilations: list[int]
    ) -> None:
        super().__init__()
        self.lift = nn.Conv3d(inputs, width, 3)
        self.layers = nn.Sequential(
            *(StencilLayer(width, hidden, dilation, len(dilations)) for dilation in dilations)
        )
        self.head = Pointwise(width, outputs, gain=0.3)

    def forward(self, x: Tensor) -> Tensor:
        """(inputs, x, y, z) -> (outputs, x, y, z)."""
        lifted = self.lift(F.pad(x, (1,) * 6, mode="circular"))
        return self.head(self.layers(lifted))


ARCHITECTURES: dict[str, type[nn.Module]] = {"fno": FourierOperator, "conv": ConvolutionalNetwork}


class IncrementModel(nn.Module):
    """A network between physical units: (n_history, C, x, y, z) -> (C, x, y, z).

    mean, scale: per channel, normalise a frame; increment_scale: the same for the difference of
    two successive frames.  All are buffers of shape (C, 1, 1, 1) and part of the checkpoint.
    Raises ValueError for a history of another number of frames, channels or axes.
    """

    mean: Tensor
    scale: Tensor
    increment_scale: Tensor

    def __init__(self, net: nn.Module, n_history: int, channels: int) -> None:
        super().__init__()
        self.net = net
        self.n_history = n_history
        self.channels = channels
        self.register_buffer("mean", torch.zeros(channels, 1, 1, 1))
        self.register_buffer("scale", torch.ones(channels, 1, 1, 1))
        self.register_buffer("increment_scale", torch.ones(channels, 1, 1, 1))

    def normalised_increment(self, history: Tensor) -> Tensor:
        """The predicted increment in units of `increment_scale`; what training compares."""
        if history.ndim != 5 or history.shape[:2] != (self.n_history, self.channels):
            raise ValueError(
                f"expected a history of shape ({self.n_history}, {self.channels}, x, y, z), "
                f"got {tuple(history.shape)}"
            )
        frame = (history[-1] - self.mean) / self.scale
        past = (history[1:] - history[:-1]) / self.increment_scale
        return self.net(torch.cat([frame, past.flatten(0, 1)]))

    def forward(self, history: Tensor) -> Tensor:
        """The next frame, in physical units."""
        return history[-1] + self.increment_scale * self.normalised_increment(history)


class Mini(ModuleSurrogate):
    """An `IncrementModel` of the embedded truth's seven channels."""

    module: IncrementModel


def build(config: Mapping[str, Any], seed: int = 0) -> Mini:
    """An untrained mini from its configuration; `seed` draws the weights, global state is kept.

    Raises ValueError for an unknown architecture or for arguments it does not take.
    """
    arguments = dict(config)
    architecture = arguments.pop("architecture", None)
    if architecture not in ARCHITECTURES:
        raise ValueError(f"unknown architecture {architecture!r}: one of {', '.join(ARCHITECTURES)}")
    n_history = arguments.pop("n_history", None)
    if not isinstance(n_history, int) or n_history < 1:
        raise ValueError(f"n_history must be a positive whole number, got {n_history!r}")
    arguments |= {"inputs": MHD.n_channels * n_history, "outputs": MHD.n_channels}
    try:
        inspect.signature(ARCHITECTURES[architecture]).bind(**arguments)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = ARCHITECTURES[architecture](**arguments)
    except (TypeError, RuntimeError) as error:
        raise ValueError(f"architecture {architecture!r}: {error}") from error
    return Mini(IncrementModel(net, n_history, MHD.n_channels), MHD, n_history, dict(config))


def save_mini(mini: Mini, path: Path) -> None:
    """Write weights and configuration as one safetensors file, atomically."""
    state = {key: value.contiguous() for key, value in mini.module.state_dict().items()}
    part = path.with_name(path.name + ".part")
    save_file(state, part, metadata={"format": "pt", "config": json.dumps(mini.config)})
    part.replace(path)


def load_mini(name: str, checkpoint: Path | None = None) -> Mini:
    """A learned surrogate from a checkpoint, or from the shipped weights (`checkpoint` None).

    name: one of `MINIS`; the checkpoint must be of its architecture and history, sizes are its own.
    Raises KeyError for another name, FileNotFoundError, and CheckpointError for a file that is not
    a complete safetensors file, declares another architecture, or lacks or exceeds its keys.
    """
    if name not in MINIS:
        raise KeyError(f"no learned surrogate {name!r}: one of {', '.join(MINIS)}")
    path = checkpoint or WEIGHTS / f"{name}.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"no weights of {name} at {path}")
    config, state = _read(path)
    for key in ("architecture", "n_history"):
        if config.get(key) != MINIS[name][key]:
            raise CheckpointError(
                f"{path} is no checkpoint of {name}: "
                f"expected {key} {MINIS[name][key]!r}, found {config.get(key)!r}"
            )
    try:
        mini = build(config)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    _check(path, mini.module.state_dict(), state)
    mini.module.load_state_dict(state)
    return mini


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} is not a complete safetensors file ({error}); "
            "other formats are not read, since a pickle can run code"
        ) from error
    if "config" not in metadata:
        raise CheckpointError(f"{path}: its header has no entry 'config' with the architecture")
    try:
        config = json.loads(metadata["config"])
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{path}: the header's 'config' is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path}: the header's 'config' is not a JSON object")
    return config, state


def _check(path: Path, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    faults = []
    if missing := sorted(expected.keys() - found.keys()):
        faults.append(f"missing keys: {', '.join(missing)}")
    if unexpected := sorted(found.keys() - expected.keys()):
        faults.append(f"unexpected keys: {', '.join(unexpected)}")
    faults += [
        f"{key} has shape {tuple(found[key].shape)}, expected {tuple(expected[key].shape)}"
        for key in sorted(expected.keys() & found.keys())
        if found[key].shape != expected[key].shape
    ]
    if faults:
        raise CheckpointError(f"{path} does not fit its architecture; {'; '.join(faults)}")
