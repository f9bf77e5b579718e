"""From test reports to results.json, junit.xml and the report folder.

Workers attach their finding to the report as plain types; the controller gathers them, so that a
run under xdist and one without write the same file.
"""

from __future__ import annotations

import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import harness.report
from harness import provenance
from harness.baselines import BaselineError
from harness.plugin import junit, run_folder, updating
from harness.plugin import session as sessions
from harness.plugin.collection import case_of
from harness.plugin.progress import FOLDER, Watcher
from harness.plugin.session import Session
from harness.plugin.workers import is_worker, terminal
from harness.results import ModelEntry, RecordEntry, Run, TestResult, red_outcomes
from harness.surrogates import registry

COLLECTOR = "harness-collector"
#: in the run's folder, while it runs: what the workers are doing
PROGRESS = ".progress"
DESELECTED = pytest.StashKey[bool]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """On the controller of a physics run: open the run's folder and collect."""
    if is_worker(config) or not sessions.is_physics_run(config) or config.option.collectonly:
        return
    collector = Collector(config)
    config.pluginmanager.register(collector, COLLECTOR)
    if not config.option.xmlpath:
        config.option.xmlpath = str(collector.folder / "junit.xml")


class Collector:
    """On the controller: gathers results and writes the run's folder at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._started = datetime.now(UTC)
        self._clock = time.perf_counter()
        self.folder = run_folder.new(sessions.folder(config), self._started)
        self.results: dict[str, TestResult] = {}
        self.records: dict[tuple[Any, ...], RecordEntry] = {}
        self._read_by_populations: dict[str, RecordEntry] = {}
        self.models: dict[str, ModelEntry] = {}
        self.expected: list[str] = []
        self.deselected = False
        self._failed_elsewhere = False
        self.run: Run | None = None
        self._exit: int | None = None
        self.changes: list[updating.Change] = []
        self.sentences: list[str] = []
        self.refusal: str = ""
        self._recorded = False
        self._watcher: Watcher | None = None

    # -- gathering ---------------------------------------------------------------------------

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """A run with -k or -m is partial."""
        self.deselected = self.deselected or bool(items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """What should report (without xdist)."""
        self.expected = [item.nodeid for item in session.items if case_of(item)]

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        """What should report (under xdist: every worker collects the same)."""
        plan = sessions.of(self._config).plan
        self.expected = [i for i in ids if plan.case_named(i)]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A worker is done: its models and notes."""
        output = getattr(node, "workeroutput", {}).get("harness")
        if output:
            self._absorb(output["models"], output["notes"], output["deselected"])

    def _absorb(self, models: list[dict[str, Any]], notes: list[str], deselected: bool) -> None:
        for model in models:
            self.models[model["name"]] = ModelEntry.model_validate(model)
        session = sessions.of(self._config)
        session.notes += [note for note in notes if note not in session.notes]
        self.deselected = self.deselected or deselected

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One finding; a later phase of the same test may only make it worse."""
        if hasattr(report, "physics"):
            result = self.results[report.nodeid] = TestResult.model_validate(report.physics)
            for entry in report.physics_records:
                record = RecordEntry.model_validate(entry)
                if result.window is None:
                    self._read_by_populations.setdefault(record.key, record)
                else:
                    place = (record.key, record.model or "", record.protocol or "")
                    self.records.setdefault(place, record)
        elif report.failed:
            self._failed_elsewhere = True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be collected is a failure that no case reports."""
        self._failed_elsewhere = self._failed_elsewhere or report.failed

    def _all_records(self) -> list[RecordEntry]:
        """Every record under each model and protocol that judged it, sorted."""
        judged = [self.records[place] for place in sorted(self.records)]
        keys = {record.key for record in judged}
        return judged + [r for k, r in sorted(self._read_by_populations.items()) if k not in keys]

    # -- writing -----------------------------------------------------------------------------

    def pytest_sessionstart(self) -> None:
        """Under xdist, watch what the workers leave about their progress."""
        if getattr(self._config.option, "dist", "no") != "no":
            folder = self.folder / PROGRESS
            folder.mkdir()
            os.environ[FOLDER] = str(folder)
            reporter = terminal(self._config)
            if reporter is not None:
                self._watcher = Watcher(
                    folder, reporter, lambda: (len(self.results), len(self.expected))
                )
                self._watcher.start()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write results.json, records, baselines if asked, and the report."""
        self._exit = exitstatus
        self._stop_watching()
        if sessions.SESSION not in self._config.stash or not (self.expected or self.results):
            return  # nothing was judged: the newest run stays the one before
        physics = sessions.of(self._config)
        self._absorb([m.model_dump() for m in models_of(physics)], physics.notes, False)
        missing = tuple(i for i in self.expected if i not in self.results)
        silent = _silent(missing, physics, why_silent(exitstatus))
        named = self._config.getoption("trajectories")
        unusable = () if named else tuple(map(str, physics.plan.problems))
        if (missing or unusable) and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = exitstatus = pytest.ExitCode.TESTS_FAILED
        partial = self.deselected or updating.is_partial(self._config)
        if self._config.getoption("update_baselines"):
            session.exitstatus = exitstatus = self._update(physics, missing, partial, exitstatus)
        self.run = Run(
            name=self.folder.name,
            started=self._started.isoformat(timespec="seconds"),
            seconds=time.perf_counter() - self._clock,
            exit_status=int(exitstatus),
            provenance=provenance.collect(
                physics.plan,
                sessions.command(self._config),
                _workers(self._config),
                against=self._config.getoption("against"),
                recorded=self._recorded,
                partial=partial,
            ),
            models=tuple(
                self.models.get(s.label) or ModelEntry(name=s.label, fingerprint="", n_history=0)
                for s in physics.plan.models
            ),
            protocols=tuple(p.name for p in physics.plan.protocols),
            tests=(*(self.results[i] for i in sorted(self.results, key=self._order)), *silent),
            records=tuple(self._all_records()),
            notes=tuple(physics.notes),
            missing=missing,
            unusable=unusable,
        )
        (self.folder / "records").mkdir(exist_ok=True)
        for key in {record.key for record in self.run.records}:
            physics.engine.store.export(key, self.folder / "records")
        self.run.save(self.folder)
        if (written := Path(self._config.option.xmlpath)).is_file():
            junit.arrange(written, self.run)
        harness.report.build(self.folder)
        self.sentences = harness.report.sentences(self.folder)
        run_folder.point(self.folder.parent / "latest", self.folder)

    def pytest_unconfigure(self) -> None:
        """Leave no folder of a run that was refused, only asked for its tests, or found none."""
        self._stop_watching()  # a run that is refused before it begins never finishes its session
        if self.run is None:
            run_folder.discard(self.folder, self._exit)

    def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()
        shutil.rmtree(self.folder / PROGRESS, ignore_errors=True)

    def _order(self, nodeid: str) -> int:
        return self.expected.index(nodeid) if nodeid in self.expected else len(self.expected)

    def _update(
        self, physics: Session, missing: tuple[str, ...], partial: bool, exitstatus: int
    ) -> int:
        """Write the baselines, or say why not; the run's exit status, which keeps other failures."""
        results = list(self.results.values())
        broken = [r.nodeid for r in results if r.outcome == "error"]
        refusal = updating.refusal(partial, [*missing, *broken])
        forced = self._config.getoption("force_update")
        # Cases of truth that cannot be read were never made, and are not gone for it.
        complete = not refusal and not physics.plan.problems
        try:
            mixture = "" if complete else updating.mixture(physics, results)
            self.refusal = mixture or ("" if forced else refusal)
            if not self.refusal:
                self.changes = updating.update(physics, results, complete)
        except BaselineError as error:
            self.refusal = str(error)
        if self.refusal:
            return exitstatus or pytest.ExitCode.TESTS_FAILED
        self._recorded = True
        # A run that records its violations has done what it was asked.
        red = {r.outcome for r in results} & red_outcomes(gated=True, recorded=True)
        explained = exitstatus == pytest.ExitCode.TESTS_FAILED and not self._failed_elsewhere
        return pytest.ExitCode.OK if explained and not (red or missing) else exitstatus


