"""xdist: all tests that read one rollout run on one worker, and a crash costs one test.

pytest-xdist's own `loadscope` groups by module and, when a worker dies, queues the crashing test
again on every replacement and finished tests as empty work.  This scheduler groups by the case's
group and marks the crashing test as done (reported as crashed); the rest of its group goes to
another worker, which finds the record in the store.  It leans on attributes of LoadScopeScheduling
that are not documented; tests/test_scheduler.py kills workers to see that they still hold.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

from harness.plugin import session as sessions


class ByRollout(LoadScopeScheduling):  # type: ignore[misc]
    """Load scheduling whose scope is the rollout: model and window, or model and protocol."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        self._plan = sessions.of(config).plan

    def _split_scope(self, nodeid: str) -> str:
        case = self._plan.case_named(nodeid)
        return case.group if case else str(super()._split_scope(nodeid))

    def remove_node(self, node: Any) -> str | None:
        """Forget a dead or finished worker; returns the test that crashed it, if any."""
        work = self.assigned_work.get(node, {})
        unfinished = (t for unit in work.values() for t, done in unit.items() if not done)
        crashed = next(unfinished, None)
        if crashed is None:
            return super().remove_node(node)
        for scope, unit in list(work.items()):
            if crashed in unit:
                unit[crashed] = True
            if all(unit.values()):
                del work[scope]
        if self._pending_of(work):
            super().remove_node(node)
        else:
            del self.assigned_work[node]
        return crashed

    def _reschedule(self, node: Any) -> None:
        if node.shutting_down:
            return
        # A worker runs a test only when it knows the next one, so it must hold two.
        while self.workqueue and self._pending_of(self.assigned_work[node]) < 2:
            self._assign_work_unit(node)
        if not self.workqueue:
            node.shutdown()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Use it for a physics run, unless another distribution was asked for."""
    if not sessions.is_physics_run(config) or config.getoption("dist") not in ("load", "loadgroup"):
        return None
    # Else xdist sorts units by size, and models interleave.
    config.option.loadscopereorder = False
    return ByRollout(config, log)
