"""results.json: what one run found, in a versioned schema.

JUnit, the HTML page, the Markdown summary and every comparison are views of this file and of the
records beside it.  JSON has no infinities, so non-finite numbers are the strings "Infinity",
"-Infinity" and "NaN"; reading gives floats back.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.atomic import replacing

SCHEMA_VERSION: Literal[1] = 1

#: What became of one test.
#: passed: criterion kept.  violated: broken, and not recorded as broken (red).  expected: broken as
#: recorded (xfail).  regression: worse than recorded, or unlike what was published (red).
#: repaired: recorded as broken, now kept (red, or reported under --against).  unrecorded: broken
#: where a published baseline holds no figure: new knowledge, not red.  recorded: figures without
#: a verdict (nothing to judge by, or never judged).  not-applicable: the model or the data lacks
#: what the property needs.  error: no figure could be had.  missing: collected, but never reported
#: (a worker died).
Outcome = Literal[
    "passed",
    "violated",
    "expected",
    "regression",
    "repaired",
    "unrecorded",
    "recorded",
    "not-applicable",
    "error",
    "missing",
]

#: Outcomes that make a run fail, whatever it was asked for, but for the two of `red_outcomes`.
RED: frozenset[str] = frozenset({"violated", "regression", "error", "missing"})


def red_outcomes(gated: bool, recorded: bool) -> frozenset[str]:
    """The outcomes that make a run fail.

    gated: another model's baseline judged it (--against), so a repair is only reported.  recorded:
    it wrote its verdicts as baselines (--update-baselines), so a violation is what it was to record.
    """
    red = RED if gated else RED | {"repaired"}
    return red - {"violated"} if recorded else red


class _Model(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="strings", extra="forbid", frozen=True)


class Fact(_Model):
    """A published value that a test notes beside its verdict, and that a rerun must meet.

    value: a number (infinite for an event that never happens) or a word, e.g. a basin.
    tolerance: how far a rerun may lie from a number, on either side; None: shown, not asserted.
    worse: the side on which another model, judged against this one, counts as worse.
    """

    value: float | str
    tolerance: float | None = None
    worse: Literal["higher", "lower"] | None = None


class Expectation(_Model):
    """What a baseline recorded for one test.

    facts: name of a noted value -> what was published of it (published baselines only).
    """

    verdict: Literal["passed", "violated", "unrecorded"]
    figure: float | None = None
    limit: float | None = None
    tolerance: float | None = None
    step: int | None = None
    source: str = ""
    facts: dict[str, Fact] = Field(default_factory=dict)


class Verdict(_Model):
    """One judged figure.

    figure, limit: the statistic and its limit where the margin is worst; a non-finite prediction
    gives figure = inf.  margin = figure / limit; the criterion is kept while margin <= 1.
    step, where: the step (None for a scalar figure) and channel, field or criterion part of the
    worst margin.  curve, limit_curve: worst statistic over everything but `step`, and its limit,
    per entry of `steps`.
    """

    figure: float
    limit: float | None
    margin: float | None
    unit: str
    step: int | None = None
    where: str | None = None
    diverged_at: int | None = None
    steps: tuple[int, ...] = ()
    curve: tuple[float, ...] = ()
    limit_curve: tuple[float, ...] = ()
    held: bool = False  # whether a kept figure is held to its own record, not only to its limit
    basis: str = ""  # where the limit comes from: "W: 1.25 x range of 636 truth frames, 6 simulations"


class TestResult(_Model):
    """One test case: one criterion of one property, for one model on one window (or population)."""

    __test__: ClassVar[bool] = False  # its name is no invitation to pytest

    nodeid: str
    suite: str  # module stem, e.g. "test_magnetic"
    property: str  # e.g. "div_b_ratio"
    criterion: str = ""  # e.g. "spectral"; "" where the property has one criterion
    statement: str = ""  # the physical statement: first paragraph of the test's docstring
    formula: str = ""  # how the statistic is computed: the docstring's other paragraphs
    model: str
    protocol: str
    simulation: str | None = None  # None for a population property
    window: int | None = None
    outcome: Outcome
    message: str = ""  # one line, figure first
    verdict: Verdict | None = None
    values: dict[str, float | str | None] = Field(default_factory=dict)  # recorded beside the verdict
    baseline: Expectation | None = None
    records: tuple[str, ...] = ()  # keys of the records the test read; file records/<key>.nc
    seconds: float = 0.0


class RecordEntry(_Model):
    """One record of the run: which job made it, and where it lies."""

    key: str
    file: str  # relative to the run folder
    kind: str  # "rollout", "twin", "truth"
    model: str | None
    protocol: str | None
    simulation: str
    window: int | None
    precision: str
    draw: int | None
    diverged_at: int | None = None
    diverged_in: str | None = None
    from_store: bool = False
    seconds: float = 0.0


class ModelEntry(_Model):
    """A model under test and what identifies it."""

    name: str
    fingerprint: str
    n_history: int
    parameters: int | None = None
    description: str = ""


class Provenance(_Model):
    """Everything that is needed to repeat the run."""

    command: tuple[str, ...]
    git_commit: str | None
    git_dirty: bool | None
    versions: dict[str, str]
    platform: str
    device: str
    precision: str
    flags: dict[str, str]
    draws: str
    steps: int | None = None  # predicted steps that were asked for instead of the protocol's
    data: dict[str, str]  # protocol -> digest over the data ids of its simulations
    truth: dict[str, str] = Field(default_factory=dict)  # protocol -> what its data are, in words
    workers: int
    # Options that the command does not show where they come from PYTEST_ADDOPTS or a settings file. A
    # file without these three is read as one of a plain and complete run, gated by nothing.
    against: str | None = None  # the baseline that --against named
    recorded: bool = False  # whether --update-baselines wrote its verdicts: not if refused
    partial: bool = False  # whether -k, -m, a node id, a file or --trajectories left test cases out


class Run(_Model):
    """One pytest session over suites/."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str
    started: str  # ISO 8601, UTC
    seconds: float
    exit_status: int
    provenance: Provenance
    models: tuple[ModelEntry, ...]
    protocols: tuple[str, ...]
    tests: tuple[TestResult, ...]
    records: tuple[RecordEntry, ...]
    notes: tuple[str, ...] = ()  # e.g. why baselines did not apply, problems with truth files
    missing: tuple[str, ...] = ()  # collected node ids that never reported
    # what the protocols ask for and the data cannot give; red, unless trajectories were named
    unusable: tuple[str, ...] = ()

    def save(self, folder: Path) -> Path:
        """Write results.json atomically; returns its path."""
        target = folder / "results.json"
        with replacing(target) as part:
            part.write_text(self.model_dump_json(indent=1), encoding="utf-8")
        return target

    @classmethod
    def load(cls, folder: Path) -> Run:
        """Read results.json of a run folder; pydantic.ValidationError names what does not fit."""
        return cls.model_validate_json((folder / "results.json").read_bytes())


def complaint(folder: Path, error: OSError | ValidationError) -> str:
    """Why a run folder's results cannot be read, in a line."""
    if isinstance(error, OSError):
        return f"{folder}/results.json cannot be read: {error.strerror or error}"
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return (
        f"{folder}/results.json is damaged, or not of this version: "
        f"{f'{place}: ' if place else ''}{first['msg']}"
    )
