"""Exact alterations of one frame, each of which breaks one physical statement and keeps the rest.

Every function takes float64 fields on a periodic box of cubic cells and returns new ones.  Fourier
coefficients are those of f(x) = sum_k f_k exp(i k.x); B_k is solenoidal where k.B_k = 0.  A
Nyquist wavenumber has no derivative: it counts as k_i = 0.

The mean field lies along the first axis, x, as in MHD_64 and in the embedded truth: k_perp is
(k_y, k_z), and shell s holds the modes with floor(k_perp + 1/2) = s, in mode numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

SPACE = (-3, -2, -1)


def forward(field: Tensor) -> Tensor:
    """Fourier coefficients (..., x, y, z // 2 + 1) of a real field (..., x, y, z)."""
    return torch.fft.rfftn(field, dim=SPACE, norm="forward")


def inverse(modes: Tensor, space: Sequence[int]) -> Tensor:
    """The real field (..., *space) of Fourier coefficients."""
    return torch.fft.irfftn(modes, s=tuple(space), dim=SPACE, norm="forward")


def wavevectors(space: Sequence[int], *, nyquist: bool, device: torch.device) -> Tensor:
    """Wave vectors (3, x, y, z // 2 + 1) in mode numbers of the shortest side.

    nyquist: False where the vectors are derivatives, which a Nyquist wavenumber does not have.
    """
    shortest = min(space)
    axes = []
    for axis, cells in enumerate(space):
        frequency = torch.fft.rfftfreq if axis == len(space) - 1 else torch.fft.fftfreq
        k = frequency(cells, 1 / shortest, dtype=torch.float64, device=device)
        if not nyquist and cells % 2 == 0:
            k = torch.where(k.abs() == shortest / 2, 0.0, k)
        axes.append(k)
    return torch.stack(torch.meshgrid(axes, indexing="ij"))


def perpendicular_shells(space: Sequence[int], device: torch.device) -> Tensor:
    """Shell number of every mode, (x, y, z // 2 + 1) int64."""
    k = wavevectors(space, nyquist=True, device=device)
    return (torch.hypot(k[1], k[2]) + 0.5).floor().long()


def amplify(field: Tensor, factor: float) -> Tensor:
    """Fluctuations times `factor`: f -> <f> + factor (f - <f>).

    Keeps means, the shape of spectra, isotropy and, B being linear in it, the spectral div B.
    """
    mean = field.mean(SPACE, keepdim=True)
    return mean + factor * (field - mean)


def amplify_component(field: Tensor, axis: int, gain: float) -> Tensor:
    """One perpendicular component's energy times `gain` in every shell, without any divergence.

    A component B_i may be changed alone where k_i = 0, since there it does not enter k.B.  In
    shell s the modes of that plane are multiplied by g_s,

        g_s^2 = 1 + (gain - 1) E_s / E_s(k_i = 0),

    so that E_s -> gain E_s.  Kept: the other components, k.B and every discrete div B exactly,
    the shape of the component's shell spectrum exactly up to the Nyquist shell (the corner shells
    beyond it hold no such mode, and stay).

    field: (3, x, y, z); axis: 1 or 2.
    """
    space = field.shape[1:]
    modes = forward(field[axis])
    shells = perpendicular_shells(space, field.device)
    k = wavevectors(space, nyquist=True, device=field.device)
    plane = k[axis] == 0
    plane[0, 0, 0] = False
    energy = modes.abs().square() * conjugates(space, field.device)
    energy[0, 0, 0] = 0.0
    everything = shell_sums(energy, shells)
    flexible = shell_sums(energy * plane, shells)
    # Where the plane holds nothing but rounding errors, these carry the shell's growth.
    ratio = torch.where(flexible > 0, everything / flexible, 0.0)
    factor = (1 + (gain - 1) * ratio).sqrt()[shells]
    result = field.clone()
    result[axis] = inverse(torch.where(plane, factor * modes, modes), space)
    return result


def align(velocity: Tensor, magnetic: Tensor, sign: float) -> Tensor:
    """Velocity along the magnetic fluctuation, each component with its own shell spectrum.

        v_i,k -> sign x sqrt(E_s(v_i) / E_s(b_i)) b_i,k,    k in shell s,

    E_s the energy of a component in a shell.  Kept: mean, variance and shell spectrum of every
    component; a shell without magnetic energy stays as it is.  The cross helicity becomes

        sigma_c = sign x 2 sum_i,s sqrt(E_s(v_i) E_s(b_i)) / sum_i,s (E_s(v_i) + E_s(b_i)),

    the largest that these spectra allow.

    velocity, magnetic: (3, x, y, z); sign: 1 or -1.
    """
    space = velocity.shape[1:]
    shells = perpendicular_shells(space, velocity.device)
    weight = conjugates(space, velocity.device)
    aligned = []
    for v, b in zip(forward(velocity), forward(magnetic), strict=True):
        mean = v[0, 0, 0].clone()
        v[0, 0, 0] = b[0, 0, 0] = 0.0
        of_v, of_b = (shell_sums(f.abs().square() * weight, shells) for f in (v, b))
        scale = torch.where(of_b > 0, of_v / of_b, 0.0).sqrt()[shells]
        result = torch.where((of_b > 0)[shells], sign * scale * b, v)
        result[0, 0, 0] = mean
        aligned.append(result)
    return inverse(torch.stack(aligned), space)


def conjugates(space: Sequence[int], device: torch.device) -> Tensor:
    """How many modes of the full lattice a kept mode stands for, (z // 2 + 1): 1 or 2."""
    weight = torch.full((space[-1] // 2 + 1,), 2.0, dtype=torch.float64, device=device)
    weight[0] = 1.0
    if space[-1] % 2 == 0:
        weight[-1] = 1.0
    return weight


def shell_sums(values: Tensor, shells: Tensor) -> Tensor:
    """Sum of `values` over the modes of each shell."""
    sums = values.new_zeros(int(shells.max()) + 1)
    return sums.index_add_(0, shells.flatten(), values.flatten())


def add_monopoles(field: Tensor, share: float) -> Tensor:
    """Turns a share of the power of every mode of B into a gradient.

        B_k -> sqrt(1 - share) B_k + sqrt(share) i k/|k| |B_k| e^{i phi_k},

    phi_k the phase of a fixed generic projection of B_k, which makes the result real.  For a
    solenoidal B the two parts are orthogonal: |B_k|^2 and with it power and every spectrum of
    |B|^2 are kept exactly, and D = sqrt(share) exactly.  The mean and the Nyquist planes stay.
    """
    space = field.shape[1:]
    modes = forward(field)
    k = wavevectors(space, nyquist=False, device=field.device)
    on_nyquist = wavevectors(space, nyquist=True, device=field.device).ne(k).any(0)
    length = k.square().sum(0).sqrt()
    # An irrational direction is parallel to no wave vector: no solenoidal B_k is normal to it.
    direction = torch.tensor([1.0, math.sqrt(2), math.sqrt(3)], dtype=k.dtype, device=k.device)
    phase = torch.einsum("i,i...->...", direction.to(modes.dtype), modes).sgn()
    along = k / torch.where(length == 0, 1.0, length)
    gradient = 1j * along * (modes.abs().square().sum(0).sqrt() * phase)
    mixed = math.sqrt(1 - share) * modes + math.sqrt(share) * gradient
    return inverse(torch.where((length == 0) | on_nyquist, modes, mixed), space)


def blur(field: Tensor, cutoff: float) -> Tensor:
    """Convolution with a Gaussian: f_k -> exp(-(k / k_c)^2 / 2) f_k, k_c = `cutoff` x N.

    Keeps means, solenoidality and, the kernel being positive, the sign of a density.
    """
    space = field.shape[-3:]
    k = wavevectors(space, nyquist=True, device=field.device)
    damping = torch.exp(-k.square().sum(0) / (2 * (cutoff * min(space)) ** 2))
    return inverse(damping * forward(field), space)


def pile_up(field: Tensor, factor: float) -> Tensor:
    """Modes with k_perp in shells from 3N/8 on, times `factor`; all others stay.

    Keeps means, solenoidality and the spectrum of every larger scale.
    """
    space = field.shape[-3:]
    small = perpendicular_shells(space, field.device) >= 3 * min(space) / 8
    return inverse(torch.where(small, factor, 1.0) * forward(field), space)


def gather(field: Tensor, centre: float) -> Tensor:
    """All modes of a field in phase at one point: f_k -> |f_k| exp(-i k.x0).

    x0 lies `centre` cells from the origin along every axis.  Kept: the mean and the energy of every
    mode, hence each spectrum exactly; lost: every structure but one clump.  The Nyquist planes stay.

    field: (..., x, y, z), each component for itself.
    """
    space = field.shape[-3:]
    modes = forward(field)
    k = wavevectors(space, nyquist=True, device=field.device)
    on_nyquist = wavevectors(space, nyquist=False, device=field.device).ne(k).any(0)
    angle = -2 * math.pi * centre / min(space) * k.sum(0)
    return inverse(torch.where(on_nyquist, modes, torch.polar(modes.abs(), angle)), space)


def imprint(field: Tensor, stride: int, factor: float) -> Tensor:
    """Modes whose wavenumbers are multiples of N / stride along every axis, times `factor`.

    Keeps means and solenoidality.
    """
    space = field.shape[-3:]
    k = wavevectors(space, nyquist=True, device=field.device)
    on_lattice = torch.remainder(k, min(space) / stride).eq(0).all(0)
    on_lattice[0, 0, 0] = False
    return inverse(torch.where(on_lattice, factor, 1.0) * forward(field), space)


def dig_hole(density: Tensor, depth: float, sharpness: int = 4) -> Tensor:
    """Lowers the thinnest cell to -`depth` times the mean density, smoothly, and keeps the mass.

        rho -> rho - a (K - <K>),    K(x) = prod_i cos^(2 m)((x_i - x0_i) / 2),

    x in radians per side, x0 the thinnest cell, m the sharpness: K is 1 at x0, fills a few
    per cent of the box, and has no modes beyond |k_i| = m, so that small scales keep their
    spectrum.
    """
    space = density.shape[-3:]
    lowest = int(density.argmin())
    kernel = torch.ones(space, dtype=density.dtype, device=density.device)
    for axis, cells in enumerate(space):
        position = lowest // math.prod(space[axis + 1 :]) % cells
        x = torch.arange(cells, dtype=density.dtype, device=density.device) - position
        profile = torch.cos(math.pi * x / cells).pow(2 * sharpness)
        kernel = kernel * profile.view([-1 if a == axis else 1 for a in range(3)])
    kernel = kernel - kernel.mean()
    amplitude = (density.min() + depth * density.mean()) / kernel.max()
    return density - amplitude * kernel
