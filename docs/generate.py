"""Writes the generated part of the documentation: one page a property, and the control matrix.

    pytest suites/ --no-baselines --model "control:*,oracle,solver,stranger:1,stranger:2"
    python docs/generate.py reports/latest

(with stranger:1 to stranger:5 for all pairs of the six simulations).

Every page is made from the property's own docstring and declaration and from the curves of that run:
its picture shows the criterion kept by `stranger`, the truth of another simulation, and broken by the
control that is planted to break it.  Nothing in `docs/properties/` is written by hand.
"""

from __future__ import annotations

import argparse
import inspect
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from harness.paths import slug  # noqa: E402
from harness.properties import Property, declared, load  # noqa: E402
from harness.report.controls import picture, table  # noqa: E402
from harness.report.sections import sparse, when  # noqa: E402
from harness.results import Run, TestResult, Verdict  # noqa: E402
from harness.specificity import matrix  # noqa: E402
from harness.surrogates.controls import CONTROLS  # noqa: E402

#: The surrogates that may stand for "kept", the most telling first.
KEEPERS = ("stranger-1", "stranger", "solver", "oracle")
#: Size of one panel of a picture, and its margins, in pixels.
WIDTH, HEIGHT, LEFT, BELOW, TOP = 330, 190, 46, 34, 26


def properties() -> Iterator[tuple[Property, str]]:
    """Every declared property of suites/ and its whole docstring, in the order of the files."""
    for path in sorted((ROOT / "suites").glob("test_*.py")):
        for function in vars(load(path)).values():
            declaration = declared(function)
            if declaration is not None:
                yield declaration, inspect.getdoc(function) or ""


def shown(
    run: Run, declaration: Property, criterion: str, models: Sequence[str], outcome: str
) -> TestResult | None:
    """The first case of a criterion with this outcome among `models`, in their order."""
    for model in models:
        for test in run.tests:
            if (test.model, test.property, test.criterion) == (model, declaration.name, criterion) and (
                test.verdict is not None and test.outcome == outcome
            ):
                return test
    return None


def panel(test: TestResult, place: int) -> dict[str, object]:
    """One panel of a picture: curve and limit in its own scale, or two bars for a single figure."""
    verdict = test.verdict
    assert verdict is not None
    steps = verdict.steps or (0, 1)
    curve = verdict.curve or (verdict.figure,) * 2
    limits = verdict.limit_curve or (verdict.limit or 0.0,) * 2
    finite = [v for v in (*curve, *limits) if math.isfinite(v)]
    top = 1.1 * max(finite, default=0.0) or 1.0
    floor = HEIGHT - BELOW
    fate = "broken" if test.outcome == "violated" else "kept"

    def points(values: Sequence[float]) -> str:
        """A polyline; it leaves the panel where a value is not finite."""
        span = max(steps[-1] - steps[0], 1)
        return " ".join(
            f"{LEFT + (step - steps[0]) / span * (WIDTH - LEFT - 10):.1f},"
            f"{floor - min(value, 1.05 * top) / top * (floor - TOP):.1f}"
            for step, value in zip(
                steps, (v if math.isfinite(v) else math.inf for v in values), strict=True
            )
        )

    return {
        "x": place * WIDTH,
        "title": f"{test.model.removeprefix('control-')}: {fate}",
        "curve": points(curve),
        "dots": points(curve).split() if verdict.steps and sparse(steps) else (),
        "limit": points(limits),
        "top": f"{top:.2g}",
        "steps": caption(verdict.steps),
        "broken": test.outcome == "violated",
    }


def caption(steps: Sequence[int]) -> str:
    """What the horizontal axis of a panel is."""
    if not steps:
        return "one figure"
    return when(steps).removeprefix(" at ") if sparse(steps) else f"step {steps[0]} to {steps[-1]}"


def drawing(tests: Sequence[TestResult]) -> str:
    """An SVG of one criterion: kept on the left, broken on the right."""
    template = _environment().get_template("panel.svg.j2")
    panels = [panel(test, place) for place, test in enumerate(tests)]
    return template.render(panels=panels, width=WIDTH, height=HEIGHT, left=LEFT, below=BELOW, top=TOP)


def asked(declaration: Property) -> list[tuple[str, str]]:
    """Traits the model must have, and the criteria that ask for them ("" for all)."""
    groups: dict[str, list[str]] = {}
    for criterion in declaration.criteria:
        if traits := declaration.asks[criterion]:
            groups.setdefault(", ".join(sorted(traits)), []).append(criterion)
    everywhere = len(declaration.criteria)
    return [(t, "" if len(found) == everywhere else ", ".join(found)) for t, found in groups.items()]


def page(run: Run, declaration: Property, doc: str, folder: Path) -> None:
    """Write the page of one property and its pictures."""
    criteria = []
    for criterion in declaration.criteria:
        control = declaration.controls.get(criterion)
        kept = shown(run, declaration, criterion, KEEPERS, "passed")
        broken = None
        if control:
            broken = shown(run, declaration, criterion, [slug(control)], "violated")
        tests = [test for test in (kept, broken) if test is not None]
        found: Verdict | None = tests[0].verdict if tests else None
        name = f"{declaration.name}{'-' + criterion if criterion else ''}.svg"
        if found is not None:
            (folder / name).write_text(drawing(tests), encoding="utf-8")
        criteria.append(
            {
                "name": criterion,
                "unit": found.unit if found else "",
                "basis": found.basis if found else "",
                "when": when(found.steps) if found and found.steps else " once for a rollout",
                "picture": name if found is not None else "",
                "control": control,
                "summary": CONTROLS[control.removeprefix("control:")].summary if control else "",
                "broken": broken.message if broken else "",
                "kept": kept.message if kept else "",
            }
        )
    paragraphs = doc.split("\n\n")
    text = (
        _environment()
        .get_template("property.md.j2")
        .render(
            declaration=declaration,
            paragraphs=paragraphs,
            criteria=criteria,
            asks=asked(declaration),
        )
    )
    (folder / f"{declaration.name}.md").write_text(text.rstrip() + "\n", encoding="utf-8")


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        autoescape=lambda name: bool(name and "svg" in name),
        trim_blocks=True,
        lstrip_blocks=True,
    )


def write(run: Run, docs: Path) -> list[Path]:
    """Write all generated pages under `docs`; returns the pages of the properties."""
    folder = docs / "properties"
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.md"), *folder.glob("*.svg")):
        old.unlink()
    found = list(properties())
    for declaration, doc in found:
        page(run, declaration, doc, folder)
    judged = matrix(run)
    template = _environment().get_template("controls.md.j2")
    alarms = judged.alarms()
    (docs / "controls.md").write_text(
        template.render(table=table(judged), alarms=alarms, controls=CONTROLS), encoding="utf-8"
    )
    (docs / "controls.svg").write_text(picture(judged), encoding="utf-8")
    index = _environment().get_template("properties.md.j2").render(found=[p for p, _ in found])
    (folder / "index.md").write_text(index, encoding="utf-8")
    return [folder / f"{declaration.name}.md" for declaration, _ in found]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="a run over all controls, e.g. reports/latest")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    for written in write(Run.load(options.run), options.out):
        print(written)


if __name__ == "__main__":
    main()
