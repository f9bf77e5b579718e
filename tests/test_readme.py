"""What the README shows in full runs as it stands there."""

from __future__ import annotations

import re
import shlex

import pytest
import torch

from harness.paths import ROOT
from tests.conftest import Toy

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"<!-- (?P<file>\w+\.py) -->\n```python\n(?P<code>.*?)```", re.DOTALL)


def block(file: str) -> str:
    (code,) = [m["code"] for m in BLOCK.finditer(README) if m["file"] == file]
    return code


def test_the_shown_model_runs_under_the_real_suites(toy_bench: Toy) -> None:
    (toy_bench.folder / "my_model.py").write_text(block("my_model.py"))
    namespace: dict[str, type] = {}
    exec(block("my_model.py"), namespace)
    weights = toy_bench.folder / "weights.pt"
    torch.save(namespace["Increment"]().state_dict(), weights)
    code = toy_bench.pytest(
        "--model", "my_model.py:MyModel=weights.pt", "--no-baselines", suites=str(ROOT / "suites")
    )
    assert code in (0, 1), toy_bench.output
    tests = [t for t in toy_bench.run.tests if t.model == "my_model.MyModel.weights"]
    assert not [t for t in tests if t.outcome == "error"], toy_bench.output
    # Population properties and those that need the truth's integrator give no verdict here.
    silent = {"population", "population_divergence", "survival", "window_dependence", "growth_rate"}
    assert {t.property for t in tests} - {t.property for t in tests if t.verdict} == silent
    (model,) = [m for m in toy_bench.run.models if m.name == "my_model.MyModel.weights"]
    assert model.parameters == 7 * 7 * 27 + 7


def test_the_shown_property_judges(toy_bench: Toy) -> None:
    (toy_bench.folder / "suites" / "test_toy.py").write_text(block("test_energy.py"))
    toy_bench.model(0.0, body="frame[1:4] *= 1.02 ** number")
    assert toy_bench.pytest() == 1, toy_bench.output
    outcomes = {t.outcome for t in toy_bench.run.tests}
    assert outcomes == {"violated"}
    assert "magnetic_energy |d ln E_B| =" in toy_bench.output


@pytest.mark.parametrize("word", ["make bench", "make test", "harness models", "harness protocols"])
def test_the_shown_commands_exist(word: str) -> None:
    assert word in README
    program, target = word.split()
    if program == "make":
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert word in (ROOT / ".ci" / "run").read_text()
    else:
        from typer.main import get_command

        from harness.cli import app

        assert target in get_command(app).commands  # type: ignore[attr-defined]


COMMANDS = re.findall(r"^    ((?:harness|pytest|make) [^#\n]*)", README, re.MULTILINE)


def test_every_pytest_option_shown_is_known(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = ["harness.plugin"]')
    known = pytester.runpytest_inprocess("--help").stdout.str()
    assert "physics harness" in known
    shown = {word for line in COMMANDS if line.startswith("pytest") for word in line.split()}
    assert "--model" in shown
    for option in sorted(word for word in shown if word.startswith("--")):
        assert option in known, option


DOCS = "\n".join(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").rglob("*.md")))
SHOWN = re.findall(r"^(?:    )?(harness [a-z][^#\n]*)", README + "\n" + DOCS, re.MULTILINE)


@pytest.mark.parametrize("line", sorted({line.strip() for line in SHOWN}))
def test_every_harness_command_shown_is_known_with_its_options(line: str) -> None:
    from typer.main import get_command

    from harness.cli import app

    _, name, *rest = shlex.split(line)
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert known >= {word for word in rest if word.startswith("--")}
