"""The report page in a real browser: it draws, filters, sorts, prints, and asks nobody for anything."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

import harness.report
from harness.report import sections
from harness.results import Run
from tests.chromium import Tab
from tests.report_example import HOSTILE, build_example, without_figures

CONTRAST = Path(__file__).with_name("contrast.js")


def opened(tab: Tab, folder: Path, width: int = 1280, *, dark: bool = False) -> Tab:
    tab.requests.clear()
    tab.errors.clear()
    tab.dialogs.clear()
    tab.open(folder / "report.html", width, dark=dark)
    return tab


def draw_everything(tab: Tab) -> None:
    """Unfold every property and bring every plot into view, one after the other."""
    tab.evaluate("document.querySelectorAll('details.property').forEach((d) => { d.open = true; })")
    count = tab.evaluate("document.querySelectorAll('figure.plot').length")
    for index in range(count):
        figure = f"document.querySelectorAll('figure.plot')[{index}]"
        if tab.evaluate(f"!!{figure}.closest('[hidden]')"):
            continue
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


@pytest.mark.parametrize("dark", [False, True])
def test_words_and_symbols_stand_out(tab: Tab, example: tuple[Run, Path], dark: bool) -> None:
    opened(tab, example[1], dark=dark)
    tab.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert tab.evaluate(CONTRAST.read_text(encoding="utf-8")) == {}


def test_a_screen_reader_finds_names_and_landmarks(tab: Tab, example: tuple[Run, Path]) -> None:
    opened(tab, example[1])
    tree = tab.command("Accessibility.getFullAXTree")["nodes"]
    named: dict[str, list[str]] = {}
    for node in tree:
        if not node.get("ignored"):
            name = node.get("name", {}).get("value", "").strip()
            named.setdefault(node["role"]["value"], []).append(name)
    assert len(named["banner"]) == len(named["main"]) == 1
    for role in ("link", "button", "combobox", "slider", "checkbox", "searchbox", "region", "table"):
        assert named[role] and "" not in named[role], role
    assert {"rowheader", "columnheader"} <= set(named)
    plots = "document.querySelectorAll('figure.plot:not([aria-label])').length"
    assert tab.evaluate(plots) == 0
    levels = [node["properties"] for node in tree if node.get("role", {}).get("value") == "heading"]
    assert [p["value"]["value"] for p in levels[0] if p["name"] == "level"] == [1]


def test_a_walk_by_tab_always_shows_where_it_is(tab: Tab, example: tuple[Run, Path]) -> None:
    opened(tab, example[1])
    seen = []
    for _ in range(40):
        tab.tab_on()
        seen.append(
            tab.evaluate("""(() => { const e = document.activeElement, s = getComputedStyle(e);
            const low = e.getBoundingClientRect().bottom <= innerHeight;
            return [e.className, s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0, low];
            })()""")
        )
    assert seen[0][0] == "skip"
    assert all(outlined for _, outlined, _ in seen)
    squares = [in_view for name, _, in_view in seen if name.startswith("cell")]
    assert squares == [True]  # one square of 360 is in the tab order


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


def test_a_search_without_a_hit_says_so(tab: Tab, example: tuple[Run, Path]) -> None:
    opened(tab, example[1])
    said = "document.getElementById('no-hit').textContent"
    for text, hits in (("nonesuch", 0), ("div_b", 1)):
        tab.evaluate(f"""{{ const box = document.getElementById('filter-text');
            box.value = '{text}'; box.dispatchEvent(new Event('input')); }}""")
        assert tab.evaluate(said).startswith("" if hits else "No verdict fits")
        assert bool(tab.evaluate(said)) == (not hits)


def test_the_title_of_a_narrow_matrix_is_whole(tab: Tab, tmp_path: Path) -> None:
    run = build_example(tmp_path, cells=8, simulations=1)
    name = "my_model.MyModel.weights-of-the-last-epoch"
    model = run.models[0].model_copy(update={"name": name})
    tests = [t.model_copy(update={"model": name}) for t in run.tests if t.model == "fno-mini"]
    run.model_copy(update={"models": (model,), "tests": tuple(tests)}).save(tmp_path)
    harness.report.build(tmp_path)
    opened(tab, tmp_path)
    title = "document.querySelector('th.model span')"
    assert tab.evaluate(f"getComputedStyle({title}).overflow") == "visible"
    assert tab.evaluate("document.documentElement.scrollWidth") <= 1280


def test_tables_sort_by_value(tab: Tab, example: tuple[Run, Path]) -> None:
    run, _ = example
    opened(tab, example[1])
    table = "document.getElementById('{}').querySelector('table')".format(
        sections.ids(run)["bounded_rollout"]
    )
    column = f"Array.from({table}.tBodies, b => b.rows[0].cells[3].dataset.sort)"
    figures = sorted(float(f"{t.verdict.figure:.7g}") for t in run.tests
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


def test_hovering_names_the_worst_window_of_each_model(tab: Tab, example: tuple[Run, Path]) -> None:
    run, _ = example
    opened(tab, example[1])
    section = sections.ids(run)["bounded_rollout"]
    figure = f"document.querySelector('figure[data-figure=\"{section}\"]')"
    tab.evaluate(f"{figure}.scrollIntoView({{behavior: 'instant'}})")
    tab.wait(f"!!{figure}.dataset.drawn")
    told = tab.evaluate(f"{figure}.data.map((line) => line.hovertemplate || '')")
    lines = [text for text in told if "the model\u2019s worst" in text]
    for model in ("fno-mini", "conv-mini"):
        tests = [t for t in run.tests if (t.property, t.model) == ("bounded_rollout", model)]
        worst = max(tests, key=lambda t: t.verdict.margin if t.verdict and t.verdict.margin else 0)
        name = f"<b>{model} {worst.simulation}-w{worst.window}</b>"
        assert [name in line for line in lines].count(True) == 1
    assert len(lines) == 2


EDGE = "{}.data.filter((t) => t.yaxis === 'y2').flatMap((t) => t.text)"


def test_plots_of_a_model_that_is_never_finite_say_so(tab: Tab, tmp_path: Path) -> None:
    run = build_example(tmp_path, cells=8, simulations=1)
    for model in ("fno-mini", "conv-mini"):
        run = without_figures(run, model)
        run.save(tmp_path)
        harness.report.build(tmp_path)
        opened(tab, tmp_path)
        draw_everything(tab)
        quiet(tab)
        for name, words in (("bounded_rollout", "not finite from step 1 on"),
                            ("step1_vrmse", "no figure is finite")):  # fmt: skip
            figure = f"document.querySelector('[data-figure=\"{sections.ids(run)[name]}\"]')"
            shown = tab.evaluate(f"{figure}.textContent")
            assert ("fno-mini, not finite" in shown) or ("fno-mini, 2 not finite" in shown)
            # two windows of each model that is not finite
            marks = tab.evaluate(EDGE.format(figure))
            assert len(marks) == (2 if model == "fno-mini" else 4)
            assert all("not finite from step 1 on" in text for text in marks)
            notes = tab.evaluate(f"({figure}.layout.annotations || []).map((a) => a.text)")
            assert notes == ([] if model == "fno-mini" else [words])


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


def test_a_folded_property_opens_for_its_square_and_for_its_link(
    tab: Tab, example: tuple[Run, Path]
) -> None:
    run, _ = example
    opened(tab, example[1])
    section = sections.ids(run)["step1_vrmse"]
    fold = f"document.getElementById('{section}').closest('details')"
    assert tab.evaluate(f"{fold}.open") is False
    index = next(i for i, t in enumerate(run.tests) if t.property == "step1_vrmse")
    tab.evaluate(f"document.querySelector('a.cell[data-case=\"{index}\"]').click()")
    assert tab.evaluate(f"{fold}.open") is True
    tab.wait(f"!!{fold}.querySelector('figure.plot').dataset.drawn")
    tab.evaluate(f"{fold}.open = false")
    tab.evaluate(f"location.hash = ''; location.hash = '#{section}'")
    tab.wait(f"{fold}.open")
    tab.evaluate("document.getElementById('unfold').click()")
    folds = "Array.from(document.querySelectorAll('details.property'), (d) => d.open)"
    assert set(tab.evaluate(folds)) == {True}
    tab.evaluate("document.getElementById('unfold').click()")
    assert set(tab.evaluate(folds)) == {False}
    quiet(tab)


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
    plots = tab.evaluate("""Array.from(document.querySelectorAll('figure.plot'))
        .filter((figure) => !figure.closest('details:not([open]), [hidden]')).length""")
    assert len(widths) >= plots and max(widths) <= 680
    deadline = time.monotonic() + 10
    while "printing" in tab.evaluate("document.documentElement.className"):
        assert time.monotonic() < deadline
    quiet(tab)
