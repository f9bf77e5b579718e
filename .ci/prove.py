"""Shows that the benchmark's exit 0 means something, on two simulations of the embedded truth.

Without baselines the same figures are red; with one entry removed exactly that test is red; with
one recorded figure improved by a fifth exactly that test is a regression; the truth itself and its
own solver are green without any baseline.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from harness.results import Run, TestResult  # noqa: E402

RED = {"violated", "regression", "repaired", "error", "missing"}


def bench(scratch: Path, *arguments: str) -> tuple[int, dict[str, TestResult]]:
    """Run the suites on two simulations; returns the exit code and the results by node id."""
    command = [
        sys.executable, "-m", "pytest", "suites/", "--trajectories", "2", "-q",
        "--reports", str(scratch / "reports"), *arguments,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    try:
        run = Run.load(scratch / "reports" / "latest")
    except OSError:
        sys.exit(f"{' '.join(command)} left no results:\n{done.stdout}\n{done.stderr}")
    return done.returncode, {test.nodeid: test for test in run.tests}


def red(tests: dict[str, TestResult]) -> list[str]:
    """Node ids of what makes a run fail."""
    return [nodeid for nodeid, test in tests.items() if test.outcome in RED]


def check(what: str, holds: bool) -> None:
    """Print one line of the proof; stop at the first that fails."""
    print(f"{'ok  ' if holds else 'FAIL'} {what}", flush=True)
    if not holds:
        sys.exit(1)


def edited(scratch: Path, test: TestResult, change: str) -> Path:
    """A copy of the baselines in which one entry is removed or improved."""
    folder = scratch / f"baselines-{change}"
    shutil.copytree(ROOT / "baselines", folder)
    file = folder / test.model / test.protocol / f"{test.suite}.json"
    entries = json.loads(file.read_text())
    place = test.nodeid.split(f"{test.protocol}/")[1].removesuffix("]")
    name = f"test_{test.property}[{place}]"
    if change == "removed":
        del entries[name]
    else:
        entries[name]["figure"] *= 0.8
    file.write_text(json.dumps(entries))
    return folder


def main() -> None:
    """The proof, line by line."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        code, with_baselines = bench(scratch)
        check("with the shipped baselines: exit 0", code == 0)
        expected = [t for t in with_baselines.values() if t.outcome == "expected"]
        named = [
            t
            for t in expected
            if any(words in t.message for words in (" > ", "diverged", "is not finite"))
        ]
        check(f"{len(expected)} expected failures name figure, limit and step",
              bool(expected) and named == expected)  # fmt: skip
        code, naked = bench(scratch, "--no-baselines")
        check("--no-baselines: exit 1", code == 1)
        check("... and the same figures", {n: t.verdict for n, t in naked.items()}
              == {n: t.verdict for n, t in with_baselines.items()})  # fmt: skip
        check("... the expected failures are what is red",
              set(red(naked)) == {t.nodeid for t in expected})  # fmt: skip
        finite = next(t for t in expected if t.verdict and t.verdict.figure < float("inf"))
        for change in ("removed", "improved"):
            folder = edited(scratch, finite, change)
            code, tests = bench(scratch, "--baselines", str(folder))
            check(f"one entry {change}: exactly that test is red",
                  code == 1 and red(tests) == [finite.nodeid])  # fmt: skip
        check("... as a regression", tests[finite.nodeid].outcome == "regression")
        code, tests = bench(scratch, "--model", "oracle,solver", "--no-baselines")
        check("oracle and solver: green without any baseline", code == 0 and not red(tests))
        passed = sum(t.outcome == "passed" for t in tests.values())
        check(f"... on {passed} verdicts", passed > 0)


if __name__ == "__main__":
    main()
