"""The folder of a run: reports/<time>, and the link to the newest."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

#: how a run ends that judged nothing, and that nothing broke off
EMPTY = (None, pytest.ExitCode.OK, pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED)


def new(root: Path, started: datetime) -> Path:
    """A fresh folder under `root`, named by the time.

    UsageError if none can be made there, or no name is free.
    """
    name = started.strftime("%Y%m%d-%H%M%S")
    for suffix in ("", *(f"-{i}" for i in range(2, 1000))):
        try:
            folder = root / f"{name}{suffix}"
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
        except OSError as error:
            said = f"no run folder under {root}: {error.strerror} (--reports names another place)"
            raise pytest.UsageError(said) from error
    raise pytest.UsageError(f"no free run folder under {root}")


def discard(folder: Path, exit_status: int | None) -> None:
    """Take back the folder of a run that came to nothing, with a junit.xml that says no more.

    exit_status: None where the run was refused before it began.  One that broke off keeps its file.
    """
    if exit_status in EMPTY:
        (folder / "junit.xml").unlink(missing_ok=True)
    with suppress(OSError):  # what else is in it stays
        folder.rmdir()


def point(link: Path, folder: Path) -> None:
    """Let a link, reports/latest, point at a run beside it, by one atomic rename."""
    temporary = link.with_name(f".{link.name}.{folder.name}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.name)
    temporary.replace(link)
