"""Is the outcome of a rollout decided by physics, or by digits that nobody can measure?"""

from harness.diagnostics.series import basin
from harness.diagnostics.structure import growth_rate
from harness.jobs import branch, rollout
from harness.properties import property_test
from harness.statistics import rate_bound

#: Input noise, rms in units of each channel's sigma.
NOISE = {scale: branch(noise=scale) for scale in (1e-2, 1e-4, 1e-6)}
#: Noise that must not decide: far below what any field is known to.
HARMLESS = 1e-4
#: Noise at the rounding of float32, asked for only where more noise does decide.
DECISIVE = 1e-6
#: 0 flips in 5 bound the flip rate at 0.45; to bound it at 0.05, 59 are needed.
DRAWS = {i: branch(draw=i) for i in range(1, 6)}


@property_test(
    reads={"input": [rollout(), *NOISE.values()], "draws": [rollout(), *DRAWS.values()]},
    needs={"magnetic_field"},
    asks={"input": {"responds"}, "draws": {"stochastic"}},
    windows="first",
    control={"input": "control:noise-branch"},
    cost="expensive",
)
def test_basin_determinism(readings, criterion, judge, note):
    """Digits that no measurement resolves do not decide which component grows.

    A flip is another basin than that of the plain rollout.  Input: white noise of 1e-2 and 1e-4
    sigma on every input frame, the draw held fixed; no flip is allowed up to 1e-4 sigma, and where
    there is one, 1e-6 is tried as well.  The noises are one pattern, of several sizes.  Where neither
    component grows the basin is "none", and what is kept is that the noise makes none grow.  Draws:
    five other draws on the same input; recorded with their number and the exact 95 % upper bound of
    the flip rate.

    Sources: Clopper and Pearson 1934, Biometrika 26, 404.
    """
    bare = readings[rollout()].pred
    note["basin"], note["lambda"] = basin(bare), growth_rate(bare["variance"].values).rate
    varied = NOISE if criterion == "input" else DRAWS
    flips = {}
    for variation, request in varied.items():
        if variation == DECISIVE and not flips[HARMLESS]:
            continue  # on one ray, less noise than was harmless is harmless
        side = readings[request].pred
        note[f"basin_{variation:g}"] = basin(side)
        note[f"lambda_{variation:g}"] = growth_rate(side["variance"].values).rate
        flips[variation] = float(basin(side) != basin(bare))
    note["n"], note["flips"] = float(len(flips)), sum(flips.values())
    if criterion == "draws":
        note["flip_rate_at_most"] = rate_bound(int(note["flips"]), len(flips))
        return
    note["smallest_flip"] = min((scale for scale, flip in flips.items() if flip), default=None)
    harmful = sum(flip for scale, flip in flips.items() if scale <= HARMLESS)
    judge(harmful, 0.0, "flips at eps <= 1e-4 sigma", "none is allowed")
