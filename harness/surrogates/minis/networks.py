"""The networks inside the learned surrogates: (inputs, x, y, z) -> (outputs, x, y, z), periodic."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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
