"""What interventions do to a model: the figures, their pairing, and the command that shows them."""

from __future__ import annotations

import json
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import Result
from typer.testing import CliRunner

from harness.ablation import Figures, arm, survival
from harness.cli import app
from harness.record import Record
from harness.statistics import Ensemble
from tests import toy


def record(growth: np.ndarray, truth: np.ndarray | float = 1.0) -> Record:
    """A prediction whose ln var is `growth`, (step, channel), of rho and v; variances of truth."""
    variance = np.stack([np.broadcast_to(truth, growth.shape), np.exp(growth)])
    fields = ["density", "velocity", "velocity"][: growth.shape[1]]
    channels = {"channel": ["rho", "v_x", "v_y"][: len(fields)], "field": ("channel", fields)}
    data = xr.Dataset(
        {"variance": (("side", "step", "channel"), variance)},
        coords={"step": np.arange(len(growth)), **channels},
    )
    return Record("key", data)


def kin(*ranges: float) -> Ensemble:
    """Two simulations whose ln var differ by `ranges`, channel by channel."""
    spread = np.exp([np.zeros(len(ranges)), ranges])
    return Ensemble(tuple(record(np.zeros((1, len(ranges))), variance[None]) for variance in spread))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([5.0, 0.9, -1.0, 1.0], [0.0, 2.0, -2.0, 0.0], inf),
        ([0.0, 0.9, 1.1, 0.0], [0.0, 0.0, 0.0, 0.0], 2),
        ([0.0, 0.9, 0.9, 0.9], [0.0, 1.9, 1.9, -2.1], 3),
        ([0.0, 0.1, 0.1, 0.1], [0.0, 0.1, nan, nan], 2),
        ([0.0, -inf, 0.1, 0.1], [0.0, 0.1, 0.1, 0.1], 1),
    ],
)
def test_survival_is_the_first_step_outside_the_width(a, b, expected):
    assert survival(record(np.array([a, b]).T), kin(0.8, 1.6)) == expected


@pytest.mark.parametrize(("simulations", "expected"), [(1, inf), (2, 1)])
def test_within_one_simulation_the_whole_velocity_survives(simulations: int, expected: float) -> None:
    """As `bounded_rollout` judges it: components alone vary too little there to be judged."""
    frames = record(np.zeros((2, 3)), np.array([[1, 1, 1], [1, 1.1, 1.1]]))
    turned = record(np.log([[1, 1, 1], [1, 1.3, 0.7]]))
    assert survival(turned, Ensemble((frames,) * simulations)) == expected


def rolled(simulation: str, window: int, **changes: float) -> Figures:
    values = {"rate": 0.1, "survival": inf, "step1": 0.2, "div_b": 0.5, "slowest": 1, "fastest": 2}
    return Figures.model_validate(
        {
            "simulation": simulation,
            "window": window,
            "channel": "B_y",
            "basin": "y",
            **values,
            **changes,
        }
    )


def test_an_arm_is_paired_by_window_and_summed_up_by_simulation() -> None:
    places = [("s0", 0), ("s0", 1), ("s1", 0), ("s2", 0)]
    rates = ([0.1, 0.3, 0.2, 0.4], [0.1, 0.1, 0.3, 0.1])
    steps = ([9, 5, inf, inf], [inf, 4, 8, inf])
    errors = ([0.1, 0.2, 0.4, 0.1], [0.2, 0.2, 0.2, 0.2])
    bare, changed = (
        [
            rolled(*place, rate=rates[i][j], survival=steps[i][j], step1=errors[i][j])
            for j, place in enumerate(places)
        ]
        for i in (0, 1)
    )
    row = arm("divfree", changed, bare)
    assert row.figures["rate"].n == 3
    assert row.figures["rate"].median == pytest.approx(0.1)  # of 0.1, 0.3, 0.1
    assert row.figures["survival"].model_dump(include={"median", "lowest", "highest"}) == {
        "median": 8, "lowest": 4, "highest": inf,
    }  # fmt: skip
    assert row.figures["rate"].coverage == 0.75
    # differences 0, -0.2 | 0.1 | -0.3, so -0.1, 0.1 and -0.3 by simulation
    found = row.against["rate"]
    assert [found.lowest, found.median, found.highest] == pytest.approx([-0.3, -0.1, 0.1])
    # ratios 2, 1 | 0.5 | 2
    assert row.against["step1"].median == pytest.approx(1.5)
    assert (row.longer, row.shorter) == (1, 2)
    assert row.basins == {"y": 4}
    assert "survival" not in row.against
    assert arm("", bare).against == {}
    with pytest.raises(ValueError, match="different windows"):
        arm("divfree", changed[::-1], bare)


