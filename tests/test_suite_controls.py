"""Every judged criterion of the suites names a control, and that control declares to fire it."""

from __future__ import annotations

import pytest

from harness.jobs import rollout
from harness.paths import ROOT
from harness.properties import Property, collect, property_test
from harness.surrogates.controls import CONTROLS


@pytest.mark.parametrize("found", collect(ROOT / "suites"), ids=lambda found: found.name)
def test_the_named_control_declares_to_fire_the_criterion(found: Property) -> None:
    assert found.population or found.controls
    for criterion, name in found.controls.items():
        prefix, _, control = name.partition(":")
        label = f"{found.name}[{criterion}]" if criterion else found.name
        assert prefix == "control"
        assert label in CONTROLS[control].fires


def test_a_property_without_a_control_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="no control shows that it can fail"):

        @property_test(reads=[rollout()])
        def test_something(record, judge):  # type: ignore[no-untyped-def]
            """Something holds."""


def test_a_control_of_a_criterion_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown criteria slope"):

        @property_test(reads=[rollout()], criteria=("shape",), control={"slope": "control:blur"})
        def test_something(record, criterion, judge):  # type: ignore[no-untyped-def]
            """Something holds."""
