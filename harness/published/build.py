"""The published baselines, made of the recorded series.

    python -m harness.published.build            # writes baselines/ of the checkout again

A verdict is recorded only where the series leave no doubt: they hold no widths W, so a figure must
exceed any width that truth could have, by the margins below.  Everything else is left open, and
the named events (docs/protocols.md) are recorded with the spread they must be met within.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from harness.baselines import Baseline, Publication
from harness.diagnostics.structure import GROWN
from harness.paths import ROOT
from harness.published import CITATION, arrays, facts
from harness.published.arrays import Run
from harness.published.facts import Facts, Spread
from harness.results import Expectation, Fact

CONDITIONS = {"steps": "protocol", "precision": "fp32", "draw": "seeded"}

#: Beyond any width of the truth: more than five times the widest range of ln var, of
#: ln(var_y / var_z) and of ln(div B stencil) over the recorded frames of truth of one simulation.
LN_VARIANCE, ANISOTROPY, LN_STENCIL = math.log(50), math.log(50), 1.0
#: The criterion of `mass`: an exact invariant needs no width.
MASS = 2e-4
#: The draws' spread of VRMSE at step 1 is not recorded, that of variances is 0.5 %; this is the
#: tolerance of any recorded figure.
STEP1 = 0.05
#: A rate may lie this many standard deviations of the draws away.
DEVIATIONS = 3
#: An event is asserted where the growth ratio passes its threshold by this factor.
CLEAR = 2.0
#: A variance that has grown by this factor has blown up.
BLOWN_UP = GROWN**2

#: test functions and the suite modules they are in
SUITES = {
    "test_step1_vrmse": "test_errors",
    "test_bounded_rollout": "test_growth",
    "test_perpendicular_isotropy": "test_isotropy",
    "test_div_b_ratio": "test_magnetic",
    "test_mass": "test_density",
}

Entries = dict[str, dict[str, Expectation]]


def entries(run: Run) -> Entries:
    """Suite module -> test case -> what the study says of it, for one model and protocol."""
    spread = facts.spread()
    made: Entries = {suite: {} for suite in SUITES.values()}
    for trajectory, found in enumerate(facts.of_run(run)):
        for test, (criterion, entry) in _of_rollout(run, trajectory, found, spread).items():
            name = f"{test}[{found.case}{':' if criterion else ''}{criterion}]"
            made[SUITES[test]][name] = entry
    return made


def _of_rollout(
    run: Run, trajectory: int, found: Facts, spread: Spread
) -> dict[str, tuple[str, Expectation]]:
    variance = run.variance[trajectory]
    ratio = variance / variance[0]
    across = list(facts.ACROSS.values())
    grown = np.abs(np.log(ratio)).max()
    anisotropy = abs(float(np.log(variance[-1, across[0]] / variance[-1, across[1]])))
    drift = np.abs(run.mass[trajectory] - run.truth_mass[trajectory]) / run.truth_mass[trajectory, 0]
    rate = DEVIATIONS * spread.rate
    return {
        "test_step1_vrmse": (
            "",
            _entry(
                False,
                vrmse_seed=Fact(value=found.step1, tolerance=STEP1 * found.step1, worse="higher"),
            ),
        ),
        "test_bounded_rollout": (
            "",
            _entry(
                grown > LN_VARIANCE,
                **{"lambda": Fact(value=found.rate.rate, tolerance=rate, worse="higher")},
                **{
                    f"onset_{channel}": _onset(step, ratio[:, i], spread)
                    for i, (channel, step) in enumerate(found.onset.items())
                    if math.isfinite(step)
                },
                **_survival(found, ratio, spread),
            ),
        ),
        "test_perpendicular_isotropy": (
            "",
            _entry(
                anisotropy > ANISOTROPY,
                basin=Fact(value=found.basin, tolerance=_certain(ratio[-1, across])),
            ),
        ),
        "test_div_b_ratio": (
            "stencil",
            _entry(
                math.log(found.div_b_over_truth) > LN_STENCIL,
                over_truth_50=_divergence(found, ratio[facts.AT, across], spread),
            ),
        ),
        "test_mass": ("", _entry(bool((drift > CLEAR * MASS).any()))),
    }


def _entry(violated: bool, **known: Fact) -> Expectation:
    return Expectation(
        verdict="violated" if violated else "unrecorded", source="published", facts=known
    )


def _onset(step: float, ratio: np.ndarray, spread: Spread) -> Fact:
    """The onset, asserted within twice the draws' range where the crossing is steep enough."""
    slack = 2 * spread.onset
    before, after = (ratio[min(max(int(step + s), 0), len(ratio) - 1)] for s in (-slack - 1, slack))
    steep = before < GROWN / 1.05 and after > GROWN * 1.05
    return Fact(value=step, tolerance=slack if steep else None, worse="lower")


def _certain(ratio: np.ndarray) -> float | None:
    """Zero, an asserted word, where no component stands within a factor 2 of the threshold."""
    distance = np.abs(np.log(ratio / GROWN))
    return 0.0 if bool((distance > math.log(CLEAR)).all()) else None


def _survival(found: Facts, ratio: np.ndarray, spread: Spread) -> dict[str, Fact]:
    """The first onset of any channel, asserted as that onset is; nothing where there is none."""
    channel = int(np.argmin(list(found.onset.values())))
    if not math.isfinite(found.survival):
        return {}
    return {"survival_x10": _onset(found.survival, ratio[:, channel], spread)}


def _divergence(found: Facts, ratio: np.ndarray, spread: Spread) -> Fact:
    """Div B over the truth's at step 50, asserted within twice the draws' range.

    Only where a component across the guide field has blown up by then, as in the rollout whose draws
    were recorded: the field then has a scale of its own, and the ratio is no amplitude.
    """
    value = found.div_b_over_truth
    slack = 2 * spread.div_b * value if ratio.max() > BLOWN_UP else None
    return Fact(value=value, tolerance=slack, worse="higher")


def write(root: Path) -> list[Path]:
    """Write every published baseline under a folder of baselines; returns the folders written."""
    written = []
    for (model, protocol), run in arrays.runs().items():
        baseline = Baseline(root, model, protocol)
        publication = Publication(f"{CITATION} ({model}, {protocol})", CONDITIONS)
        known: Mapping[str, Mapping[str, Expectation]] = entries(run)
        baseline.publish(publication, known)
        written.append(root / model / protocol)
    return written


if __name__ == "__main__":
    for folder in write(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "baselines"):
        print(folder)
