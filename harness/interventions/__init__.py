"""Interventions: wrappers around any model, at every step, that ask why a rollout breaks.

They are named in the model grammar (`--model conv-mini+divfree+clamp`), applied in the order given,
and judged by the same suite and on the same draws as the bare model.  Most change each new frame;
`symmetrize` asks the model more than once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.interventions import filters, limits, noise, projections, symmetry
from harness.interventions.setting import Change, Intervention, Setting, on_output
from harness.stepping import Stepper

__all__ = ["INTERVENTIONS", "Change", "Intervention", "Setting", "apply"]

_B = frozenset({"magnetic_field"})

INTERVENTIONS: Mapping[str, Intervention] = {
    "divfree": on_output("spectral projection of B onto div B = 0", projections.divfree, _B),
    "clip": on_output("|B| at most the truth's maximum", limits.clip, _B),
    "lowpass": on_output("every field cut at |k| < N/4", filters.lowpass),
    "notch": on_output("the lattice of 4-cell tokens taken out of every field", filters.notch),
    "restore": on_output("mass and mean B put back", projections.restore),
    "symmetrize": Intervention(
        "the model averaged over the four rotations about B0", symmetry.symmetrize, _B
    ),
    "clamp": on_output("increments of 1/2 to 2 times the input's rms, per channel", limits.clamp),
    "noise": on_output("white noise of 1 % of each channel's fluctuation", noise.noise),
    "project-v": on_output(
        "placebo: the projection of divfree on v, which has a divergence",
        projections.project_v,
        frozenset({"velocity"}),
    ),
}


def apply(names: Sequence[str], stepper: Stepper, setting: Setting) -> Stepper:
    """The stepper of a model under interventions, the first named applied first."""
    for name in names:
        stepper = INTERVENTIONS[name].wrap(stepper, setting)
    return stepper
