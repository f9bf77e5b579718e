"""The pages of a comparison and of a trend in a real browser: they draw, sort and stay silent."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.baselines import Baseline
from harness.cli import app
from harness.judging import expectation
from tests.chromium import Tab
from tests.report_example import HOSTILE, build_example, without_figures


def page(folder: Path, *arguments: object) -> Path:
    target = folder / "page.html"
    done = CliRunner().invoke(app, [*map(str, arguments), "--html", str(target)])
    assert done.exit_code in (0, 1), done.output
    return target


def silent(tab: Tab, opened: Path, width: int, *, dark: bool = False) -> None:
    """Every plot draws; no error, no dialog, no request but the page, no sideways scroll."""
    tab.requests.clear()
    tab.open(opened, width, dark=dark)
    for index in range(tab.evaluate("document.querySelectorAll('figure.plot').length")):
        figure = f"document.querySelectorAll('figure.plot')[{index}]"
        tab.evaluate(f"{figure}.scrollIntoView({{behavior: 'instant'}})")
        tab.wait(f"!!{figure}.dataset.drawn && !!{figure}.querySelector('svg.main-svg')")
    assert (tab.errors, tab.dialogs) == ([], [])
    assert [u for u in tab.requests if not u.startswith(("file:", "data:", "blob:"))] == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_a_comparison_draws_and_sorts(tab: Tab, tmp_path: Path, width: int, dark: bool) -> None:
    build_example(tmp_path, simulations=2, cells=8).save(tmp_path)
    opened = page(tmp_path, "compare", f"{tmp_path}:fno-mini", f"{tmp_path}:conv-mini")
    silent(tab, opened, width, dark=dark)
    curves = "document.querySelector('figure[data-figure]').data.map(t => t.name).filter(Boolean)"
    names = tab.evaluate(curves)
    assert any("fno-mini" in name for name in names) and any("conv-mini" in name for name in names)
    assert tab.evaluate("document.getElementById('survival').data.length") == 2
    table = "document.querySelector('table.changes')"
    tab.evaluate(f"{table}.tHead.rows[0].cells[2].querySelector('button').click()")
    worse = tab.evaluate(f"Array.from({table}.tBodies, b => Number(b.rows[0].cells[2].textContent))")
    assert worse == sorted(worse) and len(set(worse)) > 1


def test_what_a_baseline_records_is_drawn_in_the_run_s_unit(tab: Tab, tmp_path: Path) -> None:
    run = without_figures(build_example(tmp_path, simulations=2, cells=8), "conv-mini")
    run.save(tmp_path)
    conditions = {"steps": "protocol", "precision": "fp32", "draw": "seeded"}
    for model in ("fno-mini", "conv-mini"):
        entries = {f"test_{t.property}[{t.simulation}-w{t.window}]": expectation(t.verdict, "measured")
                   for t in run.tests if t.model == model and t.property == "bounded_rollout"
                   and t.verdict}  # fmt: skip
        folder = tmp_path / "baselines"
        Baseline(folder, model, "simulated").record("test_growth", entries, conditions)
    plot = "document.querySelector('figure[data-figure]')"
    edge = f"{plot}.data.filter((t) => t.yaxis === 'y2').flatMap((t) => t.x).length"
    legend = f"{plot}.querySelector('.legend').textContent"
    both = [folder / "fno-mini", folder / "conv-mini"]
    silent(tab, page(tmp_path, "compare", *both), 1280)
    assert tab.evaluate(edge) == 4
    assert tab.evaluate(f"{plot}.layout.yaxis.title.text") == "figure"
    silent(tab, page(tmp_path, "compare", folder / "conv-mini", f"{tmp_path}:fno-mini"), 1280)
    assert tab.evaluate(edge) == 4
    assert "conv-mini, worst figures, 4 not finite" in tab.evaluate(legend)
    assert tab.evaluate(f"{plot}.layout.yaxis.title.text") == "|d ln var|"
    silent(tab, page(tmp_path, "compare", folder / "fno-mini", f"{tmp_path}:conv-mini"), 1280)
    assert tab.evaluate(edge) == 4
    assert "fno-mini, worst figures" in tab.evaluate(legend)
    points = f"{plot}.data.find((t) => / figures/.test(t.name)).y"
    assert len(tab.evaluate(points)) == 4 and None not in tab.evaluate(points)


def test_the_matrix_of_changes_works_from_the_keyboard(tab: Tab, tmp_path: Path) -> None:
    build_example(tmp_path, simulations=2, cells=8).save(tmp_path)
    tab.open(page(tmp_path, "compare", f"{tmp_path}:fno-mini", f"{tmp_path}:conv-mini"))
    stops = "Array.from(document.querySelectorAll('.matrix a.cell')).filter((c) => c.tabIndex === 0)"
    assert tab.evaluate(f"{stops}.length") == 1
    tab.evaluate(f"{stops}[0].focus()")
    tab.press("ArrowDown")
    tab.press("ArrowRight")
    label = tab.evaluate("document.activeElement.getAttribute('aria-label')")
    assert "bounded_rollout s0-w1" in label
    assert tab.evaluate("document.querySelector('.readout').textContent") == label
    assert tab.evaluate(f"{stops}.length") == 1


def two_models_in_two_runs(folder: Path) -> Path:
    for name in ("first-of-the-runs", "second-of-the-runs"):
        run = build_example(folder / name, simulations=2, cells=8)
        run.model_copy(update={"name": name}).save(folder / name)
    return page(folder, "compare", folder / "first-of-the-runs", folder / "second-of-the-runs")


def test_each_matrix_has_a_readout_that_no_other_covers(tab: Tab, tmp_path: Path) -> None:
    tab.open(two_models_in_two_runs(tmp_path), 1280, 300)  # lower than a matrix
    for index in range(2):
        tab.evaluate(f"""{{ const matrix = document.querySelectorAll('table.matrix')[{index}];
            matrix.scrollIntoView({{behavior: 'instant'}}); }}""")
        top = tab.evaluate(f"""(() => {{ const own = document.querySelectorAll('.readout')[{index}];
            const box = own.getBoundingClientRect();
            return document.elementFromPoint(box.x + 20, box.y + box.height / 2) === own; }})()""")
        assert top, f"readout {index} is covered"


def test_on_paper_names_and_numbers_are_whole_and_labels_fit(tab: Tab, tmp_path: Path) -> None:
    tab.open(two_models_in_two_runs(tmp_path), 680)
    tab.command("Emulation.setEmulatedMedia", media="print")
    tab.evaluate("document.documentElement.classList.add('printing')")
    broken = tab.evaluate("""Array.from(document.querySelectorAll('.changes td'), (cell) => {
        const parts = [], texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
        if (cell !== cell.parentNode.cells[0] && !cell.matches('.number')) return parts;
        while (texts.nextNode()) {
          const range = document.createRange();
          range.selectNodeContents(texts.currentNode);
          if (range.getClientRects().length > 1) parts.push(texts.currentNode.data);
        }
        return parts; }).flat()""")
    assert broken == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= 680
    assert tab.evaluate("document.querySelector('.matrix td .cell').clientWidth") == 16


def test_points_that_a_logarithm_cannot_show_are_told(tab: Tab, tmp_path: Path) -> None:
    build_example(tmp_path, simulations=2, cells=8).save(tmp_path)
    tab.open(page(tmp_path, "compare", f"{tmp_path}:fno-mini", f"{tmp_path}:conv-mini"))
    names = tab.evaluate("""Plots.judged({ kind: 'points', unit: 'figure', log: true, lines:
        [0, 0.5, null].map((figure, i) => ({ model: 0, label: 's' + i, outcome: 'passed', margin: 1,
          figure, step: 5, where: null, diverged: null, limit: 0 }))
        }).traces.map((t) => t.name).filter(Boolean)""")
    assert names == [
        "fno-mini, 1 not finite, 1 at 0, below the picture",
        "limit 0, below the picture",
    ]


def test_unlike_limits_stand_over_their_own_models(tab: Tab, tmp_path: Path) -> None:
    build_example(tmp_path, simulations=2, cells=8).save(tmp_path)
    tab.open(page(tmp_path, "compare", f"{tmp_path}:fno-mini", f"{tmp_path}:conv-mini"))
    first, second, limit = tab.evaluate("""Plots.judged({ kind: 'points', unit: 'x', log: false, lines:
        [[0, 's0', 3], [1, 's0', 5], [0, 's1', 4], [1, 's1', 4]].map(([model, label, limit]) => ({
          model, label, limit, outcome: 'passed', margin: 1, figure: 2, step: 5, where: null,
          diverged: null })) }).traces.map((t) => ({ x: t.x, y: t.y }))""")
    assert limit["y"] == [3, 3, None, 5, 5, None, 4, 4, None]
    low, high, _, other_low, other_high, _, whole_low, whole_high, _ = limit["x"]
    assert low < first["x"][0] < high < other_low < second["x"][0] < other_high
    assert whole_low < first["x"][1] < second["x"][1] < whole_high


@pytest.mark.parametrize("dark", [False, True])
def test_words_and_symbols_of_a_comparison_stand_out(tab: Tab, tmp_path: Path, dark: bool) -> None:
    build_example(tmp_path, simulations=2, cells=8).save(tmp_path)
    tab.open(page(tmp_path, "compare", f"{tmp_path}:fno-mini", f"{tmp_path}:conv-mini"), dark=dark)
    tab.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert tab.evaluate(Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")) == {}


def test_hostile_names_are_inert(tab: Tab, tmp_path: Path) -> None:
    build_example(tmp_path, hostile=True, simulations=2, cells=8).save(tmp_path)
    sides = [f"{tmp_path}:{name}" for name in HOSTILE]
    silent(tab, page(tmp_path, "compare", *sides), 1280)
    assert tab.evaluate("document.querySelectorAll('img, b b').length") == 0


def test_a_trend_draws(tab: Tab, tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder = tmp_path / name
        run = build_example(folder, simulations=1, cells=8)
        run.model_copy(update={"name": name, "started": f"2026-01-01T00:00:0{name == 'b':d}"}).save(
            folder
        )
    opened = page(tmp_path, "trend", tmp_path / "a", tmp_path / "b", "--model", "conv-mini")
    silent(tab, opened, 1280)
    assert tab.evaluate("document.querySelector('figure[data-line]').data.length") == 4
