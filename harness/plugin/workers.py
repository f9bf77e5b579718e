"""What a process is under xdist: the controller, which a run without xdist is too, or a worker."""

from __future__ import annotations

import pytest


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of xdist."""
    return hasattr(config, "workerinput")


def terminal(config: pytest.Config) -> pytest.TerminalReporter | None:
    """What writes to the screen; a worker has none."""
    return config.pluginmanager.get_plugin("terminalreporter")
