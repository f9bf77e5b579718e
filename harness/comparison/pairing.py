"""Which side goes with which, and what must be alike before two figures are compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.comparison.sides import CompareError, Key, Side, distinct


def pairs(
    reference: Sequence[Side], other: Sequence[Side], names: tuple[str, str]
) -> list[tuple[Side, Side]]:
    """(reference, other) for every comparison that two arguments mean.

    One model on each side is one comparison, whatever their names; several are paired by name.
    names: the two arguments, for the message.  Raises CompareError where nothing pairs.
    """
    if len(reference) == len(other) == 1:
        return [(reference[0], other[0])]
    by_name = {side.model: side for side in other}
    found = [(side, by_name[side.model]) for side in reference if side.model in by_name]
    if found and names[0] != names[1]:
        return found
    choices = [
        f"{name}:{side.model}"
        for name, sides in zip(names, (reference, other), strict=True)
        if len(sides) > 1
        for side in sides
    ]
    raise CompareError(
        f"several models and none chosen: name one by {', '.join(dict.fromkeys(choices))}"
    )


def labelled(couples: Sequence[tuple[Side, Side]]) -> list[tuple[Side, Side]]:
    """The couples with labels that tell each side from all others."""
    sides = list(dict.fromkeys(side for couple in couples for side in couple))
    named = dict(zip(sides, distinct(sides), strict=True))
    return [(named[reference], named[other]) for reference, other in couples]


def common(reference: Side, other: Side) -> list[Key]:
    """The cases of both sides, in the reference's order; CompareError where they are unlike."""
    protocols = [p for p in reference.conditions if p in other.conditions]
    if not protocols:
        raise CompareError(
            f"unlike protocols: {reference.label} has {_listed(reference.conditions)}, "
            f"{other.label} has {_listed(other.conditions)}; judge both under one of them"
        )
    for protocol in protocols:
        _refuse_unlike_conditions(protocol, reference, other)
    keys = [key for key in reference.tests if key in other.tests]
    if not keys:
        raise CompareError(
            f"{reference.label} and {other.label} share protocol {_listed(protocols)} but no case of it"
        )
    for key in keys:
        _refuse_unlike_conventions(key, reference, other)
    for protocol in protocols:
        _refuse_unlike_data(protocol, reference, other)
    return keys


def _refuse_unlike_conditions(protocol: str, reference: Side, other: Side) -> None:
    before, after = reference.conditions[protocol], other.conditions[protocol]
    unlike = [
        f"{name} {before.get(name)} against {after.get(name)}"
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    ]
    if unlike:
        raise CompareError(
            f"{reference.label} and {other.label} are not alike under {protocol}: "
            f"{', '.join(unlike)}; run both alike"
        )


def _refuse_unlike_conventions(key: Key, reference: Side, other: Side) -> None:
    verdicts = reference.tests[key].verdict, other.tests[key].verdict
    units = [verdict.unit for verdict in verdicts if verdict and verdict.unit]
    if len(set(units)) > 1:
        raise CompareError(
            f"unlike conventions of {key.property}: {reference.label} measures {units[0]!r}, "
            f"{other.label} {units[1]!r}"
        )


def _refuse_unlike_data(protocol: str, reference: Side, other: Side) -> None:
    """Digests cover all simulations of a run, so they tell only where these are the same."""
    digests = reference.data.get(protocol), other.data.get(protocol)
    if None in digests or digests[0] == digests[1]:
        return
    simulations = [
        {key.simulation for key in side.tests if key.protocol == protocol}
        for side in (reference, other)
    ]
    if simulations[0] == simulations[1]:
        raise CompareError(
            f"{reference.label} and {other.label} were judged on different data under {protocol}, "
            "though their simulations have the same names; run both on one copy"
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
