"""Asks expensive models, before anything runs, whether they can roll this run's windows, and how long
it takes: hours on a CPU are spent only if the user says so.
"""

from __future__ import annotations

import pytest
import torch

from harness.plan import Plan
from harness.plugin.workers import is_worker
from harness.surrogates import registry
from harness.surrogates.forecast import Forecasting, seconds, spoken
from harness.surrogates.spec import ModelError, ModelSpec

#: seconds that a run may take, for one rollout of every window, on a device that nobody named
LIMIT = 3600.0


def check(config: pytest.Config, plan: Plan) -> list[str]:
    """What the models say; UsageError (exit 4) for a window that one cannot roll, and for a run that
    takes hours on a device that was not asked for.
    """
    if is_worker(config):
        return []  # the controller has asked already
    return [_forecast(config, plan, spec) for spec in plan.models if registry.forecasts(spec)]


def _forecast(config: pytest.Config, plan: Plan, spec: ModelSpec) -> str:
    chosen = plan.options
    windows = [window for group in plan.windows.values() for window in group]
    surrogate = registry.load(spec, plan.simulations)
    assert isinstance(surrogate, Forecasting)
    try:
        total = seconds(surrogate, windows, torch.device(chosen.device), chosen.precision)
    except ValueError as error:
        raise ModelError(f"{spec.name}: {error}") from error
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
