"""--update-baselines: says what it changes, and loses nothing by accident."""

from __future__ import annotations

import json
from pathlib import Path

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
