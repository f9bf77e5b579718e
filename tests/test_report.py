"""The report page: complete, self-contained, small, inert, and tolerant of missing records."""

from __future__ import annotations

import base64
import json
import math
import re
import shlex
import zlib
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from plotly.offline import get_plotlyjs
from typer.testing import CliRunner

import harness.report
from harness.cli import app
from harness.report import flow, outcomes, page, rollouts, sections, story
from harness.report.text import rerun
from harness.results import RecordEntry, Run
from harness.results import TestResult as Result
from tests.report_example import HOSTILE, HOSTILE_SIMULATION, build_example

MAX_BYTES = 6_400_000


class Elements(HTMLParser):
    """Every element of a page as (tag, attributes), and the text inside scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def data_of(text: str) -> dict:
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert block is not None
    return json.loads(block[1])


@pytest.fixture(scope="module")
def html(example: tuple[Run, Path]) -> str:
    return (example[1] / "report.html").read_text(encoding="utf-8")


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
    found, _ = rollouts.load(*example)
    for told in story.stories(run, found, harness.report.basins(run, found)):
        assert told.sentence.replace("'", "&#39;") in html.replace("\u2011", "-")


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


def test_what_has_no_verdict_is_a_table_of_its_notes(html: str) -> None:
    table = html.split('class="noted"')[1].split("</table>")[0]
    rows = [re.findall(r">([^<>]+)</t[dh]>", row) for row in table.split("<tr>")]
    assert ["fno-mini", "conv-mini"] in rows
    assert ["median", "0.42", "0.42"] in rows and ["coverage", "0.969", "0.969"] in rows


def test_the_page_needs_no_other_file(html: str) -> None:
    for tag, attributes in Elements(html).found:
        assert "src" not in attributes, tag
        target = attributes.get("href") or "#"
        assert target.startswith("#"), (tag, target)
        assert tag not in {"link", "iframe", "object", "embed", "img"}
    assert "default-src 'none'" in html


def test_the_page_is_small(tmp_path: Path) -> None:
    # The page may have 8 MB for 10 trajectories; here are 20, with full pictures: 1440 cases.
    build_example(tmp_path, simulations=10, criteria=36, cells=64, complete=True)
    assert harness.report.build(tmp_path).stat().st_size < MAX_BYTES


def test_plotly_is_packed_losslessly(html: str) -> None:
    packed = re.search(r'<script type="text/plain" id="plotly">(.*?)</script>', html, re.S)
    assert packed is not None
    assert zlib.decompress(base64.b64decode(packed[1])).decode() == get_plotlyjs()
    assert len(packed[1]) < 0.45 * len(get_plotlyjs())


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


def test_growth_is_the_ratio_of_the_sides_variances(example: tuple[Run, Path]) -> None:
    found, _ = rollouts.load(*example)
    rollout = next(r for r in found if r.model == "conv-mini")
    grown = flow.growth(rollout)
    assert grown is not None
    variance = rollout.data["variance"].sel(channel="B_z", step=50).values
    row = grown["rows"][grown["channels"].index("B_z")]
    assert row[50] == pytest.approx(math.log10(variance[1] / variance[0]), abs=0.005)


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


def test_a_hostile_command_is_one_argument(example: tuple[Run, Path]) -> None:
    nodeid = "suites/test_x.py::test_y[$(rm -rf /)`id`'\";m:p/s-w0]"
    assert shlex.split(rerun(nodeid, example[0].provenance.command, None))[1] == nodeid


def test_hostile_names_stay_text_in_markdown(hostile: tuple[Run, Path]) -> None:
    text = (hostile[1] / "summary.md").read_text(encoding="utf-8")
    outside_code = re.sub(r"(`+).*?\1", "", text)
    assert "<script" not in outside_code and "<img" not in outside_code
    table = [row for row in text.splitlines() if row.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in table} == {4}


# -- records -------------------------------------------------------------------------------------


def test_records_that_cannot_be_read_cost_their_figures_only(tmp_path: Path) -> None:
    run = build_example(tmp_path, simulations=2)
    present = sorted((tmp_path / "records").glob("*.nc"))
    damaged = next(path for path in present if path.name.startswith("growing"))
    damaged.write_bytes(b"not netCDF")
    lean = next(path for path in present if path.name.startswith("fading"))
    with xr.open_dataset(lean, engine="netcdf4") as stored:
        reduced = stored.load().drop_vars(["spectrum", "slice"])
    reduced.to_netcdf(lean, engine="netcdf4")
    text = harness.report.build(tmp_path).read_text(encoding="utf-8")
    data = data_of(text)
    flows = {(f["model"], f["label"]): f for f in data["flows"]}
    assert flows["fno-mini", "s0-w0"]["spectra"] is None
    assert flows["fno-mini", "s0-w0"]["growth"] is not None
    assert f"({run.records[4].file}) cannot be read" in text
    missing = harness.report.unreadable(tmp_path)
    assert f"<b>{len(missing)} records missing or unreadable.</b>" in text
    done = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert done.exit_code == 0 and done.stderr.splitlines() == missing
    assert "is missing" in text
    assert len(data["figures"]) > 10  # judged curves come from results.json


@pytest.mark.parametrize("content", [b"{", b'{"name": 1}', b"[]", b"\xff\xfe\x00"])
def test_damaged_results_are_refused_in_a_line(tmp_path: Path, content: bytes) -> None:
    build_example(tmp_path / "whole", simulations=1)
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "results.json").write_bytes(content)
    for command in (
        ["report"],
        ["trend", str(tmp_path / "whole")],
        ["compare", str(tmp_path / "whole")],
    ):
        done = CliRunner().invoke(app, [*command, str(tmp_path / "cut")])
        assert done.exit_code == 2
        words = "".join(done.output.replace("\u2502", "").split())  # a box breaks long paths
        assert "results.jsonisdamaged,ornotofthisversion" in words
        assert "pydantic" not in done.output


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
