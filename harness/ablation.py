"""What interventions do to a model: each arm's figures, and the bare model's on the same windows.

An arm is the model under one or more interventions, rolled over the same windows with the same
draws.  The simulation is the unit: windows of one simulation are joined (`REDUCE`; of survival the
earliest counts), then median and range are taken over simulations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import inf

import numpy as np
import xarray as xr
from pydantic import BaseModel, ConfigDict

from harness.diagnostics.series import basin, ln_activity
from harness.diagnostics.structure import growth_rate
from harness.record import Record
from harness.statistics import Ensemble, departure, population_figures
from harness.truth.window import Window


class _Model(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="strings", frozen=True)


class Figures(_Model):
    """One rollout.

    rate: lambda, e-folds of amplitude per step, of the channel of largest final growth.
    survival: first step whose variances depart from the truth's by more than W, as `bounded_rollout`
        judges it; infinite if there is none up to the last step (censored).
    step1: VRMSE in the `seed` convention at step 1.
    div_b: spectral D at the last finite step; None without a magnetic field.
    slowest, fastest: increments over the truth's, 5-step means, at the last finite step, of the
        channel that changes least and of the one that changes most: `liveness` asks for 1/2 to 2.
    basin: which magnetic components across the guide field have grown tenfold.
    """

    simulation: str
    window: int
    rate: float
    channel: str
    survival: float
    step1: float
    div_b: float | None
    slowest: float
    fastest: float
    basin: str | None


class Spread(_Model):
    """Median and range over n simulations; the range covers the median with this probability."""

    n: int
    median: float
    lowest: float
    highest: float
    coverage: float


class Arm(_Model):
    """One row of the table.

    name: interventions joined by "+", "" for the bare model.
    figures: figure -> its spread over simulations.
    against: figure -> spread of the paired comparison with the bare model: differences of `rate`,
        ratios of the others but `survival`, which may be infinite; empty for the bare model itself.
    longer, shorter: windows that survive longer than with the bare model, and less long.
    basins: basin -> number of windows.
    """

    name: str
    windows: tuple[Figures, ...]
    figures: dict[str, Spread]
    against: dict[str, Spread]
    longer: int
    shorter: int
    basins: dict[str, int]


class Ablation(_Model):
    """A model bare, the first of `arms`, and under interventions.

    failed: arm that could not be rolled -> why.
    """

    model: str
    protocol: str
    steps: int
    simulations: int
    windows: int
    arms: tuple[Arm, ...]
    failed: dict[str, str]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _geometric_mean(values: Sequence[float]) -> float:
    with np.errstate(divide="ignore"):
        return float(np.exp(np.mean(np.log(values))))


#: figures of which the range over simulations is taken, and how windows of one simulation are joined
REDUCE: Mapping[str, Callable[[Sequence[float]], float]] = {
    "rate": _mean,
    "survival": min,
    "step1": _mean,
    "div_b": _mean,
    # they range over powers of ten
    "slowest": _geometric_mean,
    "fastest": _geometric_mean,
}
#: figures that are compared by their ratio, window by window
RATIOS = ("step1", "div_b", "slowest", "fastest")


def figures(record: Record, ensemble: Ensemble, window: Window) -> Figures:
    """The figures of one rollout; ensemble: the truth of all simulations with its parameters."""
    pred, truth = record.pred, record.truth
    variance = pred["variance"].values
    rate = growth_rate(variance)
    last = len(variance) - 1 if record.diverged_at is None else record.diverged_at - 1
    magnetic = "div_b_spectral" in pred
    pace = np.exp((ln_activity(pred) - ln_activity(truth)).sel(step=slice(None, last)).values)
    return Figures(
        simulation=window.simulation.name,
        window=window.index,
        rate=rate.rate,
        channel=str(pred["channel"].values[rate.channel]),
        survival=survival(record, ensemble),
        step1=float(record.data["vrmse_seed"].sel(step=1)),
        div_b=float(pred["div_b_spectral"].sel(step=last)) if magnetic else None,
        slowest=float(pace[-1].min()) if len(pace) else np.nan,
        fastest=float(pace[-1].max()) if len(pace) else np.nan,
        basin=basin(pred) if magnetic else None,
    )


def survival(record: Record, ensemble: Ensemble) -> float:
    """First step at which |d ln var| <= W fails in any channel; infinite if it holds throughout.

    What is not finite fails.
    """
    departed = departure(record, ensemble.ln_variance).sel(step=slice(1, None))
    kept: xr.DataArray = abs(departed) <= ensemble.width(ensemble.ln_variance).value
    failed = ~kept.all("channel")
    steps = failed["step"].values[failed.values]
    return float(steps[0]) if len(steps) else inf


def arm(name: str, windows: Sequence[Figures], bare: Sequence[Figures] | None = None) -> Arm:
    """The row of an arm; `bare`: the bare model's figures on the same windows, in the same order."""
    pairs = list(zip(windows, bare, strict=True)) if bare is not None else []
    for one, other in pairs:
        if (one.simulation, one.window) != (other.simulation, other.window):
            raise ValueError(f"arm {name!r} and the bare model were rolled over different windows")
    return Arm(
        name=name,
        windows=tuple(windows),
        figures=_spreads(windows),
        against=_spreads([_compare(one, other) for one, other in pairs], leaving_out="survival"),
        longer=sum(one.survival > other.survival for one, other in pairs),
        shorter=sum(one.survival < other.survival for one, other in pairs),
        basins=dict(Counter(w.basin for w in windows if w.basin is not None)),
    )


def _compare(one: Figures, other: Figures) -> Figures:
    """The figures of one rollout against those of another: rates subtracted, others divided."""
    ratios = {figure: _ratio(getattr(one, figure), getattr(other, figure)) for figure in RATIOS}
    return one.model_copy(update={"rate": one.rate - other.rate, **ratios})


def _ratio(value: float | None, reference: float | None) -> float | None:
    if value is None or reference is None:
        return None
    with np.errstate(all="ignore"):
        return float(np.float64(value) / reference)


def _spreads(windows: Sequence[Figures], leaving_out: str = "") -> dict[str, Spread]:
    """Median and range over simulations of every figure that all windows have."""
    spreads = {}
    for figure, reduce in REDUCE.items():
        if not windows or figure == leaving_out:
            continue
        groups: dict[str, list[float]] = {}
        for window in windows:
            groups.setdefault(window.simulation, []).append(getattr(window, figure))
        if not any(None in group for group in groups.values()):
            joined = [reduce(group) for group in groups.values()]
            spreads[figure] = Spread.model_validate(population_figures(joined))
    return spreads