def test_data_without_a_magnetic_field_have_no_divergence() -> None:
    one = rolled("s0", 0).model_copy(update={"div_b": None, "basin": None})
    row = arm("clamp", [one], [one])
    assert "div_b" not in row.figures
    assert "div_b" not in row.against
    assert row.basins == {}
    assert row.against["step1"].median == 1


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Arguments that put the toy model on the toy data."""
    toy.build(tmp_path, offset=0.01)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return [
        f"{tmp_path}/toy.py:Shift", "--protocol", f"{tmp_path}/toy.toml", "--data", f"{tmp_path}/data",
    ]  # fmt: skip


def run(*arguments: str) -> Result:
    """`harness interventions`, in this process."""
    return CliRunner().invoke(app, ["interventions", *arguments], env={"COLUMNS": "200"})


def test_the_command_compares_arms_with_the_bare_model(bench: list[str]) -> None:
    done = run(*bench, "--arm", "restore", "--arm", "divfree+noise", "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["windows"], found["simulations"], found["steps"]) == (3, 3, 6)
    bare, restore, both = found["arms"]
    assert [a["name"] for a in found["arms"]] == ["", "restore", "divfree+noise"]
    assert bare["figures"]["survival"]["median"] == "Infinity"
    assert both["against"]["step1"]["lowest"] > 1
    assert both["figures"]["div_b"]["median"] < 0.1
    assert "3/3] toy.Shift+divfree+noise on 3 windows" in done.stderr
    shown = run(*bench, "--arm", "restore")
    assert shown.exit_code == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert "3 windows of 3 simulations" in lines[0] and "probability 0.750" in lines[0]
    assert lines[2].split()[:2] == ["arm", "lambda"] and "VRMSE[seed] t=1" in lines[2]
    assert lines[4].startswith("restore ") and ">6 (>6 .. >6)" in lines[4]
    assert restore["figures"]["step1"]["median"] == pytest.approx(
        float(lines[4].split(")  ")[2].split()[0]), abs=1e-3
    )


def test_an_arm_that_cannot_be_is_named_and_the_others_are_shown(
    bench: list[str], tmp_path: Path
) -> None:
    recipe = tmp_path / "toy.toml"
    recipe.write_text(recipe.read_text().replace("n_history = 3", "n_history = 1"))
    done = run(*bench, "--arm", "clamp", "--arm", "notch", "--steps", "3")
    assert done.exit_code == 0, done.stderr
    assert "\nnotch " in done.stdout
    assert "clamp was not measured" in done.stdout
    assert "needs a window of 2 input frames or more" in done.stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--arm", "divfre"], "unknown intervention 'divfre'; did you mean divfree"),
        (["--protocol", "mhd64-erly"], "did you mean mhd64-early"),
        (["--device", "abacus"], "--device 'abacus'"),
    ],
)
def test_what_is_not_understood(bench: list[str], change: list[str], message: str) -> None:
    done = run(*bench, *change)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())


def test_one_model_at_a_time(bench: list[str]) -> None:
    done = run("fno-mini,conv-mini", *bench[1:])
    assert done.exit_code == 2
    assert "one model" in done.stderr
