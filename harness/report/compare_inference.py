"""What a comparison of n simulations allows to conclude, in words: inference, beside the facts."""

from __future__ import annotations

from collections.abc import Sequence

from harness.comparison.compare import Comparison
from harness.comparison.inference import Inference, threshold
from harness.report.text import counted, number
from harness.statistics.intervals import LEAST

#: Marks a difference that is in the figure's own unit, since the limit is zero.
OWN_UNIT = "\N{DAGGER}"


def spread(found: Inference) -> str:
    """`+11.1 [+8.74, +14.8]`: median difference with its range or interval."""
    if found.median is None:
        return number(None)
    mark = OWN_UNIT if found.unit == "figure" else ""
    return f"{_signed(found.median)}{mark} [{_signed(found.low)}, {_signed(found.high)}]"


def detectable(found: Inference) -> str:
    """The minimum detectable effect, in the difference's unit."""
    mark = OWN_UNIT if found.unit == "figure" and found.detectable is not None else ""
    return f"{number(found.detectable)}{mark}"


def decision(found: Inference) -> str:
    """What n allows to say of other simulations."""
    if found.reason:
        return found.reason
    if found.n < LEAST:
        return f"no verdict, n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{found.n}"
    if found.decided is None:
        return f"no decision possible: smallest p {number(found.smallest_p, 2)}"
    said = "differs" if found.decided else "not shown to differ"
    return f"{said}, p {number(found.p, 2)}"


def _signed(value: float | None) -> str:
    text = number(value)
    return f"+{text}" if value is not None and value > 0 else text


def columns(comparison: Comparison) -> str:
    """What the columns of the table mean."""
    if not _inferred(comparison):
        return (
            "Changes are facts: both sides saw the same windows. Nothing is inferred: "
            + ", ".join(dict.fromkeys(one.inference.reason for one in comparison.criteria))
            + "."
        )
    return (
        "Changes are facts: both sides saw the same windows. Figures are medians over windows; "
        "a difference is per simulation, in limits of the criterion "
        f"({OWN_UNIT}: in the figure's own unit), its median with {_interval(_inferred(comparison))}; "
        "detectable, the minimum detectable effect (MDE), is the mean difference that a paired t test "
        "would find in 4 of 5 repetitions; neither has a size where a figure is not finite."
    )


def generalises(comparison: Comparison) -> list[str]:
    """What may and may not be concluded from n simulations."""
    found = _inferred(comparison)
    if not found:
        return []
    n = max(one.n for one in found)
    smallest = number(max((one.smallest_p or 1.0) for one in found), 2)
    asked = number(threshold(len(found)), 2)
    criteria = counted(len(found), "criterion", "criteria")
    if n < LEAST:
        said = (
            f"no verdict below {LEAST} simulations. With n = {n} a sign test cannot reach p below "
            f"{smallest}; Holm over {criteria} would ask for {asked}."
        )
    elif all(one.decided is None for one in found):
        said = (
            f"{counted(n, 'simulation')} cannot decide. A sign test cannot reach p below {smallest}; "
            f"Holm over {criteria} asks for {asked}."
        )
    else:
        differ = sum(bool(one.decided) for one in found)
        said = (
            f"{differ} of {criteria} differ, by a sign test over {counted(n, 'simulation')} with "
            "Holm's correction at 0.05."
        )
    return [f"Whether it generalises: {said}"]


def _inferred(comparison: Comparison) -> list[Inference]:
    found = [criterion.inference for criterion in comparison.criteria]
    return [one for one in found if not one.reason]


def _interval(found: Sequence[Inference]) -> str:
    kinds = dict.fromkeys((one.method, one.n, one.coverage) for one in found)
    said = []
    for method, n, coverage in kinds:
        percent = f"{100 * (coverage or 0):.3g} %"
        if method == "range":
            simulations = counted(n, "simulation")
            said.append(f"the range of {simulations}, which covers the median with {percent}")
        else:
            said.append(f"a {percent} {method} interval over {n} simulations")
    return " or ".join(said) or "no interval"
