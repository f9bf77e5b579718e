"""--update-baselines: says what it changes, and loses nothing by accident."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Toy

BASELINE = "baselines/toy.Shift/toy/test_toy.json"


def content(bench: Toy) -> dict[str, dict[str, object]]:
    return json.loads((bench.folder / BASELINE).read_text())


def test_prints_the_table_and_writes_sorted_six_digit_entries(recorded: Toy) -> None:
    assert "baselines updated" in recorded.output
    assert "test_offset[wave0-w0:mean]" in recorded.output
    text = (recorded.folder / BASELINE).read_text()
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert content(recorded)["conditions"] == {
        "draw": "seeded", "precision": "fp32", "steps": "protocol",
    }  # fmt: skip
    figure = content(recorded)["test_offset[wave0-w0:mean]"]["figure"]
    assert figure == float(f"{figure:.6g}")


def test_no_change_rewrites_nothing(recorded: Toy) -> None:
    before = (recorded.folder / BASELINE).read_bytes()
    assert recorded.pytest("--update-baselines") == 0
    assert "baselines unchanged" in recorded.output
    assert (recorded.folder / BASELINE).read_bytes() == before


def test_a_rollout_that_diverges_at_the_same_step_is_no_change(toy_bench: Toy) -> None:
    toy_bench.model(0.2, body="if number >= 3: frame[:] = float('nan')")
    assert toy_bench.pytest("--update-baselines") == 0
    before = content(toy_bench)
    assert "Infinity" in str(before)
    assert toy_bench.pytest("--update-baselines") == 0
    assert "baselines unchanged" in toy_bench.output
    assert content(toy_bench) == before


def test_a_crashed_test_keeps_its_entry_and_the_update_is_refused(recorded: Toy) -> None:
    before = content(recorded)
    recorded.model(0.2, body="raise MemoryError('no room')")
    assert recorded.pytest("--update-baselines") == 1
    assert "NOT updated" in recorded.output
    assert content(recorded) == before


def test_fewer_trajectories_are_refused_and_delete_nothing(recorded: Toy) -> None:
    before = content(recorded)
    recorded.model(0.9)
    assert recorded.pytest("--update-baselines", "--trajectories", "1") == 1
    assert content(recorded) == before
    assert recorded.pytest("--update-baselines", "--trajectories", "1", "--force-update") == 0
    after = content(recorded)
    assert set(after) == set(before)
    assert after["test_offset[wave0-w0:mean]"]["figure"] == 0.9
    assert after["test_offset[wave1-w0:mean]"] == before["test_offset[wave1-w0:mean]"]


def test_a_selection_by_keyword_is_refused(recorded: Toy) -> None:
    before = content(recorded)
    recorded.model(0.9)
    assert recorded.pytest("--update-baselines", "-k", "wave1") == 1
    assert "NOT updated" in recorded.output
    assert content(recorded) == before


def test_foreign_files_and_other_models_stay(recorded: Toy) -> None:
    notes = recorded.folder / "baselines" / "toy.Shift" / "toy" / "NOTES.md"
    notes.write_text("why")
    other = recorded.folder / "baselines" / "another" / "toy" / "test_toy.json"
    other.parent.mkdir(parents=True)
    other.write_text('{"conditions": {}}')
    recorded.model(0.2)
    assert recorded.pytest("--update-baselines") == 0
    assert notes.read_text() == "why"
    assert other.read_text() == '{"conditions": {}}'


def test_a_complete_run_forgets_test_cases_that_are_gone(recorded: Toy) -> None:
    suite = recorded.folder / "suites" / "test_toy.py"
    suite.write_text(suite.read_text().replace('("mean", "maximum")', '("mean",)'))
    assert recorded.pytest("--update-baselines") == 0
    assert not [name for name in content(recorded) if "maximum" in name]
    assert "gone" in recorded.output


LAST_CASE = "test_offset[wave2-w0:maximum]"
STOP = """\
    if case.window.simulation.name == "wave1":
        __import__("pytest").exit("enough", 2)
