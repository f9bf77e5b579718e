"""What the page shows beside the judged rollouts: bands, basins, precisions and draws."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.stats import binom

import harness.report
from harness.jobs import rollout
from harness.properties import declared, property_test
from harness.report import curves, realisations, rollouts, spread
from harness.report.basins import basins, components
from harness.results import Run
from tests import chromium
from tests.report_example import HOSTILE, build_example
from tests.test_report import data_of

MAX_BYTES = 8_000_000


def stored(folder: Path, run: Run) -> list[Path]:
    return [path for entry in run.records if (path := folder / entry.file).exists()]


def rewritten(path: Path, change) -> None:
    with xr.open_dataset(path, engine="netcdf4") as file:
        data = change(file.load())
    path.unlink()
    data.to_netcdf(path, engine="netcdf4")


def with_twins_and_draws(folder: Path, run: Run) -> Run:
    """Beside every stored rollout a float64 twin, and a second draw that grows faster."""
    added = []
    for entry in run.records:
        if not (folder / entry.file).exists():
            continue
        with xr.open_dataset(folder / entry.file, engine="netcdf4") as file:
            data = file.load().drop_vars("slice")
        delta = 1e-7 * 1.1 ** data["step"].where(data["variance"].isel(side=1).notnull().all("channel"))
        twin = data.assign(vrmse_joint=delta).assign_coords(side=["fp64", "fp32"])
        twin["variance"][0] = twin["variance"][1] * 1.01
        twin.to_netcdf(folder / f"records/{entry.key}-twin.nc", engine="netcdf4")
        data["variance"][1] *= np.exp(0.1 * data["step"])
        data.to_netcdf(folder / f"records/{entry.key}-draw.nc", engine="netcdf4")
        for kind, draw, precision in (("twin", 0, "fp32+fp64"), ("draw", 1, "fp32")):
            added.append(entry.model_copy(update={
                "key": f"{entry.key}-{kind}", "file": f"records/{entry.key}-{kind}.nc", "draw": draw,
                "kind": "twin" if kind == "twin" else "rollout", "precision": precision}))  # fmt: skip
    whole = run.model_copy(update={"records": (*run.records, *added)})
    whole.save(folder)
    return whole


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    folder = tmp_path_factory.mktemp("rich")
    run = with_twins_and_draws(folder, build_example(folder, simulations=4))
    harness.report.build(folder)
    return run, folder


# -- bands ---------------------------------------------------------------------------------------


def test_below_8_simulations_the_band_is_the_range_of_all_windows() -> None:
    found = spread.spread([[1, 4], [2, 3], [9, np.nan]], ["a", "a", "b"])
    assert found.median.tolist() == [2, 4]
    assert found.low.tolist() == [1, 3]
    assert found.high.tolist() == [9, np.inf]
    assert found.label == "range of 3 windows, n = 2, covers the median 50%"


def test_from_8_simulations_the_band_covers_the_median_as_often_as_it_says() -> None:
    draws = np.random.default_rng(5).lognormal(size=(12, 4000))
    found = spread.spread(draws.tolist(), [f"s{i}" for i in range(12)])
    covered = ((found.low <= 1) & (found.high >= 1)).mean()
    exact = 1 - 2 * binom.cdf(2, 12, 0.5)
    assert found.label == f"{exact:.1%} interval of the median of 12 simulations"
    assert exact >= 0.95 and covered == pytest.approx(exact, abs=0.01)
    # The next narrower interval would not do.
    assert 1 - 2 * binom.cdf(3, 12, 0.5) < 0.95


def test_windows_of_one_simulation_count_once() -> None:
    twice = [row for value in range(8) for row in ([value - 0.5], [value + 0.5])]
    found = spread.spread(twice, [f"s{i // 2}" for i in range(16)])
    assert (found.low[0], found.median[0], found.high[0]) == (0, 3.5, 7)


def test_each_model_has_a_band_in_every_plot_of_curves(rich: tuple[Run, Path]) -> None:
    figures = data_of((rich[1] / "report.html").read_text(encoding="utf-8"))["figures"]
    drawn = [figure for figure in figures.values() if figure["kind"] == "curves"]
    assert len(drawn) > 5
    for figure in drawn:
        assert [band["model"] for band in figure["bands"]] == [0, 1]
        for band in figure["bands"]:
            lines = [line for line in figure["lines"] if line["model"] == band["model"]]
            last = [line["y"][5] for line in lines]
            assert (band["low"][5], band["high"][5]) == (min(last), max(last))


# -- basins --------------------------------------------------------------------------------------


def test_basins_follow_the_guide_field(tmp_path: Path) -> None:
    run = build_example(tmp_path, simulations=1)
    along_y = stored(tmp_path, run)
    for path in along_y:
        rewritten(path, lambda data: data.assign_attrs(guide="[0.0, 1.0, 0.0]"))
    records, _ = rollouts.load(run, tmp_path)
    rows = [row for row in basins(run, records) if row.growths]
    assert len(rows) == len(along_y)
    assert {tuple(name for name, _ in row.growths) for row in rows} == {("B_x", "B_z")}
    assert components(rows) == ("B_x", "B_z")
    page = harness.report.build(tmp_path).read_text(encoding="utf-8")
    assert "B_x growth" in page and "B_y growth" not in page
    rewritten(along_y[0], lambda data: data.assign_attrs(guide="[1.0, 0.0, 0.0]"))
    mixed = harness.report.build(tmp_path).read_text(encoding="utf-8")
    assert "first across growth" in mixed and "B_y " in mixed


def test_data_without_magnetic_field_has_no_basins_but_a_page(tmp_path: Path) -> None:
    run = build_example(tmp_path, simulations=1)
    hydro = {"density", "velocity"}
    for path in stored(tmp_path, run):
        rewritten(path, lambda data: data.sel(channel=data["field"].isin(list(hydro))))
    tests = [t for t in run.tests if t.suite not in ("test_isotropy", "test_magnetic")]
    run.model_copy(update={"tests": tuple(tests)}).save(tmp_path)
    page = harness.report.build(tmp_path).read_text(encoding="utf-8")
    assert "Which channel grows" in page
    table = page.split('id="rollouts"')[1].split("<h3>")[1]
    assert "basin" not in table and "growth</th>" not in table
    assert data_of(page)["flows"][0]["growth"]["channels"] == ["rho", "v_x", "v_y", "v_z"]


# -- precisions and draws ------------------------------------------------------------------------


def test_twins_are_compared_in_numbers(rich: tuple[Run, Path]) -> None:
    run, folder = rich
    records, problems = rollouts.load(run, folder)
    rows = realisations.precisions(run, records)
    assert len(rows) == sum(entry.kind == "twin" for entry in run.records)
    for row in rows:
        assert row.start == pytest.approx(1.1e-7)
        assert row.last_step is not None
        assert row.last == pytest.approx(1e-7 * 1.1**row.last_step)
    assert {row.last_step for row in rows} == {50}
    assert all("rollout" in problem for problem in problems)


def test_draws_and_precisions_of_a_window_are_lines_of_one_plot(rich: tuple[Run, Path]) -> None:
    run, folder = rich
    records, _ = rollouts.load(run, folder)
    found = realisations.realisations(records, [model.name for model in run.models])
    assert [line["name"] for line in found[0]["lines"]] == ["fp32, draw 0", "fp32, draw 1", "fp64"]
    at = found[0]["channels"].index("B_z")
    first, second, double = (line["rows"][at] for line in found[0]["lines"])
    assert second[50] / first[50] == pytest.approx(np.exp(5), rel=1e-3)
    assert double == pytest.approx(first, rel=1e-3)  # a constant factor cancels
    # A second draw is no second window: basins, spectra and pictures show the first.
    assert len(rollouts.principal(records)) == len(found)
    assert len(data_of((folder / "report.html").read_text())["flows"]) == len(found)


def test_a_diverged_twin_ends_at_its_last_finite_step(tmp_path: Path) -> None:
    run = build_example(tmp_path, simulations=4, complete=True)
    whole = with_twins_and_draws(tmp_path, run)
    records, _ = rollouts.load(whole, tmp_path)
    rows = realisations.precisions(whole, records)
    (row,) = [r for r in rows if (r.model, r.label) == ("conv-mini", "s3-w1")]
    assert row.last_step == 40


# -- words ---------------------------------------------------------------------------------------


def test_formulas_and_the_line_that_records_a_repair_are_on_the_page(tmp_path: Path) -> None:
    run = build_example(tmp_path, simulations=1)
    tests = [t.model_copy(update={"formula": f"f = {t.property} < 1"}) for t in run.tests]
    run.model_copy(update={"tests": tuple(tests)}).save(tmp_path)
    page = harness.report.build(tmp_path).read_text(encoding="utf-8")
    for name in {t.property for t in tests}:
        assert f'<p class="formula">f = {name} &lt; 1</p>' in page
    line = "pytest suites/ --model fno-mini,conv-mini -n 2 --update-baselines"
    assert f"1 repaired; once nothing else is red record it: <code>{line}</code>" in page


def test_a_declared_property_keeps_its_formula() -> None:
    @property_test(reads=[rollout()], control="control:nan")
    def test_thing(record: object) -> None:
        """Something is
        conserved.

        s = sum x,
        over all cells.

        Nothing else.
        """

    found = declared(test_thing)
    assert found is not None
    assert found.statement == "Something is conserved."
    assert found.formula == "s = sum x, over all cells. Nothing else."


# -- the whole page ------------------------------------------------------------------------------


def test_a_large_run_fits_into_8_megabytes(tmp_path: Path) -> None:
    """Ten trajectories, two models, 36 criteria of 12 properties, 100 steps of 64 x 64 pictures."""
    run = build_example(tmp_path, simulations=5, cells=64, complete=True)
    run = with_twins_and_draws(tmp_path, run)
    more = []
    for test in run.tests:
        for copy in "abc":
            name = f"{test.criterion}{copy}"
            more.append(test.model_copy(update={"criterion": name, "nodeid": f"{test.nodeid}:{copy}"}))
    run.model_copy(update={"tests": tuple(more)}).save(tmp_path)
    page = harness.report.build(tmp_path)
    data = data_of(page.read_text(encoding="utf-8"))
    assert len({(t.property, t.criterion) for t in more}) > 36
    assert len(data["realisations"]) == 20
    assert page.stat().st_size < MAX_BYTES


def test_long_curves_are_thinned() -> None:
    kept = curves.thin(list(range(1, 1001)), (777,))
    assert len(kept) <= curves.MAX_POINTS + 1
    assert {0, 776, 999} <= set(kept)


def test_a_browser_draws_bands_precisions_and_draws(tab: chromium.Tab, rich: tuple[Run, Path]) -> None:
    tab.open(rich[1] / "report.html", 1280)
    for name in ("distance-plot", "realisation-plot"):
        tab.evaluate(f"document.getElementById('{name}').scrollIntoView({{behavior: 'instant'}})")
        tab.wait(f"!!document.getElementById('{name}').dataset.drawn")
    lines = "document.getElementById('realisation-plot').data.map((line) => line.name)"
    assert tab.evaluate(lines) == ["fp32, draw 0", "fp32, draw 1", "fp64"]
    tab.evaluate("""{ const box = document.getElementById('realisation-window');
        box.value = '1'; box.dispatchEvent(new Event('input')); }""")
    title = tab.evaluate("document.getElementById('realisation-plot').layout.yaxis.title.text")
    assert "B_z" in title
    plot = "document.querySelector('details.property[open] figure.plot')"
    tab.evaluate(f"{plot}.scrollIntoView({{behavior: 'instant'}})")
    tab.wait(f"!!{plot}.dataset.drawn")
    filled = tab.evaluate(f"{plot}.data.filter((line) => line.fill === 'toself').length")
    assert filled == 2
    assert tab.evaluate("document.documentElement.scrollWidth") <= 1280
    assert tab.errors == []
    assert json.dumps(tab.dialogs) == "[]"


def test_hostile_names_stay_text_beside_twins_and_draws(tab: chromium.Tab, tmp_path: Path) -> None:
    with_twins_and_draws(tmp_path, build_example(tmp_path, hostile=True, simulations=1))
    page = harness.report.build(tmp_path)
    tab.open(page, 390)
    for name in ("distance-plot", "realisation-plot"):
        tab.evaluate(f"document.getElementById('{name}').scrollIntoView({{behavior: 'instant'}})")
        tab.wait(f"!!document.getElementById('{name}').dataset.drawn")
    options = tab.evaluate("document.getElementById('realisation-window').textContent")
    assert HOSTILE[0] in options
    assert HOSTILE[0] in tab.evaluate("document.querySelector('#distance-plot .legend').textContent")
    assert tab.evaluate("document.querySelectorAll('main script, main img').length") == 0
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert (tab.errors, tab.dialogs) == ([], [])
