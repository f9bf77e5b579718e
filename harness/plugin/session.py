"""What one pytest run knows: the plan, the engine and the baselines, made once and when needed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import jobs, paths, plan
from harness.baselines import Baseline, BaselineError
from harness.engine import Engine
from harness.plan import Case, Plan
from harness.plugin import options, preflight
from harness.plugin.progress import Progress
from harness.plugin.workers import terminal
from harness.record import Record, Store
from harness.results import Expectation
from harness.statistics import Ensemble
from harness.suggest import unknown
from harness.surrogates.spec import ModelError, ModelSpec
from harness.truth.errors import MissingData, TruthError

SESSION = pytest.StashKey["Session"]()


@dataclass
class Session:
    """The state of a physics run in one process."""

    config: pytest.Config
    plan: Plan
    progress: Progress
    notes: list[str] = field(default_factory=list)

    @cached_property
    def engine(self) -> Engine:
        """Makes and finds records; its store is shared by all processes and runs."""
        return Engine(
            Store(paths.cache() / "records"),
            torch.device(self.plan.options.device),
            self.plan.simulations,
            self.progress.step,
        )

    @cached_property
    def _ensembles(self) -> dict[tuple[Any, ...], Ensemble]:
        return {}

    def ensemble(self, case: Case) -> Ensemble:
        """Truth records of all simulations with the parameters of a case's own."""
        assert case.window is not None
        kin = self.plan.kin(case.protocol, case.window.simulation)
        if kin not in self._ensembles:
            records = tuple(self.engine.record(jobs.truth_job(s)) for s in kin)
            self._ensembles[kin] = Ensemble(records)
        return self._ensembles[kin]

    def job(self, request: jobs.Request, case: Case) -> jobs.Job:
        """What a request means for a case under the options of this run."""
        assert case.window is not None
        return self.plan.job(request, case.model, case.window)

    def records(self, requests: tuple[jobs.Request, ...], case: Case) -> list[Record]:
        """The records a test reads, made if they are not there yet."""
        return [self.engine.record(self.job(request, case)) for request in requests]

    # -- baselines ---------------------------------------------------------------------------

    @cached_property
    def conditions(self) -> dict[str, Any]:
        """What a baseline must share with this run to apply."""
        chosen = self.plan.options
        return {
            "steps": chosen.steps or "protocol",
            "precision": chosen.precision,
            "draw": "seeded" if chosen.seeded else "none",
        }

    @property
    def judges_by_baselines(self) -> bool:
        """Whether expected failures count in this run."""
        get = self.config.getoption
        return not (get("no_baselines") or get("update_baselines"))

    def baseline_name(self, model: ModelSpec) -> str | None:
        """Folder of a model's baseline: its own, or the one named by --against."""
        return self.config.getoption("against") or model.baseline

    def baseline(self, case: Case) -> Baseline | None:
        """The baseline of a case's model, or of the model named by --against."""
        name = self.baseline_name(case.model)
        if name is None:
            return None
        return Baseline(self.config.getoption("baselines"), name, case.protocol)

    @cached_property
    def _expectations(self) -> dict[tuple[str, str, str], Mapping[str, Expectation]]:
        return {}

    def expectation(self, case: Case, suite: str, name: str) -> Expectation | None:
        """The recorded entry of a test case, if there is one and it applies."""
        if not self.judges_by_baselines:
            return None
        baseline = self.baseline(case)
        if baseline is None:
            return None
        key = (baseline.model, baseline.protocol, suite)
        if key not in self._expectations:
            self._expectations[key] = self._applicable(baseline, suite)
        return self._expectations[key].get(name, self._expectations[key].get(""))

    def _applicable(self, baseline: Baseline, suite: str) -> Mapping[str, Expectation]:
        """The entries of a suite that apply; "" is what a published baseline says of all others."""
        try:
            recorded, entries = baseline.conditions(suite), baseline.expectations(suite)
            published = baseline.published
        except BaselineError as error:
            raise pytest.UsageError(str(error)) from error
        if published is not None:
            recorded = recorded or dict(published.conditions)
            entries = {"": Expectation(verdict="unrecorded", source=published.citation)} | entries
        if recorded is not None and recorded != self.conditions:
            unlike = ", ".join(
                f"{k}: recorded {recorded.get(k)}, now {v}"
                for k, v in self.conditions.items()
                if recorded.get(k) != v
            )
            note = (
                f"baseline {baseline.model}/{baseline.protocol} does not apply ({unlike}): "
                "plain verdicts"
            )
            if note not in self.notes:
                self.notes.append(note)
            return {}
        return entries


