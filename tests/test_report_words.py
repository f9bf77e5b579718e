"""What a report says: sentences, outcomes, numbers, the order of the matrix, the Markdown page."""

from __future__ import annotations

import math
import re
import statistics
from pathlib import Path

import pytest

import harness.report
from harness.judging import describe
from harness.report import curves, markdown, matrix, outcomes, page, rollouts, sections, story
from harness.report.basins import Basin
from harness.report.text import duration, listing, number, rerun
from harness.report.typeset import typeset
from harness.results import Run, Verdict
from harness.results import TestResult as Result
from tests.report_example import without_figures

# -- words ---------------------------------------------------------------------------------------


def test_the_sentence_says_what_the_figures_say(example: tuple[Run, Path]) -> None:
    run, _ = example
    told = {s.model: s for s in _stories(*example)}
    first = [t.verdict for t in run.tests
             if t.property == "step1_vrmse" and t.model == "conv-mini"]  # fmt: skip
    median = statistics.median(v.figure for v in first if v)
    assert f"predicts one step well (median VRMSE[seed] {median:.2g}" in told["conv-mini"].sentence
    steps = [
        step
        for t in run.tests
        if t.property == "bounded_rollout" and t.model == "conv-mini" and t.verdict
        for step, value, limit in zip(
            t.verdict.steps, t.verdict.curve, t.verdict.limit_curve, strict=True
        )
        if value > limit
    ]
    assert f"lets the magnetic field run away in every window, as early as step {min(steps)}" in (
        told["conv-mini"].sentence
    )
    assert "B_z grows 0.11 e-folds per step" in told["conv-mini"].sentence
    assert "1 rollout not finite from step 41" in told["conv-mini"].sentence
    assert "lets the velocity fade" in told["fno-mini"].sentence
    assert "grows" not in told["fno-mini"].sentence
    assert "mass" in told["fno-mini"].broken and "positivity" in told["fno-mini"].kept
    assert "spectral_slope[slope]" in told["fno-mini"].broken
    assert "spectral_slope[shape]" in told["fno-mini"].sometimes
    assert "spectral_slope[pileup]" in told["fno-mini"].kept


def test_a_rate_is_told_of_the_windows_that_are_lost_only(example: tuple[Run, Path]) -> None:
    run, _ = example
    lost = _result("violated", "bounded_rollout", 3.0)
    kept = [_result("passed", "bounded_rollout", window=window) for window in (1, 2)]
    one = run.model_copy(update={"tests": (lost, *kept), "records": ()})
    rows = [_basin("s0-w0", "rho", 0.11), _basin("s0-w1", "v_x", 0.2), _basin("s0-w2", "v_x", 0.2)]
    sentence = story.stories(one, [], rows)[0].sentence
    assert "in 1 of 3 windows" in sentence
    assert "rho grows 0.11 e-folds per step there (last 10 steps)" in sentence
    calm = run.model_copy(update={"tests": tuple(kept), "records": ()})
    assert "grows" not in story.stories(calm, [], rows)[0].sentence


def test_a_model_that_is_never_finite_loses_no_field(example: tuple[Run, Path]) -> None:
    run = without_figures(example[0], "conv-mini")
    told = {s.model: s.sentence for s in story.stories(run, [], [])}
    assert told["conv-mini"] == (
        "is no better than persistence at one step in every window (median VRMSE[seed] not finite, "
        "persistence 0.33) and is not finite from step 1 on in every window (bounded_rollout); "
        "1 test ended without a figure: RolloutError: out of GPU memory on cuda:0."
    )
    assert "loses the velocity in 6 of 12 windows" in told["fno-mini"]


def test_a_field_is_lost_where_it_leaves_its_limit_before_the_end(example: tuple[Run, Path]) -> None:
    def rollout(window: int, curve: tuple[float, ...], end: int) -> Result:
        verdict = _verdict(math.inf, steps=(1, 2, 3), curve=curve, limit_curve=(1.0,) * 3,
                           step=end, diverged_at=end, where="B_z")  # fmt: skip
        return _result("violated", "bounded_rollout", window=window, verdict=verdict)

    ends = rollout(0, (0.5, math.inf, math.inf), 2)
    later = rollout(1, (0.5, 0.5, math.inf), 3)
    grows = rollout(2, (0.5, 2.0, math.inf), 3)
    told = []
    for tests in ((ends, later), (ends, later, grows)):
        run = example[0].model_copy(update={"tests": tests, "records": ()})
        told.append(story.stories(run, [], [])[0].sentence)
    assert told[0] == "is not finite from step 2 at the earliest in every window (bounded_rollout)."
    assert told[1] == ("loses the magnetic field in 1 of 3 windows, as early as step 2 "
                       "(bounded_rollout): 3 rollouts not finite from step 2.")  # fmt: skip


