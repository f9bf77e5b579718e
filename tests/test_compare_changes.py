"""What became of a case: facts by margin, by divergence, by failure, and by what was published."""

from __future__ import annotations

import math

import pytest

from harness.comparison.changes import change
from harness.comparison.compare import Case, Comparison, Criterion, Party, compare, most_noted
from harness.comparison.inference import decide, infer, infer_values
from harness.comparison.sides import Key, Side
from harness.report.compare_text import gravest
from harness.results import Expectation, Fact, TestResult, Verdict

INF = math.inf


def case(
    figure: float | None = None,
    limit: float = 1.0,
    diverged_at: int | None = None,
    outcome: str = "passed",
    values: dict[str, float | str | None] | None = None,
) -> TestResult:
    verdict = None
    if figure is not None:
        zero = 0.0 if figure == 0 else INF
        margin = figure / limit if limit else zero
        verdict = Verdict(
            figure=figure,
            limit=limit,
            margin=margin,
            unit="s",
            step=diverged_at or 5,
            diverged_at=diverged_at,
        )
    return TestResult(
        nodeid="x", suite="test_x", property="x", model="m", protocol="p", simulation="s0", window=0,
        outcome=outcome, verdict=verdict, values=values or {}, message="CUDA out of memory",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((0.5,), (1.5,), "broken"),
        ((1.5,), (0.5,), "repaired"),
        ((2.0,), (2.09,), "same"),
        ((2.0,), (2.11,), "worse"),
        ((2.0,), (1.89,), "better"),
        ((0.10,), (0.109,), "same"),  # 9 % of the figure, but under 1 % of the limit
        ((0.10,), (0.112,), "worse"),
        ((2.0, 1.0), (3.0, 2.0), "better"),  # another channel with another limit: margins count
        ((INF, 1.0, 40), (INF, 1.0, 36), "same"),  # a tenth earlier is not yet worse
        ((INF, 1.0, 40), (INF, 1.0, 35), "worse"),
        ((INF, 1.0, 35), (INF, 1.0, 40), "better"),
        ((5.0,), (INF, 1.0, 50), "worse"),
        ((INF, 1.0, 50), (5.0,), "better"),
        ((0.0, 0.0), (1e-4, 0.0), "broken"),  # a limit of zero
        ((1e-4, 0.0), (1.04e-4, 0.0), "same"),
        ((1e-4, 0.0), (1.06e-4, 0.0), "worse"),
        ((1e-4, 0.0), (INF, 0.0, 9), "worse"),
    ],
)
def test_figures(before: tuple[float, ...], after: tuple[float, ...], expected: str) -> None:
    found = change(case(*before), case(*after), None, 0.05)  # type: ignore[arg-type]
    assert found.change == expected


def test_the_tolerance_is_the_users() -> None:
    pair = case(2.0), case(2.3)
    assert change(*pair, None, 0.1).change == "worse"
    assert change(*pair, None, 0.2).change == "same"


def test_a_crash_is_not_a_pass() -> None:
    found = change(case(0.5), case(outcome="error"), None, 0.05)
    assert found == ("broken", "no figure: CUDA out of memory")
    assert change(case(0.5), case(outcome="missing"), None, 0.05).change == "broken"
    back = change(case(outcome="error"), case(0.5), None, 0.05)
    assert back.change is None and back.reason.startswith("no figure before")


@pytest.mark.parametrize(("ends", "expected"), [((5, 5), "same"), ((40, 30), "worse")])
def test_a_figure_ends_where_it_or_the_rollout_does(ends: tuple[int, int], expected: str) -> None:
    """A figure may be undefined before the rollout is: the first of the two is its end."""
    pair = [side_of(ended_at(end, diverged_at=42)) for end in ends]
    (one,) = compare(*pair, 0.05).criteria[0].cases
    assert one.change == expected
    assert one.before and one.after and (one.before.step, one.after.step) == ends


def ended_at(step: int, diverged_at: int) -> TestResult:
    found = case(INF, diverged_at=diverged_at)
    assert found.verdict is not None
    return found.model_copy(update={"verdict": found.verdict.model_copy(update={"step": step})})


def side_of(*tests: TestResult) -> Side:
    keyed = {Key(t.protocol, t.property, t.criterion, t.simulation, t.window): t for t in tests}
    return Side("m", "m", "run", {"p": {}}, {}, keyed)


def recorded() -> TestResult:
    return case(0.5, outcome="recorded")


@pytest.mark.parametrize("outcome", ["error", "missing"])
def test_a_recorded_reference_hides_no_failure(outcome: str) -> None:
    found = compare(side_of(recorded()), side_of(case(outcome=outcome)), 0.05)
    assert found.counts()["broken"] == 1
    (back,) = compare(side_of(case(outcome=outcome)), side_of(recorded()), 0.05).criteria
    assert back.cases[0].reason.startswith("no figure before")


def test_a_recorded_reference_hides_no_verdict_and_what_both_record_is_left_out() -> None:
    bare = recorded().model_copy(update={"verdict": None})
    (one,) = compare(side_of(bare), side_of(case(1.5, outcome="violated")), 0.05).criteria
    assert one.cases[0].reason == "recorded on one side"
    assert compare(side_of(recorded()), side_of(recorded()), 0.05).criteria == ()


