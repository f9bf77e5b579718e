"""Under xdist: the same results, each rollout once, and a killed worker costs one test."""

from __future__ import annotations

from tests.conftest import Toy

COUNT = """\
import os, pathlib
            if number == 1:
                name = str(os.getpid()) + "-" + window.simulation.name
                pathlib.Path(os.environ["COUNT"], name).touch()"""

# The first worker that meets the second simulation dies in the middle of its rollout.
KILL = """\
import os, pathlib, signal
            dead = pathlib.Path(os.environ["COUNT"], "dead")
            if window.simulation.name == "wave1" and number == 3 and not dead.exists():
                dead.touch()
                os.kill(os.getpid(), signal.SIGKILL)"""


def outcomes(bench: Toy) -> list[tuple[object, ...]]:
    return [(r.nodeid, r.outcome, r.verdict, r.values) for r in bench.run.tests]


def test_two_workers_give_the_same_verdicts_and_figures(toy_bench: Toy) -> None:
    toy_bench.model(0.7)
    assert toy_bench.pytest("-n", "0") == 1
    serial = outcomes(toy_bench)
    assert toy_bench.pytest("-n", "2", HARNESS_CACHE=str(toy_bench.folder / "other")) == 1
    assert outcomes(toy_bench) == serial
    assert toy_bench.run.provenance.workers == 2


def test_each_rollout_is_made_once(toy_bench: Toy) -> None:
    count = toy_bench.folder / "count"
    count.mkdir()
    toy_bench.model(0.1, body=COUNT)
    assert toy_bench.pytest("-n", "2", COUNT=str(count)) == 0, toy_bench.output
    made = sorted(path.name.split("-")[1] for path in count.iterdir())
    assert made == ["wave0", "wave1", "wave2"]


def test_a_killed_worker_costs_one_test_and_the_run_ends(toy_bench: Toy) -> None:
    count = toy_bench.folder / "count"
    count.mkdir()
    toy_bench.model(0.1, body=KILL)
    assert toy_bench.pytest("-n", "2", COUNT=str(count)) == 1, toy_bench.output
    assert (count / "dead").exists()
    run = toy_bench.run
    assert len(run.missing) == 1
    assert "1 test never reported: a worker died, or the run was stopped" in toy_bench.output
    assert "wave1" in run.missing[0]
    assert len(run.tests) == 10
    assert {r.outcome for r in run.tests} == {"passed", "not-applicable", "recorded", "missing"}
    assert [r.nodeid for r in run.tests if r.outcome == "missing"] == list(run.missing)
    # The same command resumes: only what is missing is rolled out.
    assert toy_bench.pytest("-n", "2", COUNT=str(count)) == 0
    assert not toy_bench.run.missing


def test_a_parametrised_test_that_is_no_property_is_not_awaited(toy_bench: Toy) -> None:
    other = toy_bench.folder / "suites" / "test_other.py"
    other.write_text(
        "import pytest\n@pytest.mark.parametrize('n', [1, 2])\ndef test_n(n):\n    assert n\n"
    )
    assert toy_bench.pytest("-n", "2") == 0, toy_bench.output
    assert "never reported" not in toy_bench.output
    assert len(toy_bench.run.tests) == 10 and not toy_bench.run.missing
    assert toy_bench.pytest("-n", "2", "--update-baselines") == 0, toy_bench.output