def _basin(label: str, channel: str, rate: float) -> Basin:
    return Basin("fno-mini", label, (), None, None, rate, None, channel, 50)


def _stories(run: Run, folder: Path) -> list[story.Story]:
    found, _ = rollouts.load(run, folder)
    return story.stories(run, found, harness.report.basins(run, found))


def _verdict(margin: float, **more: object) -> Verdict:
    return Verdict(figure=margin, limit=1.0, margin=margin, unit="x", **more)


def _result(outcome: str, name: str = "mass", margin: float | None = 0.5, **more: object):
    facts = {
        "nodeid": f"suites/test_a.py::test_{name}[m:p/s0-w0]", "suite": "test_a", "property": name,
        "model": "fno-mini", "protocol": "simulated", "simulation": "s0", "window": 0,
        "outcome": outcome, "verdict": None if margin is None else _verdict(margin),
    }  # fmt: skip
    return Result.model_validate(facts | more)


@pytest.mark.parametrize(
    ("tests", "words"),
    [
        ([_result("passed")], "keeps every judged property in every window."),
        ([_result("passed", "step1_vrmse", 0.9)], "beats persistence at one step"),
        ([_result("violated", "step1_vrmse", 1.2)], "is no better than persistence at one step"),
        ([_result("violated", "step1_vrmse", 1.2), _result("passed")],
         ") and keeps every other judged property in every window."),
        ([_result("passed", "step1_vrmse", 0.9), _result("passed")],
         ") and keeps every judged property in every window."),
        ([_result("passed"), _result("error", margin=None), _result("missing", margin=None)],
         "keeps every judged property in every window; 2 tests ended without a figure."),
        ([_result("error", margin=None)],
         "has no judged figure in this run; 1 test ended without a figure."),
        ([_result("error", margin=None, message=message) for message in (
            "harness.engine.RolloutError: rollout m on p/s0-w0: X.",
            "RolloutError: twin m on p/s1-w0 failed before: twin m on p/s1-w0: X.")],
         "has no judged figure in this run; 2 tests ended without a figure: X."),
        ([_result("error", margin=None, message=message) for message in ("a", "b", "b")],
         "; 3 tests ended without a figure, 2 of them: b."),
        ([_result("error", margin=None, message=message) for message in ("a", "b")],
         "; 2 tests ended without a figure."),
        ([_result("passed"), _result("error", margin=None, model="conv-mini")],
         "keeps every judged property in every window."),
        ([_result("passed", "bounded_rollout"), _result("violated", "mass", 3.0)],
         "stays bounded over the rollout but breaks mass."),
        ([_result("not-applicable", margin=None)], "has no judged figure in this run."),
    ],
)  # fmt: skip
def test_a_sentence_claims_no_more_than_was_judged(
    example: tuple[Run, Path], tests: list[Result], words: str
) -> None:
    run = example[0].model_copy(update={"tests": tuple(tests), "records": ()})
    assert words in story.stories(run, [], [])[0].sentence


def test_repaired_is_red_except_when_gating(example: tuple[Run, Path]) -> None:
    run, _ = example
    assert outcomes.is_red(_result("repaired"), run)
    origin = run.provenance.model_copy(update={"against": "fno-mini"})
    gated = run.model_copy(update={"provenance": origin})
    assert not outcomes.is_red(_result("repaired"), gated)
    assert outcomes.is_red(_result("violated"), gated)
    assert not outcomes.is_red(_result("unrecorded"), run)
    origin = run.provenance.model_copy(update={"recorded": True})
    recorded = run.model_copy(update={"provenance": origin})
    assert not outcomes.is_red(_result("violated"), recorded)
    assert outcomes.is_red(_result("error"), recorded)


def test_silent_tests_are_counted_once(example: tuple[Run, Path]) -> None:
    run, _ = example
    lost = _result("missing", margin=None)
    both = run.model_copy(update={"tests": (lost,), "missing": (lost.nodeid, "other")})
    assert outcomes.unreported(both) == tuple(sorted((lost.nodeid, "other")))
    assert [(look.outcome, n) for look, n in outcomes.counts(both)] == [("missing", 2)]