def test_two_sides_without_a_verdict_are_each_named() -> None:
    found = change(case(outcome="recorded"), case(outcome="not-applicable"), None, 0.05)
    assert found == (None, "recorded before, not-applicable now")
    found = change(case(outcome="recorded"), case(outcome="recorded"), None, 0.05)
    assert found == (None, "recorded on both sides")


def test_what_is_not_judged_is_not_compared() -> None:
    found = change(case(0.5), case(outcome="not-applicable"), None, 0.05)
    assert found == (None, "not-applicable on one side")


def test_a_verdict_without_a_figure_still_tells_broken_from_kept() -> None:
    assert change(case(outcome="expected"), case(0.5), None, 0.05).change == "repaired"
    assert change(case(outcome="passed"), case(1.5), None, 0.05).change == "broken"
    assert change(case(outcome="expected"), case(1.5), None, 0.05) == (
        "same", "the verdict alone is known",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("today", "expected"), [(0.30, "same"), (0.38, "worse"), (0.20, "better"), (None, "worse")]
)
def test_published_facts_decide_where_no_figure_was_published(
    today: float | None, expected: str
) -> None:
    entry = Expectation(
        verdict="violated",
        facts={"lambda": Fact(value=0.29, tolerance=0.04, worse="higher")},
    )
    published = case(outcome="expected", values={"lambda": 0.29})
    found = change(published, case(1.5, values={"lambda": today}), entry, 0.05)
    assert found == (expected, "by the published facts")
    unmeasured = change(published, case(1.5, values={"lambda": math.nan}), entry, 0.05)
    assert unmeasured == ("same", "the verdict alone is known")


def verdict(figure: float, limit: float = 2.0) -> Verdict:
    found = case(figure, limit).verdict
    assert found is not None
    return found


def test_one_difference_per_simulation_in_limits() -> None:
    pairs = [
        ("s0", verdict(2.0), verdict(4.0)),
        ("s0", verdict(2.0), verdict(8.0)),
        ("s1", verdict(2.0), verdict(2.0)),
    ]
    found = infer(pairs)
    assert found.differences == {"s0": 2.0, "s1": 0.0}
    assert (found.n, found.unit, found.method, found.coverage) == (2, "limits", "range", 0.5)
    assert (found.median, found.low, found.high) == (1.0, 0.0, 2.0)
    assert found.p is None and found.decided is None and found.smallest_p == 0.5
    assert found.detectable is not None and found.detectable > 2


def test_a_zero_limit_leaves_the_figures_own_unit() -> None:
    found = infer([("s0", verdict(0.0, 0.0), verdict(3.0, 0.0))])
    assert (found.unit, found.median) == ("figure", 3.0)


def test_divergence_on_one_side_is_infinite_on_both_has_no_size() -> None:
    one = infer([(f"s{i}", verdict(1.0), verdict(INF if i else 3.0)) for i in range(3)])
    assert (one.median, one.low, one.detectable) == (INF, 1.0, None)
    both = infer([("s0", verdict(INF), verdict(INF)), ("s1", verdict(1.0), verdict(2.0))])
    assert both.median is None and "finite on neither side in" in both.reason


def shifted(n: int, by: float) -> object:
    return infer([(f"s{i}", verdict(2.0 + i), verdict(2.0 + i + by)) for i in range(n)])


def test_holm_decides_only_where_n_allows() -> None:
    few = decide({f"c{i}": shifted(8, 1.0) for i in range(7)})  # type: ignore[misc]
    assert {one.decided for one in few.values()} == {None}  # 2^-7 > 0.05 / 7
    enough = decide({f"c{i}": shifted(8, 1.0) for i in range(6)})  # type: ignore[misc]
    assert {one.decided for one in enough.values()} == {True}
    mixed = decide({"moves": shifted(12, 1.0), "stays": shifted(12, 0.0)})  # type: ignore[dict-item]
    assert (mixed["moves"].decided, mixed["stays"].decided) == (True, False)


def test_of_published_values_the_worst_is_the_farthest_apart() -> None:
    def case(window: int, before: float, after: float) -> Case:
        noted = {"lambda": (before, after), "basin": ("y", "z")}
        return Case(
            simulation="s0", window=window, before=None, after=None, difference=None,
            change="worse", reason="", noted=noted,
        )  # fmt: skip

    cases = (case(0, 0.1, 0.2), case(1, 0.0, 0.4), case(2, 0.3, 0.3))
    assert most_noted(cases) == ("lambda", [("s0", 0.1, 0.2), ("s0", 0.0, 0.4), ("s0", 0.3, 0.3)])
    criterion = Criterion(
        protocol="p", property="bounded_rollout", criterion="", unit="", statement="", cases=cases,
        inference=infer_values(most_noted(cases)[1]),
    )  # fmt: skip
    party = Party(label="a", model="a", source="")
    comparison = Comparison(reference=party, other=party, worse_than=0.05, criteria=(criterion,))
    (group,) = gravest(comparison, ["worse"])
    assert group.case.window == 1 and "the worst of 3" in str(group)