def is_physics_run(config: pytest.Config) -> bool:
    """Whether property suites are among what pytest was asked to run, or our options were given."""
    suites = paths.ROOT / "suites"
    if options.given(config):
        return True
    for argument in config.args:
        path = (config.invocation_params.dir / argument.split("::")[0]).resolve()
        if path == suites or suites in path.parents or path in suites.parents:
            return True
    return False


def of(config: pytest.Config) -> Session:
    """The run's session, made on first use.  UsageError (exit 4) for what cannot be run."""
    if SESSION not in config.stash:
        torch.set_num_threads(1)  # more would change digits, and thrash on a shared machine
        progress = Progress(config)
        cache: Path | None = None
        try:
            cache = paths.cache()
            made = plan.make(options.options(config), progress.simulate)
            forecasts = preflight.check(config, made)
        except MissingData as error:
            root = options.options(config).data_root
            raise pytest.UsageError(f"{error}\n{plan.how_to_get(error, root)}") from error
        except (ModelError, TruthError) as error:
            raise pytest.UsageError(str(error)) from error
        except OSError as error:
            raise pytest.UsageError(_located(error, cache)) from error
        finally:
            progress.clear()
        if not any(made.windows.values()):
            problems = "\n".join(map(str, made.problems))
            raise pytest.UsageError(f"no trajectory can be judged:\n{problems}")
        _check_gate(config, made)
        config.stash[SESSION] = Session(config, made, progress)
        config.stash[SESSION].notes += [str(problem) for problem in made.problems]
        config.stash[SESSION].notes += [
            f"protocol {name} is not judged: none of its trajectories can be"
            for name, windows in made.windows.items()
            if not windows
        ]
        _say(config, forecasts)
    return config.stash[SESSION]


def _located(error: OSError, cache: Path | None) -> str:
    """What the system says, of which file, and that the cache is there, if it is."""
    if not error.filename:
        return str(error)
    said, file = f"{error.strerror}: {error.filename}", Path(error.filename)
    if cache is not None and (cache.is_relative_to(file) or file.is_relative_to(cache)):
        said += f" (the cache is {cache}; $HARNESS_CACHE names another)"
    return said


def _say(config: pytest.Config, forecasts: list[str]) -> None:
    reporter = terminal(config)
    if reporter is not None:
        for forecast in forecasts:
            reporter.write_line(forecast)


def _check_gate(config: pytest.Config, made: Plan) -> None:
    """UsageError where --against names no baseline, or an update has no file, or two models for it."""
    name, updating = config.getoption("against"), config.getoption("update_baselines")
    if name is None:
        nameless = [model.label for model in made.models if model.baseline is None]
        if updating and nameless:
            raise pytest.UsageError(
                f"--update-baselines: {nameless[0]} has no baseline of its own, since it is a "
                "checkpoint; say under which name to record it: --against NAME --update-baselines"
            )
        return
    root = Path(config.getoption("baselines"))
    known = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    if updating and len(made.models) > 1:
        labels = ", ".join(model.label for model in made.models)
        raise pytest.UsageError(
            f"--against {name} with --update-baselines records one model, not {labels}"
        )
    if not updating and paths.slug(name) not in known:
        raise pytest.UsageError(f"--against: {unknown('baseline', name, known)}, under {root}")


def command(config: pytest.Config) -> tuple[str, ...]:
    """The command that was typed; a worker of xdist is given its arguments."""
    return ("pytest", *map(str, config.invocation_params.args or sys.argv[1:]))


def folder(config: pytest.Config) -> Path:
    """reports/: where run folders go."""
    return Path(config.getoption("reports"))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Lay out the run before anything is collected: a wrong name fails here, with exit 4."""
    if is_physics_run(session.config):
        of(session.config)
