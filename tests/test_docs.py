"""Every command and block of code on the pages of docs/ runs; the site builds without a warning."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lxml import etree
from typer.testing import CliRunner

from harness.paths import ROOT
from tests.conftest import Toy
from tests.test_readme import README

DOCS = ROOT / "docs"
PAGES = [
    "index.md", "report.md", "adding-a-model.md", "adding-a-property.md", "baselines.md",
    "ci-gate.md", "protocols.md", "architecture.md",
]  # fmt: skip
TEXT = {name: (DOCS / name).read_text(encoding="utf-8") for name in PAGES}

COMMANDS = sorted(
    {
        line.strip()
        for text in TEXT.values()
        for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
    }
)
#: Judge the real checkpoints; docs/examples/gate.py runs them, and the toy's gate is in test_outcomes.
GATES = [c for c in COMMANDS if "--against fno-mini" in c]
SUITES = [c for c in COMMANDS if c.startswith("pytest ") and c not in GATES]
OTHERS = [c for c in COMMANDS if not c.startswith("pytest ")]


def block(page: str, file: str) -> str:
    (code,) = re.findall(rf"<!-- {re.escape(file)} -->\n```\w+\n(.*?)```", TEXT[page], re.DOTALL)
    return code


def prepare(bench: Toy) -> None:
    """Put the files that the pages show into the toy's folder."""
    for page, file in (
        ("adding-a-model.md", "my_model.py"),
        ("adding-a-property.md", "test_energy.py"),
    ):
        (bench.folder / file).write_text(block(page, file))
    namespace: dict[str, type] = {}
    exec(block("adding-a-model.md", "my_model.py"), namespace)
    torch.save(namespace["Increment"]().state_dict(), bench.folder / "weights.pt")
    # The toy's truth has 10 frames of 8^3 cells.
    recipe = block("protocols.md", "mine.toml")
    for shown, toy in (('"simulated"', '"toy"'), ("steps = 20", "steps = 5"), ("[4, 8]", "[1, 3]")):
        assert shown in recipe
        recipe = recipe.replace(shown, toy)
    (bench.folder / "mine.toml").write_text(recipe)


@pytest.mark.parametrize("command", SUITES)
def test_the_shown_judgement_runs(toy_bench: Toy, command: str) -> None:
    prepare(toy_bench)
    _, target, *options = shlex.split(command)
    suites = str(ROOT / "suites") if target == "suites/" else target
    code = toy_bench.pytest(*options, suites=suites)
    assert code in (0, 1), toy_bench.output
    errors = [t for t in toy_bench.run.tests if t.outcome == "error"]
    assert not errors, errors[0].message
    assert any(t.verdict is not None for t in toy_bench.run.tests)


@pytest.mark.parametrize("command", OTHERS)
def test_the_other_shown_commands_run(toy_bench: Toy, command: str) -> None:
    program, *arguments = shlex.split(command)
    if program == "make":
        assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert command in (ROOT / ".ci" / "run").read_text()
    elif program == "pip":
        assert command in README
        assert (ROOT / "constraints.txt").is_file()
    elif program == "python":
        script = [sys.executable, str(ROOT / arguments[0]), *arguments[1:]]
        subprocess.run(script, cwd=toy_bench.folder, check=True, timeout=300)
        made = {path.name for path in (toy_bench.folder / arguments[1]).iterdir()}
        assert made == {"repaired.safetensors", "regressed.safetensors", "damaged.safetensors"}
    else:
        assert program == "harness"
        from harness.cli import app

        if arguments[0] == "report":
            toy_bench.pytest()
            arguments[1] = str(toy_bench.folder / arguments[1])
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output


def test_the_gate_is_shown_for_every_made_checkpoint() -> None:
    script = (DOCS / "examples" / "gate.py").read_text()
    codes = dict(re.findall(r'"(\w+)": \((\d), "', script))
    assert set(codes) == {"repaired", "regressed", "damaged"}
    for name, code in codes.items():
        (section,) = [s for s in TEXT["ci-gate.md"].split("\n## ") if f"{name}.safetensors --aga" in s]
        assert f"Exit code {code}" in section
        assert any(f"checkpoints/{name}.safetensors" in command for command in GATES)
    assert "pytest suites/ --model fno-mini=./new.safetensors --against fno-mini" in GATES


def test_every_option_shown_is_known(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = ["harness.plugin"]')
    known = pytester.runpytest_inprocess("--help").stdout.str()
    for option in sorted(set(re.findall(r"(?<!\S)`?(--[a-z-]+)", "\n".join(TEXT.values())))):
        assert option in known or option == "--junitxml", option


def test_files_that_pages_name_exist() -> None:
    for page, text in TEXT.items():
        for name in re.findall(r"`((?:docs|harness|suites|baselines)/[\w./-]+)`", text):
            assert (ROOT / name).exists(), (page, name)


def test_the_picture_is_an_image_of_its_own() -> None:
    picture = etree.parse(DOCS / "architecture.svg")
    text = etree.tostring(picture).decode()
    assert "<script" not in text and "href" not in text and "url(http" not in text
    for name in re.findall(r">([a-z_]+\.(?:py)|[a-z]+/)", text):
        assert (ROOT / "harness" / name).exists() or (ROOT / name).exists(), name


def test_the_site_builds_without_a_warning_and_links_nowhere_else(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the docs extra is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for page in PAGES:
        html = (tmp_path / page).with_suffix(".html").read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|link)[^>]+(?:src|href)="(https?:[^"]+)"', html)
        assert loaded == [], page
