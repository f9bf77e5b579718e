"""The control matrix as a table (Markdown) and as a picture (SVG)."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.specificity import STRANGER, Cell, Matrix

TEMPLATES = Path(__file__).parent / "templates"

#: Edge of a cell of the picture, and room for the names, in pixels.
EDGE, LEFT, TOP = 22, 150, 190


def table(matrix: Matrix) -> str:
    """Markdown: per criterion which controls trip it, as they must or may, and false alarms."""
    lines = [
        "| criterion | tripped by, everywhere | tripped too, as it may be | false alarms of stranger |",
        "|---|---|---|---|",
    ]
    for criterion in matrix.criteria:
        cells = {
            s: matrix.cells[s, criterion] for s in matrix.subjects if (s, criterion) in matrix.cells
        }
        must = [_short(s) for s, c in cells.items() if c.duty == "must" and c.as_it_should and c.judged]
        may = [_counted(s, c) for s, c in cells.items() if c.duty == "may" and c.violated]
        strangers = [c for s, c in cells.items() if s.startswith(STRANGER) and c.duty == "never"]
        alarms = sum(len(c.violated) for c in strangers)
        judged = sum(len(c.judged) for c in strangers)
        permitted = any(s.startswith(STRANGER) and c.duty == "may" for s, c in cells.items())
        rate = f"{alarms} of {judged}" if judged else "may trip it" if permitted else "not applicable"
        lines.append(f"| `{criterion}` | {', '.join(must)} | {', '.join(may)} | {rate} |")
    return "\n".join(lines) + "\n"


def picture(matrix: Matrix) -> str:
    """An SVG: one row a subject, one column a criterion.

    Full disc: tripped on every window, as it must be.  Half disc: tripped on some windows or all,
    as it may be.  Red square: neither.  Dot: judged and kept.  Nothing: not applicable.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    marks = [
        (column, row, _mark(matrix.cells[subject, criterion]))
        for row, subject in enumerate(matrix.subjects)
        for column, criterion in enumerate(matrix.criteria)
        if (subject, criterion) in matrix.cells
    ]
    return environment.get_template("controls.svg.j2").render(
        subjects=[_short(subject) for subject in matrix.subjects],
        criteria=matrix.criteria,
        marks=marks,
        edge=EDGE,
        left=LEFT,
        top=TOP,
    )


def _mark(cell: Cell) -> str:
    if not cell.as_it_should:
        return "wrong"
    if not cell.violated:
        return "kept"
    return "must" if cell.duty == "must" else "may"


def _short(subject: str) -> str:
    return subject.removeprefix("control-")


def _counted(subject: str, cell: Cell) -> str:
    return f"{_short(subject)} ({len(cell.violated)}/{len(cell.judged)})"
