"""What each negative control does to the truth, step by step.

A fault maps (read, layout, step, steps) to the frame of `step`, 1 <= step <= `steps`, where
read(s) is the truth's frame of step s.  Slow faults are scaled with `steps`, the length of the
window, so that they reach the same size in every protocol.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harness.fields import FieldLayout
from harness.surrogates.controls import alterations as alter
from harness.surrogates.controls.replays import Read

#: Growth of an amplitude in e-folds per step, near the slowest seen in a trained surrogate.
RATE = 0.08
#: Share of the power of B that lies in gradients: D = sqrt(0.05) = 0.22.
MONOPOLES = 0.05
#: Gaussian cut-off over N.
BLUR = 0.18
#: Factor of the amplitudes piled up near the grid scale.
PILE_UP = 3.0
#: A field of order 1 that was added to 2^10 in float32 keeps 13 binary digits after the point.
BIG = 1024.0
#: Amplitude of a velocity that is too weak.  Kinetic energy falls to 0.42 of the truth's: more than
#: E_B/E_K varies among truth frames, less than the variance of one velocity component does.
WEAK = 0.65
#: Cells along each axis that a clump moves per step: it changes about as fast as the truth.
DRIFT = 0.4
#: Cells between tokens, and the factor of the amplitudes on their lattice.
STRIDE, IMPRINT = 4, 3.0
#: Density of the thinnest cell of a void over the mean.
VOID = 1e-4
#: First non-finite step.
NAN_STEP = 10


def _with(frame: Tensor, channels: slice, values: Tensor) -> Tensor:
    result = frame.clone()
    result[channels] = values
    return result


def ahead(read: Read, layout: FieldLayout, step: int, steps: int) -> Tensor:
    """Step 1 shows the truth of step 3, all others their own: a frame of truth, too early."""
    return read(3 if step == 1 else step)


def blow_up(read: Read, layout: FieldLayout, step: int, steps: int) -> Tensor:
    """All components of B and v fluctuate exp(0.08 t) times too strongly."""
    frame = read(step)
    for name in ("magnetic_field", "velocity"):
        channels = layout.slice(name)
        frame = _with(frame, channels, alter.amplify(frame[channels], math.exp(RATE * step)))
    return frame


def one_component(read: Read, layout: FieldLayout, step: int, steps: int) -> Tensor:
    """B_y alone grows by exp(0.08 t), in every shell alike and without divergence."""
    return _grow_alone(read(step), layout, 1, math.exp(2 * RATE * step))


def _grow_alone(frame: Tensor, layout: FieldLayout, axis: int, gain: float) -> Tensor:
    channels = layout.slice("magnetic_field")
    grown = alter.amplify_component(frame[channels], axis, gain)
    return _with(frame, channels, grown.to(frame.dtype))


def monopoles(read: Read, layout: FieldLayout, step: int, steps: int) -> Tensor:
    """A twentieth of the power of every mode of B is a gradient."""
    frame, channels = read(step), layout.slice("magnetic_field")
    return _with(frame, channels, alter.add_monopoles(frame[channels], MONOPOLES))


def blurred(read: Read, layout: FieldLayout, step: int, steps: int) -> Tensor:
    """Every field seen through a Gaussian."""
    return alter.blur(read(step), BLUR)


def piled_up(read: Read, layout: FieldLayout, step: int, steps: int) -> Tensor:
    """B and v too strong near the grid scale; a density might undershoot zero and stays."""
    frame = read(step)
    for name in ("magnetic_field", "velocity"):
        channels = layout.slice(name)
        frame = _with(frame, channels, alter.pile_up(frame[channels], PILE_UP))
    return frame


def cancellation(read: Read, layout: FieldLayout, step: int, steps: int) -> Tensor:
    """(u + 1024) - 1024, in the model's own precision: the bits that float32 loses are gone."""
    return (read(step) + BIG) - BIG


def leak(read: Read, layout: FieldLayout, step: int, steps: int) -> Tensor:
    """The state passes through float32, whatever precision was asked for."""
    frame = read(step)
    return frame.float().to(frame.dtype)


def rounding_branch(read: Read, layout: FieldLayout, step: int, steps: int) -> Tensor:
    """Which component grows is decided by rounding.

    The residue of a cancelling sum feeds B_z where it is above 1e-9, as in float32, and B_y where
    it is below, as in float64.  The variance of that component grows by the factor
    1 + 100 exp(-2 r (T - t)) with r such that the fluctuation is 1e-8 at step 0 and ten times
    the truth's at the last step T.
    """
    frame = read(step)
    residue = ((frame + BIG) - BIG - frame).abs().amax()
    rate = math.log(10 / 1e-8) / steps
    gain = 1 + 100 * math.exp(-2 * rate * (steps - step))
    return _grow_alone(frame, layout, 2 if residue > 1e-9 else 1, gain)


