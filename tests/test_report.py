"""The report: what it says, that it is inert, small and complete, and that it works in a browser."""

from __future__ import annotations

import base64
import json
import math
import os
import re
import shlex
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import harness.report
from harness.report import curves, flow, markdown, matrix, outcomes, page, rollouts, sections, story
from harness.report.text import duration, listing, number, rerun
from harness.results import RecordEntry, Run, Verdict
from harness.results import TestResult as Result
from tests import chromium
from tests.chromium import Tab
from tests.report_example import HOSTILE, HOSTILE_SIMULATION, build_example

MAX_BYTES = 8_000_000


class Elements(HTMLParser):
    """Every element of a page as (tag, attributes), and the text inside scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def classes(self, tag: str, name: str) -> list[dict[str, str | None]]:
        return [a for t, a in self.found if t == tag and name in (a.get("class") or "").split()]


def data_of(text: str) -> dict:
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert block is not None
    return json.loads(block[1])


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    folder = tmp_path_factory.mktemp("plain")
    run = build_example(folder)
    harness.report.build(folder)
    return run, folder


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    folder = tmp_path_factory.mktemp("hostile")
    run = build_example(folder, hostile=True, simulations=2)
    harness.report.build(folder)
    return run, folder


@pytest.fixture(scope="module")
def html(example: tuple[Run, Path]) -> str:
    return (example[1] / "report.html").read_text(encoding="utf-8")


# -- the page ------------------------------------------------------------------------------------


def test_every_test_is_one_square_with_its_outcome(example: tuple[Run, Path], html: str) -> None:
    run, _ = example
    squares = [a for t, a in Elements(html).found if t == "a" and "data-case" in a]
    assert len(squares) == len(run.tests)
    for square in squares:
        test = run.tests[int(square["data-case"] or "")]
        assert square["data-outcome"] == test.outcome
        assert square["title"] == test.message
        assert test.model in (square["aria-label"] or "")
        framed = "red" in (square["class"] or "").split()
        assert framed == (test.outcome in {"violated", "regression", "error", "repaired"})


def test_every_case_has_a_row_with_the_command_that_runs_it_again(
    example: tuple[Run, Path], html: str
) -> None:
    run, _ = example
    commands = re.findall(r'<code class="command">(.*?)</code>', html)
    assert len(commands) == len(run.tests)
    assert "pytest &#39;suites/test_errors.py::test_step1_vrmse[fno-mini:simulated/s0-w0]&#39; " \
        "--model fno-mini,conv-mini" in commands  # fmt: skip


def test_counts_and_facts_are_on_the_page(example: tuple[Run, Path], html: str) -> None:
    run, _ = example
    found = Counter(test.outcome for test in run.tests)
    for name in ("passed", "not-applicable", "expected", "regression", "error"):
        assert outcomes.LOOK[name].counted(found[name]) in html
    assert "1 missing" in html and run.missing[0] in html
    for fact in (run.started, run.provenance.git_commit, "with local changes", "2 min 51 s"):
        assert fact is not None and fact in html
    for test in run.tests:
        assert test.statement.replace("'", "&#39;") in html
    assert "conv-mini on s3-w1: step 41 in B_z" in html


def test_plots_hold_every_judged_curve(example: tuple[Run, Path], html: str) -> None:
    run, _ = example
    figures = data_of(html)["figures"]
    drawn = sum(len(figure["lines"]) for figure in figures.values())
    flat = {"positivity", "fp64_invariance[audit]"}  # all figures zero: nothing to see
    judged = [t for t in run.tests if t.verdict and page_name(t) not in flat]
    assert drawn == len(judged)
    bounded = figures[sections.ids(run)["bounded_rollout"]]
    line = next(li for li in bounded["lines"] if li["model"] == 1 and li["label"] == "s3-w1")
    assert line["diverged"] == 41
    assert line["y"][40:] == [None] * 10 and None not in line["y"][:40]


def page_name(test: Result) -> str:
    return f"{test.property}[{test.criterion}]" if test.criterion else test.property


def test_the_page_needs_no_other_file(html: str) -> None:
    for tag, attributes in Elements(html).found:
        assert "src" not in attributes, tag
        target = attributes.get("href") or "#"
        assert target.startswith("#"), (tag, target)
        assert tag not in {"link", "iframe", "object", "embed", "img"}
    assert "default-src 'none'" in html


def test_the_page_is_small(example: tuple[Run, Path]) -> None:
    assert (example[1] / "report.html").stat().st_size < MAX_BYTES


def test_pictures_stay_within_their_budget() -> None:
    channels = [f"c{i}" for i in range(7)]
    planes = np.zeros((2, 6, 7, 64, 64), dtype=np.float32)
    rollout = rollouts.Rollout(
        entry=_entry("m"),
        label="w",
        data=xr.Dataset(
            {"slice": (("side", "slice_step", "channel", "y", "z"), planes)},
            coords={"slice_step": [0, 1, 5, 10, 25, 50], "channel": channels},
        ),
    )
    pictures = flow.pictures([rollout] * 4, ["m"])
    size = len(json.dumps(pictures))
    assert 0.5 * flow.PICTURE_BYTES < size < 1.05 * flow.PICTURE_BYTES
    several = flow.pictures([_renamed(rollout, f"m{i}") for i in range(4)],
                            [f"m{i}" for i in range(4)])  # fmt: skip
    assert len(json.dumps(several)) < 1.05 * flow.PICTURE_BYTES
    assert all(p["steps"][0] == 0 and p["steps"][-1] == 50 for p in several)


def _entry(model: str):
    return RecordEntry(
        key="k", file="records/k.nc", kind="rollout", model=model, protocol="p",
        simulation="s0", window=0, precision="fp32", draw=0,
    )  # fmt: skip


def _renamed(rollout: rollouts.Rollout, model: str) -> rollouts.Rollout:
    return rollouts.Rollout(_entry(model), rollout.label, rollout.data)


def test_a_plane_survives_its_packing() -> None:
    plane = np.random.default_rng(3).standard_normal((5, 6)) * 1e4
    packed = flow._quantised(plane)
    assert packed is not None
    levels = np.frombuffer(base64.b64decode(packed["levels"]), dtype="<u2").reshape(5, 6)
    back = packed["low"] + levels * (packed["high"] - packed["low"]) / 65535
    assert np.abs(back - plane).max() <= np.ptp(plane) / 65535
    assert flow._quantised(np.array([[np.nan, 1.0]])) is None


# -- hostile names -------------------------------------------------------------------------------


def test_hostile_names_are_inert(hostile: tuple[Run, Path]) -> None:
    text = (hostile[1] / "report.html").read_text(encoding="utf-8")
    elements = Elements(text)
    tags = Counter(tag for tag, _ in elements.found)
    assert tags["script"] == 2 + len(page.SCRIPTS)  # data, plotly, ours
    assert tags["img"] == 0
    assert not any(name.startswith("on") for _, a in elements.found for name in a)
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "49 " not in re.findall(r"<title>(.*?)</title>", text, re.S)[0]  # {{7*7}} stays text


def test_embedded_data_cannot_end_its_element(hostile: tuple[Run, Path]) -> None:
    text = (hostile[1] / "report.html").read_text(encoding="utf-8")
    block = text.split('id="data">')[1].split("</script>")[0]
    assert not set("<>&") & set(block)
    data = json.loads(block)
    assert data["models"] == list(HOSTILE)
    labels = {line["label"] for figure in data["figures"].values() for line in figure["lines"]}
    assert f"{HOSTILE_SIMULATION}-w0" in labels


def test_embedded_data_refuses_what_json_lacks() -> None:
    with pytest.raises(ValueError, match="JSON"):
        page.embedded({"value": math.inf})


def test_a_hostile_command_is_one_argument() -> None:
    nodeid = "suites/test_x.py::test_y[$(rm -rf /)`id`'\";m:p/s-w0]"
    assert shlex.split(rerun(nodeid, ["pytest"]))[1] == nodeid


# -- records -------------------------------------------------------------------------------------


def test_records_that_cannot_be_read_cost_their_figures_only(tmp_path: Path) -> None:
    run = build_example(tmp_path, simulations=2)
    present = sorted((tmp_path / "records").glob("*.nc"))
    damaged = next(path for path in present if path.name.startswith("growing"))
    damaged.write_bytes(b"not netCDF")
    lean = next(path for path in present if path.name.startswith("fading"))
    with xr.open_dataset(lean, engine="h5netcdf") as stored:
        reduced = stored.load().drop_vars(["spectrum", "slice"])
    reduced.to_netcdf(lean, engine="h5netcdf")
    text = harness.report.build(tmp_path).read_text(encoding="utf-8")
    data = data_of(text)
    flows = {(f["model"], f["label"]): f for f in data["flows"]}
    assert flows["fno-mini", "s0-w0"]["spectra"] is None
    assert flows["fno-mini", "s0-w0"]["growth"] is not None
    assert f"({run.records[4].file}) cannot be read" in text
    assert "is missing" in text
    assert len(data["figures"]) > 10  # judged curves come from results.json


def test_a_record_outside_the_run_folder_is_not_read(tmp_path: Path) -> None:
    run = build_example(tmp_path / "run", simulations=1)
    source = next((tmp_path / "run" / "records").glob("*.nc"))
    source.rename(tmp_path / "outside.nc")
    escaped = run.records[0].model_copy(update={"file": "../outside.nc"})
    found, problems = rollouts.load(run.model_copy(update={"records": (escaped,)}), tmp_path / "run")
    assert found == []
    assert "outside the run folder" in problems[0]


def test_no_records_and_no_tests_still_make_a_page(tmp_path: Path) -> None:
    run = build_example(tmp_path, simulations=1)
    run.model_copy(update={"tests": (), "records": ()}).save(tmp_path)
    text = harness.report.build(tmp_path).read_text(encoding="utf-8")
    assert "has no judged figure in this run" in text
    assert data_of(text)["figures"] == {}


# -- words ---------------------------------------------------------------------------------------


def test_the_sentence_says_what_the_figures_say(example: tuple[Run, Path], html: str) -> None:
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
    assert f"loses the magnetic field in every window, as early as step {min(steps)}" in (
        told["conv-mini"].sentence
    )
    assert "B_z grows 0.11 e-folds per step" in told["conv-mini"].sentence
    assert "1 rollout not finite from step 41" in told["conv-mini"].sentence
    assert "lets the velocity fade" in told["fno-mini"].sentence
    assert "grows" not in told["fno-mini"].sentence
    assert "mass" not in told["fno-mini"].kept and "positivity" in told["fno-mini"].kept
    assert told["conv-mini"].sentence.replace("'", "&#39;") in html


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
    command = ("pytest", "suites/", "--against=fno-mini")
    origin = run.provenance.model_copy(update={"command": command})
    gated = run.model_copy(update={"provenance": origin})
    assert not outcomes.is_red(_result("repaired"), gated)
    assert outcomes.is_red(_result("violated"), gated)
    assert not outcomes.is_red(_result("unrecorded"), run)


def test_silent_tests_are_counted_once(example: tuple[Run, Path]) -> None:
    run, _ = example
    lost = _result("missing", margin=None)
    both = run.model_copy(update={"tests": (lost,), "missing": (lost.nodeid, "other")})
    assert outcomes.unreported(both) == tuple(sorted((lost.nodeid, "other")))
    assert [(look.outcome, n) for look, n in outcomes.counts(both)] == [("missing", 2)]


def test_a_command_keeps_the_options_that_select_the_test() -> None:
    command = ["pytest", "suites/", "-n", "2", "--model", "m=./w.safetensors", "--steps=10",
               "--update-baselines", "--no-baselines", "-k", "mass"]  # fmt: skip
    assert rerun("suites/a.py::t[m:p/s0-w0]", command) == (
        "pytest 'suites/a.py::t[m:p/s0-w0]' --model m=./w.safetensors --steps=10 --no-baselines"
    )


def test_numbers_read_well() -> None:
    assert number(0.000123) == "0.000123"
    assert number(-1234567.0) == "−1.23e6"
    assert number(1e-7) == "1e−7"
    assert number(math.inf) == "∞" and number(math.nan) == "NaN" and number(None) == "–"
    assert duration(59.5) == "59.5 s" and duration(171) == "2 min 51 s"
    assert duration(7260) == "2 h 1 min"
    assert listing(["a"]) == "a" and listing(["a", "b", "c"]) == "a, b and c"


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


def test_growth_is_the_ratio_of_the_sides_variances(example: tuple[Run, Path]) -> None:
    found, _ = rollouts.load(*example)
    rollout = next(r for r in found if r.model == "conv-mini")
    grown = flow.growth(rollout)
    assert grown is not None
    variance = rollout.data["variance"].sel(channel="B_z", step=50).values
    row = grown["rows"][grown["channels"].index("B_z")]
    assert row[50] == pytest.approx(math.log10(variance[1] / variance[0]), abs=0.005)


# -- Markdown ------------------------------------------------------------------------------------


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


def test_hostile_names_stay_text_in_markdown(hostile: tuple[Run, Path]) -> None:
    text = (hostile[1] / "summary.md").read_text(encoding="utf-8")
    outside_code = re.sub(r"(`+).*?\1", "", text)
    assert "<script" not in outside_code and "<img" not in outside_code
    table = [row for row in text.splitlines() if row.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in table} == {4}


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


# -- in a browser --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    executable = chromium.find()
    if executable is None:
        advice = f"no Chromium on PATH; install one: {chromium.INSTALL}"
        if os.environ.get("CI"):
            pytest.fail(advice)
        pytest.skip(advice)
    with chromium.browser(executable) as tab:
        yield tab


def opened(tab: Tab, folder: Path, width: int = 1280, *, dark: bool = False) -> Tab:
    tab.requests.clear()
    tab.errors.clear()
    tab.dialogs.clear()
    tab.open(folder / "report.html", width, dark=dark)
    return tab


def draw_everything(tab: Tab) -> None:
    """Bring every plot into view, one after the other."""
    count = tab.evaluate("document.querySelectorAll('figure.plot').length")
    for index in range(count):
        figure = f"document.querySelectorAll('figure.plot')[{index}]"
        tab.evaluate(f"{figure}.scrollIntoView({{behavior: 'instant'}})")
        tab.wait(f"!!{figure}.dataset.drawn && !!{figure}.querySelector('svg.main-svg')")


def quiet(tab: Tab) -> None:
    """No console error, no dialog, and nothing asked for but the page itself."""
    assert tab.errors == []
    assert tab.dialogs == []
    assert [url for url in tab.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert sum(url.startswith("file:") for url in tab.requests) == 1


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_everything_draws_without_error_request_or_sideways_scroll(
    tab: Tab, example: tuple[Run, Path], width: int, dark: bool
) -> None:
    opened(tab, example[1], width, dark=dark)
    draw_everything(tab)
    quiet(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("document.querySelectorAll('#plane-rows canvas').length") == 6
    paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(v) for v in re.findall(r"\d+", paper)[:3]) / 3
    assert (brightness < 60) == dark


def test_hostile_names_do_nothing_in_a_browser(tab: Tab, hostile: tuple[Run, Path]) -> None:
    opened(tab, hostile[1], 390)
    draw_everything(tab)
    quiet(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.evaluate("document.querySelector('th.model').textContent.trim()") == HOSTILE[0]
    assert tab.evaluate("document.querySelectorAll('main script, main img').length") == 0
    assert HOSTILE[1] in tab.evaluate("document.getElementById('flow-rollout').textContent")
    legend = tab.evaluate("document.querySelector('figure.plot .legend').textContent")
    assert HOSTILE[0] in legend and HOSTILE[1] in legend


def test_the_page_may_not_use_the_network(tab: Tab, example: tuple[Run, Path]) -> None:
    opened(tab, example[1])
    blocked = tab.evaluate("fetch('http://127.0.0.1:9/').then(() => 'went', () => 'blocked')")
    assert blocked == "blocked"
    assert any("Content Security Policy" in error for error in tab.errors)


VISIBLE = "Array.from(document.querySelectorAll('#matrix a.cell'))" \
    ".filter(c => c.offsetParent && !c.classList.contains('faded'))"  # fmt: skip


def test_filters_leave_what_was_asked_for(tab: Tab, example: tuple[Run, Path]) -> None:
    run, _ = example
    opened(tab, example[1])
    assert tab.evaluate(f"{VISIBLE}.length") == len(run.tests)
    tab.evaluate("document.querySelector('button[data-outcome=expected]').click()")
    expected = [t for t in run.tests if t.outcome == "expected"]
    assert tab.evaluate(f"{VISIBLE}.length") == len(expected)
    tab.evaluate("document.querySelector('button[data-model=\"0\"]').click()")
    assert tab.evaluate(f"{VISIBLE}.length") == sum(t.model == "conv-mini" for t in expected)
    tab.evaluate("document.getElementById('filter-reset').click()")
    assert tab.evaluate(f"{VISIBLE}.length") == len(run.tests)
    for text, kept in (("div_b", lambda t: t.property == "div_b_ratio"),
                       ("s3-w1", lambda t: (t.simulation, t.window) == ("s3", 1))):  # fmt: skip
        tab.evaluate(f"""{{ const box = document.getElementById('filter-text');
            box.value = '{text}'; box.dispatchEvent(new Event('input')); }}""")
        assert tab.evaluate(f"{VISIBLE}.length") == sum(kept(t) for t in run.tests)


def test_tables_sort_by_value(tab: Tab, example: tuple[Run, Path]) -> None:
    run, _ = example
    opened(tab, example[1])
    table = "document.getElementById('{}').querySelector('table')".format(
        sections.ids(run)["bounded_rollout"]
    )
    column = f"Array.from({table}.tBodies, b => b.rows[0].cells[3].dataset.sort)"
    figures = sorted(t.verdict.figure for t in run.tests
                     if t.property == "bounded_rollout" and t.verdict)  # fmt: skip
    tab.evaluate(f"{table}.tHead.rows[0].cells[3].querySelector('button').click()")
    assert [float(v) for v in tab.evaluate(column)] == figures
    tab.evaluate(f"{table}.tHead.rows[0].cells[3].querySelector('button').click()")
    assert [float(v) for v in tab.evaluate(column)] == figures[::-1]
    assert tab.evaluate(f"{table}.tHead.rows[0].cells[3].ariaSort") == "descending"


def test_the_matrix_works_from_the_keyboard(tab: Tab, example: tuple[Run, Path]) -> None:
    opened(tab, example[1])
    tab.evaluate("document.querySelector('#matrix a.cell').focus()")
    assert tab.evaluate(f"{VISIBLE}.filter(c => c.tabIndex === 0).length") == 1
    for key in ("ArrowDown", "ArrowRight"):
        tab.press(key)
    label = tab.evaluate("document.activeElement.getAttribute('aria-label')")
    assert label.startswith("bounded_rollout: fno-mini on s0-w1")
    assert tab.evaluate("document.getElementById('readout').textContent").startswith(label)


def test_a_square_leads_to_its_curve_and_row(tab: Tab, example: tuple[Run, Path]) -> None:
    run, _ = example
    opened(tab, example[1])
    index = next(i for i, t in enumerate(run.tests)
                 if t.outcome == "regression")  # fmt: skip
    tab.evaluate(f"document.querySelector('a.cell[data-case=\"{index}\"]').click()")
    section = sections.ids(run)["div_b_ratio[spectral]"]
    assert tab.evaluate("location.hash") == f"#{section}"
    assert tab.evaluate("document.querySelector('tbody.here').id") == f"case-{index}"
    figure = f"document.querySelector('figure[data-figure=\"{section}\"]')"
    tab.wait(f"!!{figure}.dataset.drawn")
    bold = tab.evaluate(f"{figure}.data.filter(t => t.line && t.line.width === 2.4)"
                        ".map(t => t.hovertemplate)")  # fmt: skip
    assert len(bold) == 1 and "conv-mini s1-w0" in bold[0]


def test_the_step_slider_changes_the_pictures(tab: Tab, example: tuple[Run, Path]) -> None:
    opened(tab, example[1])
    last = "Array.from(document.querySelectorAll('#plane-rows canvas')).at(-1).toDataURL()"
    before = tab.evaluate(last)
    tab.evaluate("""{ const slider = document.getElementById('plane-step');
        slider.value = 0; slider.dispatchEvent(new Event('input')); }""")
    assert tab.evaluate("document.getElementById('plane-step-value').textContent") == "0"
    assert tab.evaluate(last) != before
    quiet(tab)


def test_it_prints_with_every_plot_fitted_to_the_paper(
    tab: Tab, example: tuple[Run, Path], tmp_path: Path
) -> None:
    opened(tab, example[1], dark=True)
    tab.evaluate("""addEventListener('beforeprint', () => { window.printed = Array.from(
        document.querySelectorAll('figure.plot svg.main-svg'), s => s.clientWidth); })""")
    tab.pdf(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    widths = tab.evaluate("window.printed")
    plots = tab.evaluate("document.querySelectorAll('figure.plot').length")
    assert len(widths) >= plots and max(widths) <= 680
    deadline = time.monotonic() + 10
    while "printing" in tab.evaluate("document.documentElement.className"):
        assert time.monotonic() < deadline
    quiet(tab)
