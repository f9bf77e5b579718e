"""junit.xml as CI systems show it well: one suite per property, in the run's order, nothing missing.

pytest writes all tests as one suite, in the order in which workers happened to finish, and knows
nothing of a test that never reported.  What it wrote is arranged, not written anew, so that errors
of collection and tests that are no properties stay in the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from harness.atomic import replacing
from harness.results import Run, TestResult

#: Attributes of a suite that count its cases, and the elements they count.
COUNTED = {"errors": "error", "failures": "failure", "skipped": "skipped"}

#: The suite of everything that is no property.
OTHERS = "pytest"


def arrange(path: Path, run: Run) -> None:
    """Rewrite a junit.xml of pytest (family xunit1): suites by property, missing tests as errors.

    Suites are named `property[criterion]`; a case keeps its name, and its classname becomes
    `<module>.<property>`, which some systems show as the suite.  Cases stand in the order of
    `run.tests`.  What the run does not know stays in a suite of its own, `pytest`, at the end.
    """
    tree = ElementTree.parse(path)
    written = tree.find("testsuite")
    if written is None:
        return
    cases: dict[tuple[str, str], list[Element]] = {}
    for case in written.iter("testcase"):
        cases.setdefault((case.get("classname", ""), case.get("name", "")), []).append(case)
    suites: dict[str, list[Element]] = {}
    for test in run.tests:
        found = cases.pop(_address(test), [])
        if test.outcome == "missing":
            found = [_missing(test, found)]
        for case in found:
            case.set("classname", f"{case.get('classname')}.{test.property}")
        name = f"{test.property}[{test.criterion}]" if test.criterion else test.property
        suites.setdefault(name, []).extend(found)
    rest = [case for group in cases.values() for case in group]
    for case in rest:
        # A module that cannot be collected has a name only, and readers want both.
        case.set("classname", case.get("classname") or OTHERS)
    root = Element("testsuites", name=f"physics of {', '.join(m.name for m in run.models)}")
    for name, members in [*suites.items(), *([(OTHERS, rest)] if rest else [])]:
        suite = Element("testsuite", {"name": name, **_counts(members)})
        suite.attrib |= {k: v for k in ("timestamp", "hostname") if (v := written.get(k)) is not None}
        suite.extend(members)
        root.append(suite)
    ElementTree.indent(root, " ")
    with replacing(path) as part:
        ElementTree.ElementTree(root).write(part, encoding="utf-8", xml_declaration=True)


def _address(test: TestResult) -> tuple[str, str]:
    """Classname and name that pytest gives a node id."""
    file, _, name = test.nodeid.partition("::")
    return file.removesuffix(".py").replace("/", "."), name


def _missing(test: TestResult, reported: Iterable[Element]) -> Element:
    """The case of a test that never reported; of a crash, what the scheduler said about it."""
    classname, name = _address(test)
    file = test.nodeid.partition("::")[0]
    case = Element("testcase", classname=classname, name=name, file=file, time="0.000")
    error = Element("error", message=f"{test.property}: {test.message}")
    texts = [e.text or "" for element in reported for e in element.iter("error")]
    error.text = "\n".join([test.message, *texts])
    case.append(error)
    return case


def _counts(cases: list[Element]) -> dict[str, str]:
    seconds = sum(float(case.get("time", "0")) for case in cases)
    counted = {
        key: str(sum(case.find(tag) is not None for case in cases)) for key, tag in COUNTED.items()
    }
    return {"tests": str(len(cases)), **counted, "time": f"{seconds:.3f}"}