def mass_drift(read: Read, layout: FieldLayout, step: int, steps: int) -> Tensor:
    """The mean density rises steadily, by 0.2 % until the last step; nothing else changes."""
    frame, channels = read(step), layout.slice("density")
    return _with(frame, channels, frame[channels] + 2e-3 * step / steps * frame[channels].mean())


def flux_drift(read: Read, layout: FieldLayout, step: int, steps: int) -> Tensor:
    """Every component of the mean field rises steadily, by 1 % of |B0| until the last step."""
    frame, channels = read(step), layout.slice("magnetic_field")
    strength = frame[channels].flatten(1).mean(1).norm()
    return _with(frame, channels, frame[channels] + 1e-2 * step / steps * strength)


def freeze(read: Read, layout: FieldLayout, step: int, steps: int) -> Tensor:
    """Time slows down and stops: the frame is always one of the truth, or between two of them.

    From T/5 on the pace falls by one e-fold every T/10 steps, T the last step, so that the clock
    shows tau(t) = T/5 + T/10 (1 - exp(-(t - T/5) / (T/10))).
    """
    start, fold = steps / 5, steps / 10
    clock = step if step <= start else start - fold * math.expm1(-(step - start) / fold)
    before = math.floor(clock)
    weight = clock - before
    if weight == 0:
        return read(before)
    return torch.lerp(read(before), read(before + 1), weight)


def clump(read: Read, layout: FieldLayout, step: int, steps: int) -> Tensor:
    """Modes of density and velocity keep their amplitudes and are in phase at drifting points.

    The opposite of random phases.  Those would not do: a truth frame now and then comes so near to
    Gaussian increments that W allows them.  The velocity's point is half a box from the density's,
    so that the kinetic energy stays.
    """
    frame = read(step)
    for name, start in (("density", 0.0), ("velocity", frame.shape[-1] / 2)):
        channels = layout.slice(name)
        frame = _with(frame, channels, alter.gather(frame[channels], start + DRIFT * step))
    return frame


def void(read: Read, layout: FieldLayout, step: int, steps: int) -> Tensor:
    """The thinnest cell is all but empty, and still positive."""
    frame, channels = read(step), layout.slice("density")
    return _with(frame, channels, alter.dig_hole(frame[channels], depth=-VOID))


def comb(read: Read, layout: FieldLayout, step: int, steps: int) -> Tensor:
    """B and v too strong at the wavenumbers of tokens of 4 cells."""
    frame = read(step)
    for name in ("magnetic_field", "velocity"):
        channels = layout.slice(name)
        frame = _with(frame, channels, alter.imprint(frame[channels], STRIDE, IMPRINT))
    return frame


def negative_cells(read: Read, layout: FieldLayout, step: int, steps: int) -> Tensor:
    """The thinnest cell is pushed to a density below zero."""
    frame, channels = read(step), layout.slice("density")
    return _with(frame, channels, alter.dig_hole(frame[channels], depth=0.02))


def weak_velocity(read: Read, layout: FieldLayout, step: int, steps: int) -> Tensor:
    """The velocity fluctuates 0.65 times as strongly as it should."""
    frame, channels = read(step), layout.slice("velocity")
    return _with(frame, channels, alter.amplify(frame[channels], WEAK))


def aligned(read: Read, layout: FieldLayout, step: int, steps: int) -> Tensor:
    """The velocity follows the magnetic fluctuation, with the sign that the truth's does not have.

    A velocity that is merely decorrelated from the magnetic field would not do: sigma_c = 0 lies
    well among the values that simulations have.
    """
    frame, start = read(step), read(0)
    b, v = layout.slice("magnetic_field"), layout.slice("velocity")
    fluctuation = start[b] - start[b].mean(alter.SPACE, keepdim=True)
    sign = -1.0 if (start[v] * fluctuation).sum() > 0 else 1.0
    return _with(frame, v, alter.align(frame[v], frame[b], sign))


def not_a_number(read: Read, layout: FieldLayout, step: int, steps: int) -> Tensor:
    """From step 10 on (or the last, if that comes first) one cell of the last channel is NaN."""
    frame = read(step)
    if step >= min(NAN_STEP, steps):
        frame[-1, 0, 0, 0] = math.nan
    return frame
