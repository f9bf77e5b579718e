"""summary.md: the verdicts of a run on half a page, for a pull request or a CI step summary."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from harness.judging import digits
from harness.report.causes import FAILED, cause
from harness.report.outcomes import broken, counts, is_red, seriousness, unreported, worst
from harness.report.story import Story
from harness.report.text import (
    counted,
    criterion_name,
    duration,
    listing,
    number,
    recording,
    rerun,
    window_label,
)
from harness.results import Run, TestResult

#: Entries of red tests printed; the rest is counted.
MAX_RED = 25


def summary(run: Run, stories: Sequence[Story]) -> str:
    """The Markdown page: red tests first, one sentence per model, criteria by model."""
    blocks = [
        f"# Physics of {plain(', '.join(model.name for model in run.models)) or 'no model'}",
        _counts(run),
        *_red(run),
        *_repaired(run),
        "\n".join(f"- **{plain(story.model)}** {plain(story.sentence)}" for story in stories),
        _table(run),
        _footer(run),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def plain(text: str) -> str:
    """Text that Markdown and HTML show as it is, also inside a table cell."""
    flat = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*|]|\](?=\())", r"\\\1", flat)


def code(text: str) -> str:
    """Text as a code span; a fence longer than any run of backticks in it keeps it closed."""
    fence = "`"
    while fence in text:
        fence += "`"
    pad = " " if len(fence) > 1 else ""
    flat = " ".join(text.split())
    return f"{fence}{pad}{flat}{pad}{fence}"


def _counts(run: Run) -> str:
    found = ", ".join(look.counted(n) for look, n in counts(run))
    return f"{counted(len(run.tests), 'test')}: {found}. Exit status {run.exit_status}."


def _red(run: Run) -> list[str]:
    """One entry per outcome, criterion and model, with its worst test; then the silent tests.

    Of tests without a figure one entry per cause: it says more than the criteria it fells.
    """
    red = sorted((test for test in run.tests if is_red(test, run)), key=seriousness)
    silent = [nodeid for nodeid in unreported(run) if nodeid not in {test.nodeid for test in red}]
    unusable = [f"- **not judged** {plain(problem)}" for problem in run.unusable]
    if not red and not silent:
        title = f"## Red: {counted(len(unusable), 'part')} of the data not judged"
        return [title, "\n".join(unusable)] if unusable else ["Nothing is red."]
    groups: dict[tuple[str, str, str], list[TestResult]] = {}
    for test in red:
        subject = (test.outcome in FAILED and cause(test)) or criterion_name(test)
        groups.setdefault((test.outcome, subject, test.model), []).append(test)
    lines = [_red_line(run, tests) for tests in groups.values()]
    lines += [f"- **missing** {code(nodeid)}: collected, never reported" for nodeid in silent]
    shown = lines[:MAX_RED]
    if len(lines) > MAX_RED:
        shown.append(f"- and {len(lines) - MAX_RED} more, in report.html")
    title = f"## Red: {counted(len(red) + len(silent), 'test')}"
    return [title, "\n".join([*shown, *unusable])]


def _repaired(run: Run) -> list[str]:
    """What may leave the baseline, and the line that records it; one entry per criterion and model."""
    groups: dict[tuple[str, str], list[TestResult]] = {}
    for test in run.tests:
        if test.outcome == "repaired":
            groups.setdefault((criterion_name(test), test.model), []).append(test)
    if not groups:
        return []
    lines = []
    for (_, model), tests in groups.items():
        labels = [window_label(run, t.protocol, t.simulation, t.window) for t in tests]
        lines.append(f"- {plain(tests[0].message)} ({plain(f'{model} on {listing(labels)}')})")
    n = sum(map(len, groups.values()))
    return [
        f"## Repaired: {counted(n, 'test')}",
        "\n".join(lines),
        f"Record it once nothing is red: {code(recording(run.provenance))}",
    ]


def _red_line(run: Run, tests: Sequence[TestResult]) -> str:
    gravest = tests[0]
    label = window_label(run, gravest.protocol, gravest.simulation, gravest.window)
    where = f"{gravest.model} on {label}"
    if len(tests) > 1:
        where += f", the {'first' if gravest.outcome in FAILED else 'worst'} of {len(tests)}"
    message = gravest.message or criterion_name(gravest)
    command = code(rerun(gravest.nodeid, run.provenance.command, run.provenance.against))
    return f"- **{gravest.outcome}** {plain(message)} ({plain(where)})  \n  {command}"


def _table(run: Run) -> str:
    names = dict.fromkeys(criterion_name(test) for test in run.tests)
    if not names:
        return ""
    models = [model.name for model in run.models]
    head = "| property | " + " | ".join(plain(model) for model in models) + " |"
    rule = "|---|" + "---|" * len(models)
    rows = []
    for name in names:
        cells = [
            _cell(run, [t for t in run.tests if t.model == model and criterion_name(t) == name])
            for model in models
        ]
        pipe_free = code(name).replace("|", r"\|")
        rows.append(f"| {pipe_free} | {' | '.join(cells)} |")
    legend = (
        "passed / expected / red tests, and the worst figure against its limit; "
        "tests with another outcome are in report.html"
    )
    return "\n".join([head, rule, *rows]) + f"\n\n{legend}"


def _cell(run: Run, tests: Sequence[TestResult]) -> str:
    if not tests:
        return ""
    passed = sum(test.outcome == "passed" for test in tests)
    expected = sum(test.outcome == "expected" for test in tests)
    red = sum(is_red(test, run) for test in tests)
    tally = f"{passed} / {expected} / {red}" if passed + expected + red else plain(tests[0].outcome)
    judged = [test for test in tests if test.verdict is not None and test.verdict.margin is not None]
    if not judged:
        return tally
    gravest = max(judged, key=worst)
    verdict = gravest.verdict
    assert verdict is not None
    sign = "&gt;" if broken(gravest) else "&le;"
    n = digits(verdict.figure, verdict.limit)
    return f"{tally}, {number(verdict.figure, n)} {sign} {number(verdict.limit, n)}"


def _footer(run: Run) -> str:
    origin = run.provenance
    commit = origin.git_commit[:10] if origin.git_commit else "unknown commit"
    dirty = " with local changes" if origin.git_dirty else ""
    return (
        f"{plain(run.started)}, {duration(run.seconds)}, {plain(origin.device)}, "
        f"{plain(commit)}{dirty}: {code(' '.join(origin.command))}"
    )
