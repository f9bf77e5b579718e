"""junit.xml: valid, stable, complete, with the figure where CI systems look."""

from __future__ import annotations

from pathlib import Path

import pytest
from junitparser import JUnitXml
from lxml import etree

from harness.paths import ROOT
from tests.conftest import Toy
from tests.test_scheduler import KILL

SCHEMA = etree.XMLSchema(etree.parse(ROOT / "tests" / "xunit1.xsd"))


def written(bench: Toy) -> Path:
    return bench.folder / "reports" / "latest" / "junit.xml"


def validated(bench: Toy) -> JUnitXml:
    """The file of the newest run, valid by schema, as junitparser reads it."""
    SCHEMA.assertValid(etree.parse(written(bench)))
    found = JUnitXml.fromfile(str(written(bench)))
    for suite in found:
        cases = list(suite)
        kinds = [{type(result).__name__ for result in case.result} for case in cases]
        assert suite.tests == len(cases)
        assert suite.failures == sum("Failure" in kind for kind in kinds)
        assert suite.errors == sum("Error" in kind for kind in kinds)
        assert suite.skipped == sum("Skipped" in kind for kind in kinds)
    return found


def timeless(path: Path) -> bytes:
    """A file without the attributes that no two runs share."""
    tree = etree.parse(path)
    for element in tree.iter():
        for name in ("time", "timestamp"):
            element.attrib.pop(name, None)
    return etree.tostring(tree)


def test_suites_are_properties_and_messages_begin_with_the_figure(toy_bench: Toy) -> None:
    toy_bench.model(0.7)
    assert toy_bench.pytest() == 1
    suites = {suite.name: list(suite) for suite in validated(toy_bench)}
    assert list(suites) == ["offset[mean]", "offset[maximum]", "pressure", "offsets"]
    assert [case.name for case in suites["offset[mean]"]] == [
        f"test_offset[toy.Shift:toy/wave{i}-w0:mean]" for i in range(3)
    ]
    for case in suites["offset[mean]"]:
        assert case.classname == "suites.test_toy.offset"
        (failure,) = case.result
        assert failure.message.splitlines()[0].startswith("offset[mean] offset = 0.7 > 0.5 at step")
    judged = etree.parse(written(toy_bench)).findall("testsuite[@name='offset[mean]']/testcase")
    for case in judged:
        names = {named.get("name") for named in case.iter("property")}
        assert names == {"outcome", "figure", "limit", "margin", "step", "unit"}


def test_the_file_is_the_same_under_two_workers(toy_bench: Toy) -> None:
    toy_bench.model(0.7)
    toy_bench.pytest("--update-baselines")
    toy_bench.model(0.9)
    assert toy_bench.pytest("-n", "0") == 1
    serial = timeless(written(toy_bench))
    assert b"(baseline 0.7)" in serial
    assert toy_bench.pytest("-n", "2") == 1
    validated(toy_bench)
    assert timeless(written(toy_bench)) == serial


def test_missing_tests_are_errors(toy_bench: Toy) -> None:
    toy_bench.model(0.1, body=KILL)
    count = toy_bench.folder / "count"
    count.mkdir()
    assert toy_bench.pytest("-n", "2", COUNT=str(count)) == 1
    (missing,) = toy_bench.run.missing
    errors = [case for suite in validated(toy_bench) for case in suite if case.result
              and type(case.result[0]).__name__ == "Error"]  # fmt: skip
    (error,) = errors
    assert missing.endswith(error.name)
    assert error.result[0].message.startswith("offset: never reported")
    assert "crashed" in error.result[0].text


def test_a_rollout_that_fails_is_an_error_that_says_why(toy_bench: Toy) -> None:
    toy_bench.model(0.0, body="raise MemoryError('no room')")
    assert toy_bench.pytest() == 1
    found = [case.result[0] for suite in validated(toy_bench) for case in suite if case.result]
    errors = [result for result in found if type(result).__name__ == "Error"]
    assert len(errors) == 7
    assert all("no room" in result.message.splitlines()[0] for result in errors)


def test_a_file_that_cannot_be_collected_stays_in_it(toy_bench: Toy) -> None:
    (toy_bench.folder / "suites" / "test_broken.py").write_text("import nothing_of_that_name\n")
    assert toy_bench.pytest("--continue-on-collection-errors") == 1
    suites = {suite.name: suite for suite in validated(toy_bench)}
    assert list(suites)[-1] == "pytest"
    assert suites["pytest"].errors == 1
    assert suites["offset[mean]"].errors == 0


@pytest.mark.parametrize("change", ["name", "tests"])
def test_the_schema_refuses_what_is_no_junit(toy_bench: Toy, change: str) -> None:
    toy_bench.pytest()
    tree = etree.parse(written(toy_bench))
    del tree.find("testsuite").attrib[change]
    assert not SCHEMA.validate(tree)
