"""Plain numpy diagnostics, one mask per shell: the independent reference for `Measure`.

Written for clarity in float64 with full complex transforms, stencils by `roll` and one boolean
mask per shell, each diagnostic from scratch; it shares no code with `harness.diagnostics`.  The
benchmark times it as the implementation that one writes first.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.fields import FieldLayout

Array = NDArray[np.float64]


def lattice(shape: Sequence[int]) -> Array:
    """Wave vector of every mode of the full lattice, (D, *shape), in units 2 pi / min(shape)."""
    axes = [np.fft.fftfreq(cells) * min(shape) for cells in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def perpendicular(shape: Sequence[int], guide: Sequence[float] | None) -> Array:
    """k_perp of every mode; its square is the mean over both signs of each Nyquist component."""
    k = lattice(shape)
    if guide is None or not np.any(guide):
        return np.sqrt((k**2).sum(0))
    b = np.asarray(guide) / np.sqrt(np.sum(np.square(guide)))

    def squared(k: Array) -> Array:
        return (k**2).sum(0) - np.tensordot(b, k, 1) ** 2

    result = squared(k)
    ambiguous = (k == -min(shape) / 2).any(0)
    k = k[:, ambiguous]
    nyquist = k == -min(shape) / 2
    signs = itertools.product((1, -1), repeat=len(shape))
    both = [squared(np.where(nyquist, np.reshape(sign, (-1, 1)) * k, k)) for sign in signs]
    result[ambiguous] = np.mean(both, axis=0)
    return np.sqrt(np.abs(result))


def shell_mask(k_perp: Array, shell: int) -> NDArray[np.bool_]:
    """The modes of one shell, the last being everything beyond N/2; the mean is in none."""
    last = min(k_perp.shape) // 2
    mask = k_perp >= shell - 0.5
    if shell <= last:
        mask &= k_perp < shell + 0.5
    mask[(0,) * k_perp.ndim] = False
    return mask


def spectrum(channel: Array, guide: Sequence[float] | None) -> Array:
    """Energy of one channel in each shell."""
    k_perp = perpendicular(channel.shape, guide)
    power = np.abs(np.fft.fftn(channel) / channel.size) ** 2
    shells = range(min(channel.shape) // 2 + 2)
    return np.array([power[shell_mask(k_perp, shell)].sum() for shell in shells])


def divergence_spectral(b: Array) -> float:
    """sqrt( sum |k.B|^2 / sum k^2 |B|^2 ) without mean and Nyquist planes."""
    shape = b.shape[1:]
    k = lattice(shape)
    modes = np.stack([np.fft.fftn(component) for component in b])
    keep = np.ones(shape, dtype=bool)
    keep[(0,) * len(shape)] = False
    for axis, cells in enumerate(shape):
        if cells % 2 == 0:
            keep[(slice(None),) * axis + (cells // 2,)] = False
    along = np.abs((k * modes).sum(0)) ** 2
    total = (k**2).sum(0) * (np.abs(modes) ** 2).sum(0)
    return float(np.sqrt(along[keep].sum() / total[keep].sum()))


def divergence_centred(b: Array) -> Array:
    """Centred-difference divergence of every cell, spacing 1."""
    parts = [(np.roll(b[a], -1, axis=a) - np.roll(b[a], 1, axis=a)) / 2 for a in range(len(b))]
    return np.sum(parts, axis=0)


def frame(layout: FieldLayout, u: Array, previous: Array | None, guide: Sequence[float]) -> dict:
    """Every single-frame diagnostic."""
    space = tuple(range(1, u.ndim))
    magnetic = "magnetic_field" in layout
    across = guide if magnetic else None
    step = np.full(u.shape, np.nan) if previous is None else u - previous
    found: dict[str, Any] = {
        "mean": u.mean(space),
        "variance": u.var(space),
        "minimum": u.min(space),
        "maximum": u.max(space),
        "finite": np.isfinite(u).all(space),
        "increment": np.sqrt((step**2).mean(space)),
        "spectrum": np.stack([spectrum(channel, across) for channel in u]),
    }
    if "density" in layout:
        rho = u[layout.slice("density")][0]
        found["negative_density"] = (rho < 0).mean() if np.isfinite(rho).all() else np.nan
        if "velocity" in layout:
            v = u[layout.slice("velocity")]
            found["kinetic_energy"] = (rho * (v**2).sum(0)).mean() / 2
    if magnetic:
        b = u[layout.slice("magnetic_field")]
        squared = (b**2).sum(0)
        found["mean_abs_b"] = np.sqrt(squared).mean()
        found["rms_b"] = np.sqrt(squared.mean())
        found["magnetic_energy"] = squared.mean() / 2
        rms = np.sqrt((divergence_centred(b) ** 2).mean())
        found["div_b_spectral"] = divergence_spectral(b)
        found["div_b_stencil"] = rms / np.sqrt(squared).mean()
        found["div_b_rms"] = rms / np.linalg.norm(guide)
        if "velocity" in layout:
            v = u[layout.slice("velocity")]
            fluctuations = [f - f.mean(tuple(range(1, f.ndim)), keepdims=True) for f in (v, b)]
            found["v_dot_b"] = (fluctuations[0] * fluctuations[1]).sum(0).mean()
    return found


def points(cells: int) -> slice:
    """Every cell, or every nth where that leaves 16 to 24 of them: the smallest such n."""
    divisors = [n for n in range(1, cells + 1) if cells % n == 0 and 16 <= cells // n <= 24]
    return slice(None, None, min(divisors, default=1))


def structure_functions(layout: FieldLayout, u: Array) -> Array:
    """S_p(l), (field, lag, direction, order), over all pairs along grid axes."""
    space = u.shape[1:]
    taken = (slice(None), *map(points, space))
    lags = [1] + [lag for lag in (2, 4, 8, 16, 32, 64) if lag <= min(space) // 4]
    magnetic = "magnetic_field" in layout
    fields = [u[layout.slice(name)] for name in layout.names]
    found = np.empty((len(fields), len(lags), 2 if magnetic else 1, 4))
    for j, lag in enumerate(lags):
        weights, lengths = [], []
        for axis in range(len(space)):
            pairs = [(np.roll(f, -lag, 1 + axis)[taken], f[taken]) for f in fields]
            lengths.append([np.sqrt(((there - here) ** 2).sum(0)) for there, here in pairs])
            if magnetic:
                b = sum(pairs[layout.names.index("magnetic_field")])
                cosine = np.abs(b[axis]) / np.sqrt((b**2).sum(0))
                weights.append([cosine**8, np.sqrt(1 - cosine**2) ** 8])
            else:
                weights.append([np.ones_like(lengths[-1][0])])
        for d in range(found.shape[2]):
            total = sum(w[d].sum() for w in weights)
            for i in range(len(fields)):
                for p in (1, 2, 3, 4):
                    moments = [(w[d] * q[i] ** p).sum() for w, q in zip(weights, lengths, strict=True)]
                    found[i, j, d, p - 1] = sum(moments) / total
    return found


def patch_imprint(field: Array) -> Array:
    """k^4-weighted energy on a token lattice over that beside it, for each stride."""
    space = field.shape[1:]
    power = sum(np.abs(np.fft.fftn(component)) ** 2 for component in field)
    weight = (lattice(space) ** 2).sum(0) ** 2
    dust = 1e-6 * (weight * power).sum() / weight.sum()
    steps = [s for s in itertools.product((-1, 0, 1), repeat=len(space)) if any(s)]
    ratios = []
    for stride in range(2, 17):
        if any(cells % stride or cells // stride < 4 for cells in space):
            continue
        on = list(itertools.product(*(range(0, cells, cells // stride) for cells in space)))[1:]
        beside = [
            tuple((k + s) % cells for k, s, cells in zip(mode, step, space, strict=True))
            for mode in on
            for step in steps
        ]
        means = []
        for modes in (on, beside):
            place = tuple(np.array(modes).T)
            means.append((weight * power)[place].sum() / weight[place].sum())
        ratios.append((means[0] + dust) / (means[1] + dust))
    return np.array(ratios)


def structure(layout: FieldLayout, u: Array) -> dict:
    """The single-frame diagnostics of structure."""
    finite = [np.isfinite(u[layout.slice(name)]).all() for name in layout.names]
    found: dict[str, Any] = {"structure_function": structure_functions(layout, u)}
    imprint = [patch_imprint(u[layout.slice(name)]) for name in layout.names]
    if len(imprint[0]):
        found["patch_imprint"] = np.stack(imprint)
    if "density" in layout:
        rho = u[layout.slice("density")][0]
        s = np.log(rho[rho > 0])
        skewness = ((s - s.mean()) ** 3).mean() / s.std() ** 3
        found["ln_density_skewness"] = skewness if finite[layout.names.index("density")] else np.nan
    return found


def co_spectrum(prediction: Array, truth: Array, guide: Sequence[float] | None) -> Array:
    """Re(p_k u_k*) of one channel, summed over each shell."""
    k_perp = perpendicular(truth.shape, guide)
    p, u = (np.fft.fftn(channel) / channel.size for channel in (prediction, truth))
    product = (p * u.conj()).real
    shells = range(min(truth.shape) // 2 + 2)
    return np.array([product[shell_mask(k_perp, shell)].sum() for shell in shells])


def measure(
    layout: FieldLayout,
    stack: Array,
    previous: Array | None,
    guide: Sequence[float],
    with_structure: bool = False,
) -> dict[str, NDArray[Any]]:
    """What `Measure(layout, shape, guide)(stack, previous, structure)` should return."""
    stack = np.asarray(stack, dtype=np.float64)
    sides = [
        frame(layout, u, None if previous is None else np.asarray(previous[i], np.float64), guide)
        for i, u in enumerate(stack)
    ]
    if with_structure:
        sides = [side | structure(layout, u) for side, u in zip(sides, stack, strict=True)]
    found = {name: np.stack([np.asarray(side[name]) for side in sides]) for name in sides[0]}
    if with_structure and len(stack) == 2:
        across = guide if "magnetic_field" in layout else None
        pairs = zip(stack[1], stack[0], strict=True)
        found["co_spectrum"] = np.stack([co_spectrum(p, u, across) for p, u in pairs])
    if len(stack) == 2:
        found["mse"] = ((stack[1] - stack[0]) ** 2).mean(tuple(range(1, stack[0].ndim)))
    return found
