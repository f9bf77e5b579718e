"""Bad input gets a clear error and the right exit code, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from harness import engine, makers
from harness.paths import ROOT
from tests import toy
from tests.conftest import Toy


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--model", "conv-mimi"), "did you mean conv-mini"),
        (("--model", "conv-mini+divfre"), "did you mean divfree"),
        (("--model", "conv-mini="), "is not NAME[=CHECKPOINT]"),
        (("--model", "conv-mini=absent.safetensors"), "no checkpoint 'absent.safetensors'"),
        (("--model", "absent.py:Net"), "no file 'absent.py'"),
        (("--model", "toy.py:Shift,./toy.py:Shift"), "two models have the label"),
        (("--protocol", "simulatd"), "did you mean simulated"),
        (("--protocol", "absent.toml"), "absent.toml"),
        (("--protocol", "well-t17=activ_matter"), "did you mean active_matter"),
        (("--protocol", "well-t17"), "well-t17=DATASET"),
        (("--protocol", "well-t17=hydro_2d_walls"), "make it with: harness data hydro --data "),
        (("--protocol", "well-t17=hydro_2d_wals"), "did you mean hydro_2d_walls"),
        (("--trajectories", "wave7"), "did you mean"),
        (("--trajectories", "0"), "nothing to judge"),
        (("--steps", "0"), "at least 1"),
        (("--device", "quantum"), "quantum"),
    ],
)
def test_wrong_words_are_answered_with_exit_4(
    toy_bench: Toy, arguments: tuple[str, ...], says: str
) -> None:
    assert toy_bench.pytest(*arguments) == 4
    assert says in toy_bench.output
    assert not list((toy_bench.folder / "cache").rglob("*.nc"))  # before any rollout


def test_missing_data_says_where_it_looked_and_how_to_get_it(toy_bench: Toy) -> None:
    assert toy_bench.pytest("--protocol", "mhd64-early") == 4
    assert "MHD_64" in toy_bench.output
    assert str(toy_bench.folder / "data") in toy_bench.output
    assert "harness fetch MHD_64 --split test" in toy_bench.output


def test_a_model_and_its_data_are_missed_on_one_screen(toy_bench: Toy) -> None:
    assert toy_bench.pytest("--model", "fno-scratch", "--protocol", "mhd64-early") == 4
    # The library is missed first where it is not installed, then the weights.
    missed = ("the weights of fno-scratch were not published", "The Well's FNO needs")
    assert any(words in toy_bench.output for words in missed)
    assert "harness fetch MHD_64 --split test" in toy_bench.output


def test_a_class_that_is_not_there_or_no_surrogate(toy_bench: Toy) -> None:
    assert toy_bench.pytest("--model", "toy.py:Shfit") == 4
    assert "did you mean Shift" in toy_bench.output
    (toy_bench.folder / "bare.py").write_text("class Bare:\n    pass\n")
    assert toy_bench.pytest("--model", "bare.py:Bare") == 4
    assert "lacks fields, n_history" in toy_bench.output


def test_what_was_refused_or_judges_nothing_leaves_the_newest_run_alone(toy_bench: Toy) -> None:
    assert toy_bench.pytest() == 0, toy_bench.output
    reports = toy_bench.folder / "reports"
    before, newest = sorted(reports.iterdir()), (reports / "latest").resolve()
    refused = ["--model", "nope"]
    for arguments, code in (
        (refused, 4), ([*refused, "-n", "2"], 4), (["-k", "nonesuch"], 5), (["--collect-only"], 0),
    ):  # fmt: skip
        assert toy_bench.pytest(*arguments) == code, toy_bench.output
        assert "report: " not in toy_bench.output
    assert sorted(reports.iterdir()) == before
    assert (reports / "latest").resolve() == newest


def test_windows_longer_than_every_simulation_are_said_before_the_model_is_asked(
    toy_bench: Toy,
) -> None:
    source = (toy_bench.folder / "toy.py").read_text()
    (toy_bench.folder / "toy.py").write_text(f"{source}\n\nShift.seconds_per_step = lambda *_: 1 / 0\n")
    recipe = (toy_bench.folder / "toy.toml").read_text()
    (toy_bench.folder / "toy.toml").write_text(recipe.replace("starts = [0]", "starts = [900]"))
    assert toy_bench.pytest() == 4
    assert "no trajectory can be judged" in toy_bench.output
    assert "INTERNALERROR" not in toy_bench.output


def test_a_protocol_without_a_window_is_said_and_the_others_run(toy_bench: Toy) -> None:
    recipe = (toy_bench.folder / "toy.toml").read_text()
    (toy_bench.folder / "late.toml").write_text(recipe.replace("starts = [0]", "starts = [900]"))
    assert toy_bench.pytest("--protocol", "late.toml") == 1, toy_bench.output
    assert "3 parts of the data cannot be judged" in toy_bench.output
    assert {t.protocol for t in toy_bench.run.tests} == {"toy"}
    assert "late" in " ".join(toy_bench.run.notes)


def test_a_cache_that_is_a_file_is_named(toy_bench: Toy) -> None:
    place = toy_bench.folder / "a-file"
    place.write_text("")
    assert toy_bench.pytest(HARNESS_CACHE=str(place)) == 4
    assert f"ERROR: HARNESS_CACHE is not a folder: {place}" in toy_bench.output
    assert "INTERNALERROR" not in toy_bench.output


def test_a_cache_that_cannot_be_made_is_named(
    toy_bench: Toy, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = toy_bench.folder / "a-file" / "cache"
    place.parent.write_text("")
    monkeypatch.setenv("HARNESS_CACHE", str(place))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    # The toy's data are no part of the cache; the embedded truth is.
    plain = ("--model", "persistence", "--device", "cpu", "-p", "no:hypothesispytest")
    done = pytester.runpytest_inprocess(toy_bench.folder / "suites", *plain, "--reports", "reports")
    assert done.ret == 4
    assert f"(the cache is {place}; $HARNESS_CACHE names another)" in str(done.stderr)


def test_reports_that_cannot_be_made_are_one_line(toy_bench: Toy) -> None:
    (toy_bench.folder / "taken").write_text("")
    for place in ("taken", "taken/below"):
        assert toy_bench.pytest("--reports", place) == 4
        assert f"ERROR: no run folder under {place}: Not a directory" in toy_bench.output
        assert "INTERNALERROR" not in toy_bench.output


def test_a_truncated_file_is_named_and_the_others_run(toy_bench: Toy) -> None:
    path = toy_bench.folder / "data/datasets/toy/data/test/wave1.hdf5"
    path.write_bytes(path.read_bytes()[:3000])
    assert toy_bench.pytest() == 1, toy_bench.output
    assert {r.simulation for r in toy_bench.run.tests} == {"wave0", "wave2", None}
    assert {r.outcome for r in toy_bench.run.tests} <= {"passed", "recorded", "not-applicable"}
    (note,) = toy_bench.run.notes
    assert "wave1.hdf5" in note and toy_bench.run.unusable == (note,)
    assert "note: " in toy_bench.output and "1 part of the data cannot be judged" in toy_bench.output
    folder = toy_bench.folder / "reports/latest"
    assert "## Red: 1 part of the data not judged" in (folder / "summary.md").read_text()
    assert "1 part of the data cannot be judged." in (folder / "report.html").read_text()
    # Who names what is to be judged has asked for no more.
    assert toy_bench.pytest("--trajectories", "wave0,wave2") == 0, toy_bench.output


def test_a_frame_of_another_shape_is_refused(toy_bench: Toy) -> None:
    toy_bench.model(0.0, body="frame = frame[:, :4]")
    assert toy_bench.pytest() == 1
    assert "the model returned shape (7, 4, 8, 8), expected (7, 8, 8, 8)" in toy_bench.output


def test_out_of_memory_is_an_error_of_that_rollout_only(toy_bench: Toy) -> None:
    body = "if window.simulation.name == 'wave1': raise torch.cuda.OutOfMemoryError('3.5 GiB wanted')"
    toy_bench.model(0.0, body=body)
    assert toy_bench.pytest() == 1
    outcomes = {r.simulation: r.outcome for r in toy_bench.run.tests if r.criterion}
    assert outcomes == {"wave0": "passed", "wave1": "error", "wave2": "passed"}
    assert "out of GPU memory" in toy_bench.result("wave1:mean").message
    assert "3.5 GiB wanted" in toy_bench.result("wave1:mean").message


def test_a_failed_job_fails_at_once_the_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def fail(job: object, *_: object) -> None:
        made.append(job)
        raise ValueError("broken")

    monkeypatch.setattr(makers, "make", fail)
    monkeypatch.setattr(engine, "key", lambda *_: "k" * 64)

    class Empty:
        def get(self, key: str) -> None:
            return None

        def put(self, key: str, data: object) -> None:
            raise AssertionError("nothing was made")

        def lock(self, key: str) -> torch.no_grad:
            return torch.no_grad()

    from harness.jobs import truth_job
    from tests.test_registry import simulation

    made_by = engine.Engine(Empty(), torch.device("cpu"), ())  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(engine.RolloutError, match="broken"):
            made_by.record(truth_job(simulation()))
    assert len(made) == 1


def interrupt(bench: Toy, *arguments: str) -> tuple[int, str]:
    """Ctrl-C in the middle of a rollout, when one is finished; exit code and what was printed."""
    steps = bench.folder / "steps"
    steps.touch()
    counts = f"os.truncate({str(steps)!r}, os.stat({str(steps)!r}).st_size + 1)"
    bench.model(0.0, body=f"import os, time; {counts}; time.sleep(0.3)")
    environment = {**os.environ, "HARNESS_CACHE": str(bench.folder / "cache")}
    environment["PYTHONPATH"] = str(ROOT)
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "suites", *toy.arguments(bench.folder), *arguments],
        cwd=bench.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        # A terminal interrupts all processes of a command.
        start_new_session=True,
        # A shell's background job ignores Ctrl-C, and hands that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    records = bench.folder / "cache" / "records"
    deadline = time.monotonic() + 120
    while len(list(records.rglob("*.nc"))) < 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    # In the middle of a step of the next rollout: elsewhere the signal may meet pytest's own work.
    before = steps.stat().st_size
    while steps.stat().st_size == before and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


def test_interrupted_in_the_middle_the_same_command_resumes(toy_bench: Toy) -> None:
    code, output = interrupt(toy_bench)
    assert code == 2, output
    records = toy_bench.folder / "cache" / "records"
    finished = {path.name for path in records.rglob("[!.]*.nc")}
    assert len(finished) in (1, 2)
    run = toy_bench.run
    assert run.missing and run.exit_status == 2
    assert f"{len(run.missing)} tests never reported: the run was interrupted" in output
    silent = [r for r in run.tests if r.nodeid in run.missing]
    assert {(r.outcome, r.message) for r in silent} == {
        ("missing", "never reported: the run was interrupted")
    }
    assert toy_bench.pytest() == 0
    assert sum(r.from_store for r in toy_bench.run.records) == len(finished)


def test_interrupted_with_its_workers_a_run_reports_what_it_has(toy_bench: Toy) -> None:
    # Under this checkout's own settings, which make errors of warnings.
    settings = ("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(toy_bench.folder))
    code, output = interrupt(toy_bench, "-n", "2", *settings)
    assert code == 2, output
    assert "Traceback" not in output
    run = toy_bench.run
    assert run.missing and run.exit_status == 2
    assert "never reported: the run was interrupted" in output
    assert (toy_bench.folder / "reports" / "latest" / "report.html").is_file()


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    script = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from pathlib import Path
from harness.record import Store, StoreError
from tests.test_record import KEY, dataset
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    Store(Path({str(tmp_path)!r})).put(KEY, dataset())
except StoreError as error:
    print("StoreError", error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert "StoreError cannot write record" in done.stdout, done.stderr
    assert not list(tmp_path.rglob("*.nc"))


def test_weights_that_cannot_be_read_are_one_sentence_for_each_test(toy_bench: Toy) -> None:
    (toy_bench.folder / "half.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    assert toy_bench.pytest("--model", "fno-mini=half.safetensors") == 1
    errors = [t for t in toy_bench.run.tests if t.outcome == "error"]
    assert len(errors) == 7
    assert all("half.safetensors is not a complete safetensors file" in t.message for t in errors)
    assert "Traceback" not in toy_bench.output and "harness/surrogates" not in toy_bench.output


OWN = """
import torch
from harness.surrogates.base import ModuleSurrogate


