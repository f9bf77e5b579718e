"""A comparison in Markdown, for a pull request or a step summary."""

from __future__ import annotations

from harness.comparison.changes import CHANGES
from harness.comparison.compare import Comparison, Comparisons
from harness.report import compare_text as text
from harness.report.markdown import code, plain


def markdown(found: Comparisons) -> str:
    """All comparisons, each with its table, its gravest cases and what may be concluded."""
    gate = f"Exit status {int(found.failed)}. {plain(text.gate(found))}"
    blocks = [block for one in found.comparisons for block in _comparison(one, found)]
    return "\n\n".join([*blocks, gate]) + "\n"


def _comparison(one: Comparison, found: Comparisons) -> list[str]:
    labels = plain(one.reference.label), plain(one.other.label)
    head = ("property", *CHANGES, *labels, "difference", "detectable", "in general")
    table = [f"| {' | '.join(head)} |", "|---|" + "--:|" * (len(CHANGES) + 2) + "---|--:|---|"]
    for row in text.rows(one):
        counts = " | ".join(str(row.counts[name] or "") for name in CHANGES)
        cells = (row.before, row.after, row.difference, row.detectable, row.decision)
        table.append(f"| {code(row.name)} | {counts} | {' | '.join(map(plain, cells))} |")
    groups = text.gravest(one, found.fail_on or ("broken", "worse"))
    lines = [f"- **{group.change}** {plain(str(group))}" for group in groups]
    return [
        f"## {plain(one.other.label)} against {plain(one.reference.label)}",
        f"{plain(text.headline(one))}. Reference: {plain(one.reference.source)}; "
        f"compared: {plain(one.other.source)}.",
        "\n".join(table),
        "\n".join(lines),
        *map(plain, (*text.survival_line(one), *text.generalises(one), text.columns(one))),
        *map(plain, text.footer(one)),
    ]
