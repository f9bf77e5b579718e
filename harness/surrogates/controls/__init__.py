"""Negative controls: surrogates made from truth with one planted fault each.

A property that no control can make fail proves nothing, and a control that trips a property it
does not break shows a false alarm.  So each control names what it must trip and what it may:
`fires` <= tripped <= `fires` | `implies`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.suggest import unknown
from harness.surrogates.base import Surrogate
from harness.surrogates.controls import dynamics, faults
from harness.surrogates.controls.replays import Fault, Faulty, FaultyArithmetic
from harness.surrogates.spec import ModelError
from harness.truth.window import Simulation


@dataclass(frozen=True)
class Control:
    """One broken surrogate.

    summary: what is wrong with it, in one line.
    fires: the criteria it violates, `property` or `property[criterion]`, on every window.
    implies: criteria that a violation of those entails, or may entail.
    make: the surrogate, given the simulations of the protocol.
    """

    summary: str
    fires: frozenset[str]
    implies: frozenset[str]
    make: Callable[[Sequence[Simulation]], Surrogate]


def _control(
    name: str,
    summary: str,
    fault: Fault,
    fires: Sequence[str],
    implies: Sequence[str] = (),
    kind: type[Faulty] = Faulty,
) -> tuple[str, Control]:
    def make(simulations: Sequence[Simulation]) -> Surrogate:
        return kind(simulations[0].layout, name, fault)

    return name, Control(summary, frozenset(fires), frozenset(implies), make)


def _answering(
    name: str,
    summary: str,
    answer: dynamics.Answer,
    fires: Sequence[str],
    implies: Sequence[str] = (),
) -> tuple[str, Control]:
    def make(simulations: Sequence[Simulation]) -> Surrogate:
        return dynamics.Answering(simulations[0].layout, name, answer)

    return name, Control(summary, frozenset(fires), frozenset(implies), make)


def _moved(
    name: str,
    summary: str,
    kind: type[dynamics.Moving],
    fires: Sequence[str],
    implies: Sequence[str] = (),
) -> tuple[str, Control]:
    def make(simulations: Sequence[Simulation]) -> Surrogate:
        return kind(simulations[0].layout)

    # A state that is only moved about is no forecast, and most of it does not change.
    return name, Control(summary, frozenset(fires), frozenset(implies) | _STILL, make)


# What becomes of a state that is moved about instead of stepped on.
_STILL = frozenset({"step1_vrmse", "liveness"})
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
        _control(
            "step1-error",
            "truth, but for step 1, which shows step 3",
            faults.ahead,
            fires=["step1_vrmse"],
        ),
        _control(
            "blow-up",
            "B and v fluctuate exp(0.08 t) times too strongly",
            faults.blow_up,
            fires=["bounded_rollout"],
            implies=_GROWTH,
        ),
        _control(
            "one-component",
            "B_y alone grows by exp(0.08 t), in every shell alike and without divergence",
            faults.one_component,
            fires=["perpendicular_isotropy"],
            implies=_GROWTH_ALONE,
        ),
        _control(
            "monopoles",
            "a twentieth of the power of B is a gradient: D = 0.22",
            faults.monopoles,
            fires=["div_b_ratio[spectral]", "div_b_ratio[stencil]"],
        ),
        _control(
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
        _control(
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
        _control(
            "cancellation",
            "(u + 1024) - 1024 in the model's own precision",
            faults.cancellation,
            fires=["fp64_invariance[start]"],
            kind=FaultyArithmetic,
        ),
        _control(
            "leak",
            "the float64 state passes through float32",
            faults.leak,
            fires=["fp64_invariance[audit]"],
            kind=FaultyArithmetic,
        ),
        _control(
            "rounding-branch",
            "rounding decides whether B_y or B_z grows",
            faults.rounding_branch,
            fires=["fp64_invariance[outcome]"],
            # whichever component grows, it grows alone
            implies=["perpendicular_isotropy", *_GROWTH_ALONE],
            kind=FaultyArithmetic,
        ),
        _control("mass-drift", "the mean density rises by 0.2 %", faults.mass_drift, fires=["mass"]),
        _control(
            "flux-drift",
            "every component of the mean field rises by 1 % of |B0|",
            faults.flux_drift,
            fires=["magnetic_flux"],
        ),
        _control(
            "freeze",
            "time slows down and stops on a frame of truth",
            faults.freeze,
            fires=["liveness"],
        ),
        _control(
            "negative-cells",
            "the thinnest cell has a negative density",
            faults.negative_cells,
            fires=["positivity"],
            # around cells below zero lie cells barely above
            implies=["intermittency[skewness]"],
        ),
        _control(
            "weak-velocity",
            "v fluctuates 0.65 times as strongly as it should",
            faults.weak_velocity,
            fires=["energy_budget[ratio]", "energy_budget[residual]"],
        ),
        _control(
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
        _answering(
            "noise-branch",
            "B_z grows as soon as the input is not the truth to the last bit",
            dynamics.branch_on_noise,
            fires=["basin_determinism[input]"],
        ),
        _answering(
            "planted-growth",
            "an error B_y ~ cos(2z) in the input grows by 0.3 e-folds per step",
            dynamics.grow_planted,
            fires=["growth_rate"],
            # noise holds a little of the mode, which becomes a basin where there are steps enough
            implies=["basin_determinism[input]"],
        ),
        _moved(
            "carried",
            "the whole state is carried along y by two cells a step",
            dynamics.Carried,
            fires=["equivariance[rotation]", "equivariance[reflection]"],
        ),
        _moved(
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
        _control(
            "comb",
            "B and v are three times too strong at the wavenumbers of tokens of 4 cells",
            faults.comb,
            fires=["patch_imprint"],
        ),
        _control(
            "clump",
            "modes of density and velocity, amplitudes kept, are in phase at drifting points",
            faults.clump,
            fires=["intermittency[kurtosis]", "intermittency[scaling]", "intermittency[skewness]"],
            # the first step is not the truth's
            implies=["step1_vrmse"],
        ),
        _control(
            "void",
            "the thinnest cell is all but empty",
            faults.void,
            fires=["intermittency[skewness]"],
        ),
        _control("nan", "one cell is NaN from step 10 on", faults.not_a_number, fires=_ROLLOUT),
    ]
)


def load(name: str, simulations: Sequence[Simulation]) -> Surrogate:
    """The control called `name`; ModelError, with the nearest names, if there is none."""
    if name not in CONTROLS:
        raise ModelError(unknown("control", name, CONTROLS))
    return CONTROLS[name].make(simulations)