class Own(ModuleSurrogate):
    def __init__(self, checkpoint=None):
        module = torch.nn.Linear(3, 2)
        state = torch.load(checkpoint, weights_only=True)
        module.load_state_dict(state)
        raise RuntimeError("a mistake of its own")
"""


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"weight": torch.zeros(4, 3), "bias": torch.zeros(4)},
         "net.pt does not fit Own: weight is (4, 3), the model has (2, 3), and 1 more of other shapes"),
        ({"model": {"weight": torch.zeros(2, 3)}},
         "net.pt does not fit Own: missing weight, bias; unexpected model"),
        (b"garbage", "net.pt cannot be loaded as weights only: it is no file of torch.save ("),
        (Path("x"), "net.pt cannot be loaded as weights only: Unsupported global: GLOBAL pathlib."),
    ],
    ids=["shape", "nested", "garbage", "code"],
)  # fmt: skip
def test_a_checkpoint_of_ones_own_that_does_not_fit_is_one_line(
    toy_bench: Toy, state: object, says: str
) -> None:
    (toy_bench.folder / "own.py").write_text(OWN)
    if isinstance(state, bytes):
        (toy_bench.folder / "net.pt").write_bytes(state)
    else:
        torch.save(state, toy_bench.folder / "net.pt")
    assert toy_bench.pytest("--model", "own.py:Own=net.pt") == 4
    (line,) = [line for line in toy_bench.output.splitlines() if "net.pt" in line]
    assert line.startswith(f"ERROR: {says}")


def test_what_fells_every_test_is_told_once(toy_bench: Toy) -> None:
    (toy_bench.folder / "own.py").write_text(OWN)
    torch.save({"weight": torch.zeros(2, 3), "bias": torch.zeros(2)}, toy_bench.folder / "net.pt")
    assert toy_bench.pytest("--model", "own.py:Own=net.pt") == 1
    says = "RuntimeError: a mistake of its own"
    sentence = f"has no judged figure in this run; 7 tests ended without a figure: {says}."
    assert sentence in toy_bench.output.replace("\n", " ")
    latest = toy_bench.folder / "reports" / "latest"
    assert sentence in (latest / "report.html").read_text(encoding="utf-8")
    summary = (latest / "summary.md").read_text(encoding="utf-8")
    assert summary.count(says) == 2  # what is red, and the sentence
    assert "the first of 7" in summary