@pytest.mark.parametrize(
    ("typed", "against", "kept"),
    [
        ((), None, ""),
        (("--against", "m"), "m", " --against m"),
        (("--against=m",), "m", " --against=m"),
        ((), "m", " --against m"),
    ],
)
def test_a_command_keeps_the_options_that_select_the_test(
    typed: tuple[str, ...], against: str | None, kept: str
) -> None:
    command = ("pytest", "suites/", "-n", "2", "--model", "m=./w.safetensors", "--steps=10",
               "--update-baselines", "--no-baselines", "-k", "mass", *typed)  # fmt: skip
    assert rerun("suites/a.py::t[m:p/s0-w0]", command, against) == (
        f"pytest 'suites/a.py::t[m:p/s0-w0]' --model m=./w.safetensors --steps=10 --no-baselines{kept}"
    )


def test_numbers_read_well() -> None:
    assert number(0.000123) == "0.000123"
    assert number(-1234567.0) == "−1.23e6"
    assert number(1e-7) == "1e−7"
    assert number(math.inf) == "∞" and number(math.nan) == "NaN" and number(None) == "–"
    assert duration(59.5) == "59.5 s" and duration(171) == "2 min 51 s"
    assert duration(7260) == "2 h 1 min"
    assert listing(["a"]) == "a" and listing(["a", "b", "c"]) == "a, b and c"


@pytest.mark.parametrize(
    ("text", "set_"),
    [
        ("D = sqrt(sum k^2 |B|^2)", "D = √(sum k<sup>2</sup> |B|<sup>2</sup>)"),
        ("E(k_perp) over k_par", "E(k<sub>⊥</sub>) over k<sub>∥</sub>"),
        ("sigma_r = <v^2 - b^2>", "σ<sub>r</sub> = ⟨v<sup>2</sup> − b<sup>2</sup>⟩"),
        ("S_4 / S_2^2 for rho > 0", "S<sub>4</sub> / S<sub>2</sub><sup>2</sup> for ρ &gt; 0"),
        ("2^(1-n), 1.25 x W, E+-", "2<sup>1−n</sup>, 1.25 × W, E±"),
        ("|lambda64 - lambda32| <= 1e-4", "|λ64 − λ32| ≤ 1e-4"),
        ("bounded_rollout of `token_stride`", "bounded_rollout of <code>token_stride</code>"),
    ],
)
def test_formulas_are_typeset(text: str, set_: str) -> None:
    assert typeset(text) == set_


def test_markup_in_a_formula_stays_text() -> None:
    found = typeset("a <script>alert(1)</script> & <img src=x onerror=alert(1)>")
    assert not re.search(r"<(?!/?(sub|sup|code)>)", found) and "&amp;" in found


def test_a_figure_and_its_limit_do_not_look_equal(example: tuple[Run, Path]) -> None:
    verdict = Verdict(figure=1.3901, limit=1.3863, margin=1.3901 / 1.3863, unit="R")
    assert describe("patch", verdict) == "patch R = 1.39 > 1.386"
    run = example[0].model_copy(update={"tests": (_result("violated").model_copy(
        update={"verdict": verdict}),), "missing": ()})  # fmt: skip
    assert "1.39 &gt; 1.386" in markdown.summary(run, [])


# -- matrix and curves ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("margin", "shade"),
    [(0.0, "k5"), (0.05, "k4"), (1.0, "k1"), (1.0001, "b1"), (9.9, "b3"), (1e6, "b5"),
     (math.inf, "b6"), (math.nan, "b6")],
)  # fmt: skip
def test_colour_follows_the_margin(margin: float, shade: str) -> None:
    assert matrix.shade(_verdict(margin)) == shade


def test_columns_sort_as_people_count_and_populations_come_last(
    example: tuple[Run, Path],
) -> None:
    names = ["s10", None, "s2", "Ma0.7_Ms0.5", "Ma0.7_Ms2"]
    tests = [_result("passed", simulation=n, window=None if n is None else 0) for n in names]
    run = example[0].model_copy(update={"tests": tuple(tests)})
    found = matrix.matrix(run, sections.ids(run))
    assert [c.simulation for c in found.columns] == ["Ma0.7_Ms0.5", "Ma0.7_Ms2", "s2", "s10", None]


