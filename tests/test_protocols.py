"""Protocols: which frames each recipe asks for, and what is said of recipes that cannot be met."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.fields import FieldLayout
from harness.truth import protocols
from harness.truth.errors import ProtocolError, TruthError
from harness.truth.protocols import Protocol
from harness.truth.well import Frames, Scan, scan
from harness.truth.window import Window
from tests.well_files import random_frames, write_well_file


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


def write(root: Path, dataset: str, stem: str, n_frames: int, n: int = 2, **options: object) -> Path:
    """A file in which every value of frame i is i, but for a digit that tells the files apart."""
    frames = np.broadcast_to(
        np.arange(n_frames, dtype="f4").reshape(-1, 1, 1, 1, 1), (n_frames, 7, n, n, n)
    ).copy()
    frames[:, 3] += np.float32(sum(map(ord, stem)) % 97 / 1e4)
    path = root / "datasets" / dataset / "data" / "test" / f"{stem}.hdf5"
    return write_well_file(path, frames, dataset_name=dataset, **options)  # type: ignore[arg-type]


def scanned(root: Path, protocol: Protocol) -> Scan:
    return scan(root, protocol.dataset, protocol.split, dict(protocol.where))


FRAMES = {
    "simulated": (106, [(0, 2, 3, 52), (53, 55, 56, 105)]),
    "mhd64-early": (100, [(0, 2, 3, 52), (47, 49, 50, 99)]),
    "mhd64-paper": (100, [(14, 16, 17, 76)]),
    "mhd64-t100": (100, [(0, 2, 3, 99)]),
    "well-t17=MHD_64": (100, [(11, 16, 17, 76)]),
    "well-t17=shear_flow": (200, [(11, 16, 17, 76)]),
    "well-t17=active_matter": (81, [(11, 16, 17, 76)]),
    "well-t17=supernova_explosion_64": (59, [(11, 16, 17, 58)]),
    "well-t17=short": (18, [(11, 16, 17, 17)]),
}


@pytest.mark.parametrize("name", FRAMES)
def test_each_protocol_asks_for_exactly_its_frames(tmp_path: Path, name: str) -> None:
    n_frames, expected = FRAMES[name]
    protocol = protocols.load(name)
    write(tmp_path, protocol.dataset, "MHD_Ma_0.7_Ms_0.5", n_frames)
    cut, problems = protocols.windows(protocol, scanned(tmp_path, protocol))
    assert problems == ()
    assert [window.index for window in cut] == list(range(len(expected)))

    def value(source: Frames, frame: int) -> int:
        return int(source.read(frame)[0, 0, 0, 0])

    for window, bounds in zip(cut, expected, strict=True):
        with Frames(window.simulation) as source:
            first = value(source, window.start)
            last_input = value(source, window.frame(0))
            predicted = [value(source, window.frame(t)) for t in range(1, window.steps + 1)]
        print(f"{name}: history {first}-{last_input} predicts {predicted[0]}-{predicted[-1]}")
        assert (first, last_input, predicted[0], predicted[-1]) == bounds
        assert predicted == list(range(bounds[2], bounds[3] + 1))
        assert last_input - first + 1 == window.n_history


def test_shipped_protocols_are_those_documented() -> None:
    assert protocols.names() == (
        "mhd64-early", "mhd64-paper", "mhd64-t100", "simulated", "well-t17",
    )  # fmt: skip
    for name in protocols.names():
        if name == "well-t17":
            continue
        protocol = protocols.load(name)
        assert protocol.name == name
        assert protocol.fields == ("density", "magnetic_field", "velocity")
        assert protocol.split == "test"
    assert protocols.load("mhd64-paper").where == (("Ma", 0.7),)
    assert hash(protocols.load("simulated")) == hash(protocols.load("simulated"))


def test_only_the_protocols_parameters_are_selected(tmp_path: Path) -> None:
    for stem in ("MHD_Ma_0.7_Ms_0.5", "MHD_Ma_0.7_Ms_7", "MHD_Ma_2_Ms_0.5"):
        write(tmp_path, "MHD_64", stem, 100)
    protocol = protocols.load("mhd64-early")
    everything = scan(tmp_path, "MHD_64", "test")
    for found in (everything, scanned(tmp_path, protocol)):
        cut, _ = protocols.windows(protocol, found)
        assert [(w.simulation.name, w.index) for w in cut] == [
            ("Ma0.7_Ms0.5", 0),
            ("Ma0.7_Ms0.5", 1),
            ("Ma0.7_Ms7", 0),
            ("Ma0.7_Ms7", 1),
        ]


def test_no_simulation_with_the_parameters(tmp_path: Path) -> None:
    write(tmp_path, "MHD_64", "MHD_Ma_2_Ms_0.5", 100)
    with pytest.raises(ProtocolError, match=r"expected \{'Ma': 0.7\}, found \{'Ma': 2.0"):
        protocols.windows(protocols.load("mhd64-early"), scan(tmp_path, "MHD_64", "test"))


def test_unknown_names_suggest_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match=r"did you mean mhd64-early.*known: mhd64-early, mhd64"):
        protocols.load("mhd64-erly")
    for hostile in ("../protocols/simulated", "/etc/passwd", "<script>"):
        with pytest.raises(ProtocolError, match=r"unknown protocol .*known: "):
            protocols.load(hostile)
    write(tmp_path, "simulated", "a", 106)
    with pytest.raises(ProtocolError, match=r"unknown simulation 's1'; did you mean s0"):
        protocols.windows(
            protocols.load("simulated"), scan(tmp_path, "simulated", "test"), simulations=["s1"]
        )


def test_steps_and_simulations_can_be_restricted(tmp_path: Path) -> None:
    for stem in "abc":
        write(tmp_path, "simulated", stem, 106)
    protocol = protocols.load("simulated")
    found = scan(tmp_path, "simulated", "test")
    cut, problems = protocols.windows(protocol, found, steps=5, simulations=("s2", "s0"))
    assert [(w.simulation.name, w.start, w.last_frame) for w in cut] == [
        ("s0", 0, 7),
        ("s0", 53, 60),
        ("s2", 0, 7),
        ("s2", 53, 60),
    ]
    assert problems == ()
    with pytest.raises(ProtocolError, match="at least 1, not 0"):
        protocols.windows(protocol, found, steps=0)


def test_too_few_frames_are_reported_and_the_others_run(tmp_path: Path) -> None:
    write(tmp_path, "simulated", "a", 105)
    write(tmp_path, "simulated", "b", 106)
    write(tmp_path, "simulated", "c", 52)
    cut, problems = protocols.windows(protocols.load("simulated"), scan(tmp_path, "simulated", "test"))
    assert [(w.simulation.name, w.index) for w in cut] == [("s0", 0), ("s1", 0), ("s1", 1)]
    assert [str(p.file)[-6:] for p in problems] == ["a.hdf5", "c.hdf5", "c.hdf5"]
    assert "simulation s0 has too few frames for window 1" in str(problems[0])
    assert "expected 106 (3 from 53 on, 50 predicted), found 105" in str(problems[0])
    assert "expected 53 (3 from 0 on, 50 predicted), found 52" in str(problems[1])


def test_mixed_resolutions_leave_the_most_common(tmp_path: Path) -> None:
    for stem, n in (("a", 4), ("b", 2), ("c", 2)):
        write(tmp_path, "simulated", stem, 106, n)
    cut, problems = protocols.windows(protocols.load("simulated"), scan(tmp_path, "simulated", "test"))
    assert {w.simulation.name for w in cut} == {"s1", "s2"}
    (problem,) = problems
    assert problem.file is not None and problem.file.stem == "a"
    assert "expected 2 x 2 x 2 points" in str(problem)
    assert "found 4 x 4 x 4 points" in str(problem)


def test_missing_fields_and_the_scans_own_problems_are_reported(tmp_path: Path) -> None:
    good = write(tmp_path, "simulated", "a", 106)
    fluid = FieldLayout(("density", "velocity"), (0, 1))
    write_well_file(good.with_name("b.hdf5"), random_frames(106, 2, fluid), fluid)
    good.with_name("c.hdf5").write_text("broken")
    cut, problems = protocols.windows(protocols.load("simulated"), scan(tmp_path, "simulated", "test"))
    assert {w.simulation.name for w in cut} == {"s0"}
    assert "c.hdf5" in str(problems[0])
    assert "simulation s1 misses magnetic_field" in str(problems[1])
    assert all(isinstance(problem, TruthError) for problem in problems)


def test_nothing_usable_is_no_window_and_all_problems(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf5"
    path.write_text("broken")
    cut, problems = protocols.windows(protocols.load("simulated"), scan(tmp_path, "simulated", "test"))
    assert (cut, len(problems)) == ((), 1)


def test_windows_are_hashable_descriptions(tmp_path: Path) -> None:
    write(tmp_path, "simulated", "a", 106)
    protocol = protocols.load("simulated")
    once, again = (
        protocols.windows(protocol, scan(tmp_path, "simulated", "test")).windows for _ in "12"
    )
    assert once == again
    assert len({*once, *again}) == 2
    assert all(isinstance(window, Window) for window in once)


def test_a_recipe_for_any_data_set_is_bound_to_one(tmp_path: Path) -> None:
    bound = protocols.load("well-t17=active_matter")
    assert (bound.name, bound.dataset, bound.split) == (
        "well-t17.active_matter", "active_matter", "test",
    )  # fmt: skip
    valid = protocols.load("well-t17=active_matter/valid")
    assert (valid.name, valid.split) == ("well-t17.active_matter.valid", "valid")
    own = tmp_path / "mine.toml"
    own.write_text(VALID.replace('"MHD_64"', '"*"'))
    assert protocols.load(f"{own}=shear_flow").dataset == "shear_flow"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("well-t17", "well-t17=DATASET or well-t17=DATASET/SPLIT"),
        ("well-t17=", "well-t17=DATASET"),
        ("well-t17=a/dev", "split one of train, valid, test, found well-t17=a/dev"),
        ("well-t17=../a", "needs a data set"),
        ("well-t17=a/../../b", "needs a data set"),
        ("simulated=MHD_64", "has a data set of its own"),
        ("well-t71=a", "did you mean well-t17"),
    ],
)
def test_a_choice_of_data_set_that_makes_no_sense(name: str, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        protocols.load(name)


def test_a_trajectory_that_ends_before_the_first_prediction_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, "short", "a", 17)
    protocol = protocols.load("well-t17=short")
    cut, (problem,) = protocols.windows(protocol, scanned(tmp_path, protocol))
    assert cut == ()
    assert "expected 18 (6 from 11 on, 1 predicted), found 17" in str(problem)


VALID = """\
description = "Two windows."
reproduces = "nothing"
dataset = "MHD_64"
split = "valid"
ensemble = ["train", "valid"]
fields = ["density"]
inertial_range = [5, 11]
n_history = 2
starts = [0, 10]
steps = 20
"""


def test_a_protocol_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(VALID)
    assert protocols.read(path) == Protocol(
        name="mine",
        dataset="MHD_64",
        split="valid",
        ensemble=("train", "valid"),
        where=(),
        starts=(0, 10),
        n_history=2,
        steps=20,
        fields=("density",),
        inertial_range=(5, 11),
        reproduces="nothing",
        description="Two windows.",
    )


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("steps = 20", "steps = 0", "steps: expected an integer of at least 1, found 0"),
        ("steps = 20", "steps = -3", "steps: expected"),
        ("steps = 20", "steps = 2.5", "steps: expected"),
        ("steps = 20", "steps = true", "steps: expected"),
        ("steps = 20", "", "steps: expected an integer of at least 1, found nothing"),
        ("steps = 20", "step = 20", "unknown key 'step'; did you mean steps"),
        ("n_history = 2", "n_history = 0", "n_history: expected"),
        ("[0, 10]", "[]", "starts: expected"),
        ("[0, 10]", "[0, -1]", "starts: expected"),
        ("[0, 10]", "[0, 0]", "starts: expected distinct"),
        ("[0, 10]", "0", "starts: expected"),
        ('["density"]', '["density", 1]', "fields: expected"),
        ('["density"]', "[[]]", "fields: expected"),
        ("[5, 11]", "[11, 5]", "inertial_range: expected"),
        ("[5, 11]", "[5]", "inertial_range: expected"),
        ('split = "valid"', 'split = "validation"', "split: expected train or valid or test"),
        ('["train", "valid"]', '["dev"]', "ensemble: expected"),
        ('"MHD_64"', '"../MHD_64"', "dataset: expected"),
        ('"MHD_64"', '""', "dataset: expected"),
        ('"nothing"', '" "', "reproduces: expected"),
        ("steps = 20", 'steps = 20\nfit = "yes"', "fit: expected true or false"),
        ("steps = 20", "steps = 20\nwhere = 0.7", "where: expected a table"),
        ("steps = 20", "steps = 20\n[where]\nMa = nan", "where: expected"),
        ("steps = 20", 'steps = 20\n[where]\nMa = "0.7"', "where: expected"),
        ("steps = 20", "steps = ", "protocol cannot be read"),
    ],
)
def test_a_wrong_protocol_names_file_and_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    path = tmp_path / "mine.toml"
    assert old in VALID
    path.write_text(VALID.replace(old, new))
    with pytest.raises(ProtocolError) as caught:
        protocols.read(path)
    assert key in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_protocol_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match=r"cannot be read in .*mine\.toml"):
        protocols.read(tmp_path / "mine.toml")