def why_silent(exit_status: int) -> str:
    """Why tests of a run never reported, as far as its exit status tells."""
    if exit_status == pytest.ExitCode.INTERRUPTED:
        return "the run was interrupted"
    return "a worker died, or the run was stopped"


def _silent(missing: tuple[str, ...], physics: Session, why: str) -> list[TestResult]:
    """What is known of test cases that never reported: their names."""
    found = []
    for nodeid in missing:
        path, _, rest = nodeid.partition("::")
        function = rest.partition("[")[0]
        case = physics.plan.case_named(nodeid)
        if case is not None:
            found.append(
                TestResult(
                    nodeid=nodeid,
                    suite=Path(path).stem,
                    property=function.removeprefix("test_"),
                    criterion=case.criterion,
                    model=case.model.label,
                    protocol=case.protocol,
                    simulation=case.window.simulation.name if case.window else None,
                    window=case.window.index if case.window else None,
                    outcome="missing",
                    message=f"never reported: {why}",
                )
            )
    return found


def models_of(physics: Session) -> list[ModelEntry]:
    """What is known of the models that this process has loaded."""
    listed = registry.names()
    return [
        ModelEntry(
            name=spec.label,
            fingerprint=identity.fingerprint,
            n_history=identity.n_history,
            parameters=identity.parameters,
            description=listed.get(spec.name, ""),
        )
        for spec, identity in physics.engine.identities.items()
    ]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells the controller which models it has seen, and its notes."""
    config = session.config
    if is_worker(config) and sessions.SESSION in config.stash:
        physics = sessions.of(config)
        config.workeroutput["harness"] = {  # type: ignore[attr-defined]
            "models": [m.model_dump() for m in models_of(physics)],
            "notes": list(physics.notes),
            "deselected": bool(session.config.stash.get(DESELECTED, False)),
        }


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Remember on a worker that the run is partial: the controller does not collect."""
    if items:
        items[0].config.stash[DESELECTED] = True


def _workers(config: pytest.Config) -> int:
    count = getattr(config.option, "numprocesses", None)
    return int(count) if count else 1