def test_several_protocols_have_columns_of_their_own(example: tuple[Run, Path]) -> None:
    tests = [_result("passed"), _result("violated", protocol="other", margin=2.0)]
    run = example[0].model_copy(update={"tests": tuple(tests), "protocols": ("simulated", "other")})
    found = matrix.matrix(run, sections.ids(run))
    assert [c.protocol for c in found.columns] == ["simulated", "other"]
    assert [c.outcome for c in found.rows[0].cells if c] == ["passed", "violated"]


def test_a_long_curve_is_thinned_but_keeps_its_worst_step() -> None:
    steps = tuple(range(1, 1001))
    curve = tuple(9.0 if step == 777 else 0.1 for step in steps)
    verdict = _verdict(9.0, step=777, steps=steps, curve=curve, limit_curve=(1.0,) * 1000)
    figure = curves.figure([_result("violated").model_copy(update={"verdict": verdict})],
                           ["s0-w0"], ["fno-mini"])  # fmt: skip
    assert figure is not None
    (line,) = figure["lines"]
    assert len(line["y"]) <= curves.MAX_POINTS + 1
    assert figure["x"][line["x"]][line["y"].index(9.0)] == 777
    assert line["limit"] == 1.0  # constant: one number


# -- Markdown ---------------------------------------------------------------------------------


def test_the_summary_names_red_tests_first(example: tuple[Run, Path]) -> None:
    run, folder = example
    text = (folder / "summary.md").read_text(encoding="utf-8")
    red = [t for t in run.tests if outcomes.is_red(t, run)]
    assert f"## Red: {len(red) + 1} tests" in text  # and the silent one
    assert text.index("**error**") < text.index("**regression**") < text.index("**violated**")
    assert text.index("**violated**") < text.index("| property |")
    for test in red:
        assert markdown.plain(test.message) in text
    assert run.missing[0] in text
    worst = max(
        (t.verdict for t in run.tests if t.property == "mass" and t.model == "fno-mini" and t.verdict),
        key=lambda v: v.margin or 0,
    )
    assert f"| `mass` | 0 / 12 / 0, {worst.figure:.3g} &gt; {worst.limit:.3g} |" in text


def test_a_criterion_with_a_pipe_stays_in_its_cell(example: tuple[Run, Path]) -> None:
    run = example[0].model_copy(update={"tests": (_result("passed", criterion="|a|"),)})
    text = markdown.summary(run, [])
    assert r"| `mass[\|a\|]` | 1 / 0 / 0, 0.5 &le; 1 |  |" in text


def test_code_spans_hold_backticks() -> None:
    assert markdown.code("a `b` ``c``") == "``` a `b` ``c`` ```"


def test_red_tests_of_one_criterion_share_an_entry(example: tuple[Run, Path]) -> None:
    tests = [
        _result("violated", margin=2.0 + window, window=window, message=f"mass {window}")
        for window in range(3)
    ]
    run = example[0].model_copy(update={"tests": tuple(tests), "missing": ()})
    text = markdown.summary(run, [])
    assert "## Red: 3 tests" in text
    assert "- **violated** mass 2 (fno-mini on s0-w2, the worst of 3)" in text
    assert text.count("**violated**") == 1


def test_a_green_run_says_so(example: tuple[Run, Path]) -> None:
    run = example[0].model_copy(update={"tests": (_result("passed"),), "missing": (), "exit_status": 0})
    text = markdown.summary(run, story.stories(run, [], []))
    assert "Nothing is red." in text and "1 test: 1 passed. Exit status 0." in text


# -- colours -------------------------------------------------------------------------------------


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_of_words_and_symbols_stands_out(scheme: str) -> None:
    style = (page.TEMPLATES / "page.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root[^{]*\{(.*?)\}", style, re.S)[:2]
    palettes = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in blocks]
    colour = palettes[0] | (palettes[1] if scheme == "dark" else {})
    words = ["ink", "soft", "link", "alarm", "calm", *(f"m{i}" for i in range(6))]
    pairs = {(name, "paper") for name in words} | {(name, "panel") for name in ("ink", "soft", "link")}
    pairs |= {("on-deep", f"b{i}") for i in (4, 5, 6)} | {("on-kept", "k5")}
    pairs |= {("on-pale", f"{kind}{i}") for kind in "kb" for i in (1, 2, 3)} | {("on-pale", "k4")}
    faint = {pair: ratio for pair in pairs if (ratio := _contrast(*(colour[n] for n in pair))) < 4.5}
    assert not faint
