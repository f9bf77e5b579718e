"""The side-by-side benchmark refuses to leave a variable out."""

import pytest
import torch

from benchmarks import side_by_side
from harness.diagnostics.derived import derive
from harness.diagnostics.measure import Measure
from harness.fields import MHD
from harness.rollout import structure_steps
from tests.standing import standing


@pytest.fixture
def measured():
    torch.manual_seed(0)
    stack = torch.rand(2, 7, 8, 8, 8)
    return Measure(MHD, (8, 8, 8), side_by_side.GUIDE), stack


def test_every_variable_of_a_record_is_timed(measured):
    measure, stack = measured
    record = standing(measure, stack, 3, structure_steps(3))
    derived = set(derive(record.copy())) - set(record)
    measured = {*measure.variables, *measure.structure_variables}
    assert set(measure.structure_variables) < set(record)
    side_by_side.require_all_timed(derive(record.copy()), measured | derived)
    with pytest.raises(ValueError, match="not timed: enstrophy"):
        side_by_side.require_all_timed([*record, "enstrophy"], measured | derived)
    with pytest.raises(ValueError, match=r"not timed: .*structure_function"):
        side_by_side.require_all_timed(record, set(measure.variables) | derived)


def test_a_variable_the_reference_does_not_know_is_an_error(measured):
    measure, _ = measured
    with pytest.raises(ValueError, match="in Measure or in the reference only: enstrophy"):
        side_by_side.require_same([*measure.variables, "enstrophy"], measure.variables)


def test_runs(capsys):
    """At a small grid, where no goal is promised: a full table with every variable named."""
    goals = side_by_side.compare(grid=8, rounds=2, slow_rounds=1)
    table = capsys.readouterr().out
    assert len(goals) == 4
    measure = Measure(MHD, (8, 8, 8), side_by_side.GUIDE)
    for name in (*measure.variables, *measure.structure_variables, "band_growth", "full set"):
        assert name in table


def test_an_average_step_pays_its_share_of_structure():
    """Steps 1, 10 and 50 of 0 to 50."""
    share = side_by_side.SHARE
    assert share == pytest.approx(3 / 51)
    assert side_by_side._amortised([10.0], [10.0 + 51.0]) == pytest.approx([13.0])