"""


def test_an_interrupted_run_forgets_nothing_even_if_forced(recorded: Toy) -> None:
    before = content(recorded)
    recorded.model(0.9)
    suite = recorded.folder / "suites" / "test_toy.py"
    text = suite.read_text().replace("record, criterion", "record, case, criterion")
    suite.write_text(text.replace("    shift =", f"{STOP}    shift ="))
    assert recorded.pytest("--update-baselines", "--force-update") == pytest.ExitCode.INTERRUPTED
    after = content(recorded)
    assert set(after) == set(before)
    assert after["test_offset[wave0-w0:mean]"]["figure"] == 0.9
    assert after[LAST_CASE] == before[LAST_CASE]


def test_a_simulation_that_cannot_be_read_keeps_its_entries(recorded: Toy) -> None:
    before = content(recorded)
    path = recorded.folder / "data/datasets/toy/data/test/wave2.hdf5"
    path.write_bytes(path.read_bytes()[:3000])
    recorded.model(0.9)
    assert recorded.pytest("--update-baselines") == 0, recorded.output
    after = content(recorded)
    assert set(after) == set(before)
    assert after["test_offset[wave0-w0:mean]"]["figure"] == 0.9
    assert after[LAST_CASE] == before[LAST_CASE]


def test_an_update_hides_no_failure_but_what_it_recorded(recorded: Toy) -> None:
    suite = recorded.folder / "suites" / "test_other.py"
    suite.write_text("def test_other():\n    assert False\n")
    recorded.model(0.9)
    assert recorded.pytest("--update-baselines") == 1
    assert "baselines updated" in recorded.output
    assert content(recorded)["test_offset[wave0-w0:mean]"]["figure"] == 0.9


def test_a_complete_run_under_other_conditions_replaces_the_file(recorded: Toy) -> None:
    suite = recorded.folder / "suites" / "test_toy.py"
    skipped = "    if criterion == 'maximum':\n        __import__('pytest').skip('not here')\n"
    suite.write_text(suite.read_text().replace("    shift =", f"{skipped}    shift ="))
    assert recorded.pytest("--update-baselines", "--steps", "4") == 0, recorded.output
    after = content(recorded)
    assert after["conditions"]["steps"] == 4
    assert set(after) == {"conditions"} | {f"test_offset[wave{i}-w0:mean]" for i in range(3)}
    assert recorded.output.count("gone") == 3
    # Figures of other conditions are no churn to be left out: all are written anew.
    assert recorded.pytest("--steps", "4") == 0, recorded.output


@pytest.mark.parametrize("narrowed", ["--trajectories 1", "-k wave0", ""])
def test_a_baseline_of_other_conditions_takes_no_part_of_a_run(recorded: Toy, narrowed: str) -> None:
    before = content(recorded)
    if not narrowed:
        (recorded.folder / "data/datasets/toy/data/test/wave2.hdf5").write_bytes(b"")
    more = ["--steps", "4", "--update-baselines", "--force-update", *narrowed.split()]
    assert recorded.pytest(*more) == 1, recorded.output
    assert content(recorded) == before
    assert "toy.Shift/toy/test_toy holds another run's conditions" in recorded.output


def test_a_checkpoint_is_recorded_under_a_name_only(toy_bench: Toy) -> None:
    path = toy_bench.folder / "toy.py"
    source = path.read_text()
    path.write_text(source.replace("def __init__(self)", "def __init__(self, checkpoint=None)"))
    (toy_bench.folder / "w.pt").write_text("")
    model = ["--model", "toy.py:Shift=w.pt"]
    assert toy_bench.pytest(*model, "--update-baselines") == 4
    assert "toy.Shift.w has no baseline of its own" in toy_bench.output
    assert "--against NAME --update-baselines" in toy_bench.output


def test_syrupys_own_update_cannot_touch_baselines(recorded: Toy) -> None:
    before = content(recorded)
    recorded.pytest("--snapshot-update")
    assert content(recorded) == before


def test_under_xdist_the_same_file(recorded: Toy) -> None:
    before = content(recorded)
    (recorded.folder / BASELINE).unlink()
    assert recorded.pytest("--update-baselines", "-n", "2") == 0, recorded.output
    assert content(recorded) == before


def test_a_broken_baseline_file_is_named(recorded: Toy) -> None:
    path = recorded.folder / BASELINE
    path.write_text(path.read_text()[:40])
    assert recorded.pytest() == 4
    assert Path(BASELINE).name in recorded.output
    assert "cannot be read" in recorded.output
    assert recorded.pytest("--update-baselines") == 1
    assert f"baselines NOT updated: baseline {path} cannot be read" in recorded.output
    assert recorded.run.tests and len(path.read_text()) == 40


@pytest.mark.parametrize("force", [[], ["--force-update"]])
def test_a_model_that_cannot_be_made_updates_nothing(recorded: Toy, force: list[str]) -> None:
    before = content(recorded)
    path = recorded.folder / "toy.py"
    path.write_text(path.read_text().replace("super().__init__(MHD)", "raise ValueError('no')"))
    assert recorded.pytest("--update-baselines", *force) == 1, recorded.output
    assert {t.outcome for t in recorded.run.tests if t.property == "offset"} == {"error"}
    assert content(recorded) == before
