"""Finds out, before anything runs, whether models can roll this run's windows, and how long it takes:
hours on a CPU are spent only if the user says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from harness.plan import Plan
from harness.plugin.workers import is_worker
from harness.surrogates import registry
from harness.surrogates.families import family
from harness.surrogates.forecast import Forecasting, seconds, spoken
from harness.surrogates.spec import ModelError, ModelSpec
from harness.truth.window import Window

#: seconds that a run may take, for one rollout of every window, on a device that nobody named
LIMIT = 3600.0
#: seconds that are not worth a line, of a model that does not itself say what it takes
SHORT = 60.0


def check(config: pytest.Config, plan: Plan) -> list[str]:
    """What the models say; UsageError (exit 4) for a window that one cannot roll, and for a run that
    takes hours on a device that was not asked for.
    """
    if is_worker(config):
        return []  # the controller has asked already
    said = [_forecast(config, plan, spec) for spec in plan.models if registry.forecasts(spec)]
    torch.cuda.empty_cache()  # the workers need what the timed steps took
    return [text for text in said if text]


def _forecast(config: pytest.Config, plan: Plan, spec: ModelSpec) -> str:
    """What one model takes; nothing of a quick one, and of one that cannot be asked."""
    chosen = plan.options
    windows = [window for group in plan.windows.values() for window in group]
    # Without a window nothing is rolled, and the run says why.
    total = _seconds(plan, spec, windows) if windows else None
    if total is None:
        return ""
    steps = sum(window.steps for window in windows)
    text = (
        f"{spec.label} on {chosen.device} in {chosen.precision}: about {spoken(total / steps)} a step "
        f"or more, {spoken(total)} for one rollout of each of {len(windows)} windows ({steps} steps)"
    )
    if total > LIMIT and config.getoption("device") == "auto":
        raise pytest.UsageError(
            f"{text}.\nUse a machine with a GPU, or fewer --trajectories and --steps; "
            f"say --device {chosen.device} if you mean it."
        )
    return text


def _seconds(plan: Plan, spec: ModelSpec, windows: Sequence[Window]) -> float | None:
    """Time of one rollout of every window; None if it is short, or cannot be had without a rollout."""
    chosen = plan.options
    device = torch.device(chosen.device)
    try:
        surrogate = registry.load(spec, plan.simulations)
        if isinstance(surrogate, Forecasting):
            return seconds(surrogate, windows, device, chosen.precision)
        if "autonomous" not in surrogate.traits:
            return None  # a replay has no answer to a state of ones
        total = seconds(surrogate, windows, device, chosen.precision)
        return total if total > SHORT else None
    except ModelError:
        raise
    except Exception as error:
        if isinstance(error, ValueError) and family(spec.name) is not None:
            raise ModelError(f"{spec.name}: {error}") from error
        return None  # a user's model may fail in any way: the test that needs it says how
