"""Negative controls: surrogates made from truth with one planted fault each.

A property that no control can make fail proves nothing, and a control that trips a property it
does not break shows a false alarm.  So each control names what it must trip and what it may:
`fires` <= tripped <= `fires` | `implies`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.suggest import unknown
from harness.surrogates.base import Surrogate
from harness.surrogates.controls import dynamics, faults
from harness.surrogates.controls.control import Control, answering, faulty, moving
from harness.surrogates.controls.replays import FaultyArithmetic
from harness.surrogates.spec import ModelError
from harness.truth.window import Simulation

__all__ = ["CONTROLS", "Control", "load"]

# What a growing amplitude entails, whatever grows.
_GROWTH = (
    # the increments of what grows grow with it
    "liveness",
    # |B| in the denominator outgrows the mean field, or outgrows div B
    "div_b_ratio[stencil]",
    # the distance of two spectra compares energies, not energies over their sum
    "spectral_slope[shape]",
    # both Elsasser energies hold the magnetic one
    "energy_budget[elsasser]",
)
# What the growth of one magnetic component entails, by the modes with k_y = 0 that it may use.
_GROWTH_ALONE = (
    *_GROWTH,
    # one component cannot outgrow the other by more than W and keep its own variance
    "bounded_rollout",
    # nor the other energies keep pace
    "energy_budget[ratio]",
    "energy_budget[residual]",
    # the increments of B become those of a plane's worth of waves
    "intermittency[kurtosis]",
    "intermittency[scaling]",
    # a lattice has more modes in that plane than their neighbours have
    "patch_imprint",
)
_ROLLOUT = (
    "bounded_rollout",
    "perpendicular_isotropy",
    "div_b_ratio[spectral]",
    "div_b_ratio[stencil]",
    "spectral_slope[slope]",
    "spectral_slope[shape]",
    "spectral_slope[pileup]",
    "liveness",
    "mass",
    "magnetic_flux",
    "positivity",
    "energy_budget[ratio]",
    "energy_budget[residual]",
    "energy_budget[cross_helicity]",
    "energy_budget[elsasser]",
    "patch_imprint",
    "intermittency[kurtosis]",
    "intermittency[scaling]",
    "intermittency[skewness]",
)

CONTROLS: Mapping[str, Control] = dict(
    [
        faulty(
            "step1-error",
            "truth, but for step 1, which shows step 3",
            faults.ahead,
            fires=["step1_vrmse"],
        ),
        faulty(
            "blow-up",
            "B and v fluctuate exp(0.08 t) times too strongly",
            faults.blow_up,
            fires=["bounded_rollout"],
            implies=_GROWTH,
        ),
        faulty(
            "one-component",
            "B_y alone grows by exp(0.08 t), in every shell alike and without divergence",
            faults.one_component,
            fires=["perpendicular_isotropy"],
            implies=_GROWTH_ALONE,
        ),
        faulty(
            "monopoles",
            "a twentieth of the power of B is a gradient: D = 0.22",
            faults.monopoles,
            fires=["div_b_ratio[spectral]", "div_b_ratio[stencil]"],
        ),
        faulty(
            "blur",
            "every field seen through a Gaussian",
            faults.blurred,
            fires=["spectral_slope[slope]", "spectral_slope[shape]"],
            implies=[
                # the smallest scales lose most: a pile-up with the other sign
                "spectral_slope[pileup]",
                # the stencil reads its own truncation error, which is that of the smallest scales
                "div_b_ratio[stencil]",
            ],
        ),
        faulty(
            "pile-up",
            "B and v are three times too strong from 3N/8 on",
            faults.piled_up,
            fires=["spectral_slope[pileup]"],
            implies=[
                # the shells that pile up depart from the truth's
                "spectral_slope[shape]",
                # the stencil reads its own truncation error, which is that of the smallest scales
                "div_b_ratio[stencil]",
            ],
        ),
        faulty(
            "cancellation",
            "(u + 1024) - 1024 in the model's own precision",
            faults.cancellation,
            fires=["fp64_invariance[start]"],
            kind=FaultyArithmetic,
        ),
        faulty(
            "leak",
            "the float64 state passes through float32",
            faults.leak,
            fires=["fp64_invariance[audit]"],
            kind=FaultyArithmetic,
        ),
        faulty(
            "rounding-branch",
            "rounding decides whether B_y or B_z grows",
            faults.rounding_branch,
            fires=["fp64_invariance[outcome]"],
            # whichever component grows, it grows alone
            implies=["perpendicular_isotropy", *_GROWTH_ALONE],
            kind=FaultyArithmetic,
        ),
        faulty("mass-drift", "the mean density rises by 0.2 %", faults.mass_drift, fires=["mass"]),
        faulty(
            "flux-drift",
            "every component of the mean field rises by 1 % of |B0|",
            faults.flux_drift,
            fires=["magnetic_flux"],
        ),
        faulty(
            "freeze",
            "time slows down and stops on a frame of truth",
            faults.freeze,
            fires=["liveness"],
        ),
        faulty(
            "negative-cells",
            "the thinnest cell has a negative density",
            faults.negative_cells,
            fires=["positivity"],
            # around cells below zero lie cells barely above
            implies=["intermittency[skewness]"],
        ),
        faulty(
            "weak-velocity",
            "v fluctuates 0.65 times as strongly as it should",
            faults.weak_velocity,
            fires=["energy_budget[ratio]", "energy_budget[residual]"],
        ),
        faulty(
            "aligned",
            "v follows B, shell by shell with its own energy, against the truth's cross helicity",
            faults.aligned,
            fires=["energy_budget[cross_helicity]", "energy_budget[elsasser]"],
            implies=[
                # the velocity of the first step is not the truth's
                "step1_vrmse",
                # where B has rounding errors only, chance among them becomes the velocity's
                "patch_imprint",
            ],
        ),
        answering(
            "noise-branch",
            "B_z grows as soon as the input is not the truth to the last bit",
            dynamics.branch_on_noise,
            fires=["basin_determinism[input]"],
        ),
        answering(
            "planted-growth",
            "an error B_y ~ cos(2z) in the input grows by 0.3 e-folds per step",
            dynamics.grow_planted,
            fires=["growth_rate"],
            # noise holds a little of the mode, which becomes a basin where there are steps enough
            implies=["basin_determinism[input]"],
        ),
        moving(
            "carried",
            "the whole state is carried along y by two cells a step",
            dynamics.Carried,
            fires=["equivariance[rotation]", "equivariance[reflection]"],
        ),
        moving(
            "stirred",
            "v_y and v_z turn left and right in blocks of four cells along x",
            dynamics.Stirred,
            fires=["equivariance[translation]"],
            implies=[
                # blocks know left from right as well
                "equivariance[reflection]",
                # and at their edges v jumps
                "intermittency[kurtosis]",
                "intermittency[scaling]",
            ],
        ),
        faulty(
            "comb",
            "B and v are three times too strong at the wavenumbers of tokens of 4 cells",
            faults.comb,
            fires=["patch_imprint"],
        ),
        faulty(
            "clump",
            "modes of density and velocity, amplitudes kept, are in phase at drifting points",
            faults.clump,
            fires=["intermittency[kurtosis]", "intermittency[scaling]", "intermittency[skewness]"],
            # the first step is not the truth's
            implies=["step1_vrmse"],
        ),
        faulty(
            "void",
            "the thinnest cell is all but empty",
            faults.void,
            fires=["intermittency[skewness]"],
        ),
        faulty("nan", "one cell is NaN from step 10 on", faults.not_a_number, fires=_ROLLOUT),
    ]
)


def load(name: str, simulations: Sequence[Simulation]) -> Surrogate:
    """The control called `name`; ModelError, with the nearest names, if there is none."""
    if name not in CONTROLS:
        raise ModelError(unknown("control", name, CONTROLS))
    return CONTROLS[name].make(simulations)
