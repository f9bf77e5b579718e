"""What a published baseline asserts, and what it leaves open, with runs of a miniature benchmark."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from harness import judging
from harness.baselines import Baseline, BaselineError, Publication
from harness.results import Expectation, Fact
from tests.conftest import Toy

CITATION = "somebody's article, arrays a"
CONDITIONS = {"steps": "protocol", "precision": "fp32", "draw": "seeded"}


def publish(bench: Toy, **entries: Expectation) -> Path:
    """A published baseline of the toy: entries by simulation and criterion, `wave0_mean=...`."""
    named = {
        f"test_offset[{name.split('_')[0]}-w0:{name.split('_')[1]}]": entry
        for name, entry in entries.items()
    }
    baseline = Baseline(bench.folder / "baselines", "toy.Shift", "toy")
    baseline.publish(Publication(CITATION, CONDITIONS), {"test_toy": named})
    return bench.folder / "baselines" / "toy.Shift" / "toy"


def broken(last: float, tolerance: float | None = 0.02, worse: str | None = "higher") -> Expectation:
    """Broken as published; the toy notes the offset of the last frame as `last`."""
    fact = Fact(value=last, tolerance=tolerance, worse=worse)  # type: ignore[arg-type]
    return Expectation(verdict="violated", source=CITATION, facts={"last": fact})


def test_a_first_real_run_is_not_red_for_being_first(toy_bench: Toy) -> None:
    publish(toy_bench, wave0_mean=broken(0.7))
    toy_bench.model(0.7)
    assert toy_bench.pytest() == 0, toy_bench.output
    assert toy_bench.result("wave0:mean").outcome == "expected"
    other = toy_bench.result("wave1:maximum")
    assert other.outcome == "unrecorded"  # no entry: the publication does not say
    assert other.baseline is not None and other.baseline.source == CITATION
    assert "UNRECORDED" in toy_bench.output


def test_what_a_published_model_keeps_has_passed(toy_bench: Toy) -> None:
    publish(toy_bench, wave0_mean=broken(0.7))
    toy_bench.model(0.2)
    assert toy_bench.pytest("-k", "wave1", "-rX", "-v") == 0, toy_bench.output
    assert toy_bench.result("wave1:mean").outcome == "passed"
    assert "2 passed" in toy_bench.output and "xpassed" not in toy_bench.output.lower()
    assert "XPASS" not in toy_bench.output


def test_a_fact_beyond_its_spread_is_red_on_both_sides(toy_bench: Toy) -> None:
    publish(toy_bench, wave0_mean=broken(0.7))
    for offset, outcome in ((0.73, "regression"), (0.67, "regression"), (0.71, "expected")):
        toy_bench.model(offset)
        assert toy_bench.pytest() == (1 if outcome == "regression" else 0)
        assert toy_bench.result("wave0:mean").outcome == outcome
    toy_bench.model(0.73)
    toy_bench.pytest()
    assert "last = 0.73, published 0.7 +- 0.02; offset[mean]" in toy_bench.output
    assert toy_bench.result("wave2:mean").outcome == "unrecorded"


def test_facts_are_held_where_the_verdict_is_not_recorded(toy_bench: Toy) -> None:
    entry = Expectation(verdict="unrecorded", facts=broken(0.2).facts, source=CITATION)
    publish(toy_bench, wave0_mean=entry)
    toy_bench.model(0.2)
    assert toy_bench.pytest() == 0
    assert toy_bench.result("wave0:mean").outcome == "passed"
    toy_bench.model(0.3)
    assert toy_bench.pytest() == 1
    assert toy_bench.result("wave0:mean").outcome == "regression"


def test_a_fact_without_a_tolerance_is_shown_not_asserted(toy_bench: Toy) -> None:
    publish(toy_bench, wave0_mean=broken(0.9, None))
    toy_bench.model(0.7)
    assert toy_bench.pytest("-v") == 0, toy_bench.output
    assert toy_bench.result("wave0:mean").outcome == "expected"


def test_kept_where_published_as_broken_is_repaired(toy_bench: Toy) -> None:
    publish(toy_bench, wave0_mean=broken(0.7))
    toy_bench.model(0.1)
    assert toy_bench.pytest() == 1
    assert toy_bench.result("wave0:mean").outcome == "repaired"


def test_a_fact_that_the_suite_does_not_note_is_red(toy_bench: Toy) -> None:
    entry = broken(0.7)
    entry.facts["lambda"] = Fact(value=0.3, tolerance=0.1)
    publish(toy_bench, wave0_mean=entry)
    toy_bench.model(0.7)
    assert toy_bench.pytest() == 1
    assert "lambda = not measured, published 0.3" in toy_bench.output


def test_under_against_only_the_worse_side_counts(toy_bench: Toy) -> None:
    publish(toy_bench, wave0_mean=broken(0.7))
    for offset, code in ((0.65, 0), (0.75, 1), (0.1, 0)):
        toy_bench.model(offset)
        assert toy_bench.pytest("--against", "toy.Shift") == code, toy_bench.output


def test_another_protocol_length_does_not_meet_the_publication(toy_bench: Toy) -> None:
    publish(toy_bench, wave0_mean=broken(0.7))
    toy_bench.model(0.7)
    assert toy_bench.pytest("--steps", "4") == 1
    assert toy_bench.result("wave1:maximum").outcome == "violated"
    assert "does not apply (steps: recorded protocol, now 4)" in toy_bench.output


def test_a_measured_run_replaces_what_was_published(toy_bench: Toy) -> None:
    folder = publish(toy_bench, wave0_mean=broken(0.7))
    toy_bench.model(0.7)
    assert toy_bench.pytest("--update-baselines") == 0, toy_bench.output
    entries = json.loads((folder / "test_toy.json").read_text())
    assert len([name for name in entries if name != "conditions"]) == 6
    assert all("facts" not in e for n, e in entries.items() if n != "conditions")
    toy_bench.model(0.8)
    assert toy_bench.pytest() == 1  # from now on worse is red
    assert toy_bench.result("wave1:maximum").outcome == "regression"


def test_a_publication_without_a_citation_is_refused(toy_bench: Toy) -> None:
    folder = publish(toy_bench, wave0_mean=broken(0.7))
    (folder / "published.json").write_text('{"conditions": {}}')
    assert toy_bench.pytest() == 4
    assert "published.json lacks 'citation'" in toy_bench.output
    with pytest.raises(BaselineError):
        _ = Baseline(toy_bench.folder / "baselines", "toy.Shift", "toy").published


@pytest.mark.parametrize(
    ("today", "fact", "gating", "unlike"),
    [
        ("y", Fact(value="y", tolerance=0), False, False),
        ("z", Fact(value="y", tolerance=0), False, True),
        ("z", Fact(value="y"), False, False),
        ("z", Fact(value="y", tolerance=0), True, False),
        (None, Fact(value=22.0, tolerance=2, worse="lower"), False, True),
        (None, Fact(value=22.0, tolerance=2, worse="lower"), True, False),
        (None, Fact(value=math.inf, tolerance=2, worse="lower"), False, False),
        (5.0, Fact(value=math.inf, tolerance=2, worse="lower"), True, True),
        (24.0, Fact(value=22.0, tolerance=2, worse="lower"), False, False),
        (19.0, Fact(value=22.0, tolerance=2, worse="lower"), True, True),
        (math.nan, Fact(value=0.3, tolerance=0.1, worse="higher"), False, True),
        (math.nan, Fact(value=0.3, tolerance=0.1, worse="higher"), True, True),
        (math.inf, Fact(value=0.3, tolerance=0.1, worse="higher"), True, True),
    ],
)
def test_contradictions(today: float | str | None, fact: Fact, gating: bool, unlike: bool) -> None:
    entry = Expectation(verdict="violated", facts={"value": fact})
    assert bool(judging.contradictions(entry, {"value": today}, gating)) is unlike
    assert judging.contradictions(None, {}, gating) == []
