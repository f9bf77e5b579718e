"""What the pages say beside their commands holds: options, files, pictures; the site builds."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from typer.main import get_command

from harness.cli import app
from harness.paths import ROOT
from tests.pages import COMMANDS, PAGES

DOCS = ROOT / "docs"
#: Options on the pages that belong to other programs than pytest and harness.
FOREIGN = {"--tiny", "--compile", "--export", "--full", "--local-dir", "--no-deps"}


def test_the_gate_is_shown_for_every_made_checkpoint() -> None:
    script = (DOCS / "examples" / "gate.py").read_text()
    codes = dict(re.findall(r'"(\w+)": \((\d), "', script))
    assert set(codes) == {"repaired", "regressed", "damaged"}
    for name, code in codes.items():
        sections = PAGES["docs/ci-gate.md"].split("\n## ")
        (section,) = [s for s in sections if f"{name}.safetensors --aga" in s]
        assert f"Exit code {code}" in section
        assert any(f"checkpoints/{name}.safetensors --against" in c.line for c in COMMANDS)


def test_every_option_shown_is_known(pytester: pytest.Pytester) -> None:
    """In running text too."""
    pytester.makeconftest('pytest_plugins = ["harness.plugin"]')
    known = pytester.runpytest_inprocess("--help").stdout.str()
    assert "physics harness" in known
    ours = set(re.findall(r"`(--[a-z-]+)", PAGES["docs/reference.md"]))
    for page, text in PAGES.items():
        for option in sorted(set(re.findall(r"(?<!\S)[`(]?(--[a-z][a-z-]+)", text))):
            assert option in known or option in ours | FOREIGN | {"--junitxml"}, (page, option)


def test_commands_in_running_text_exist() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for page, text in PAGES.items():
        for program, word in re.findall(r"`(harness|make|python) ([\w/.-]+)[^`\n]*`", text):
            if program == "harness":
                assert word in commands, (page, word)
            elif program == "make":
                assert re.search(rf"^{word}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
            else:
                assert word == "-m" or (ROOT / word).is_file(), (page, word)


def test_files_that_pages_name_exist() -> None:
    for page, text in PAGES.items():
        for name in re.findall(r"`((?:docs|harness|suites|baselines|tests|training)/[\w./-]+)`", text):
            assert (ROOT / name).exists(), (page, name)


def test_the_reference_is_what_the_code_says() -> None:
    made = runpy.run_path(str(DOCS / "reference.py"))["page"]()
    assert made == PAGES["docs/reference.md"], "run: python docs/reference.py"


def test_the_reference_names_every_variable_of_a_user() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "harness").rglob("*.py"))
    internal = {"HARNESS_PROGRESS"}  # from the controller to its workers
    named = set(re.findall(r'"(HARNESS_[A-Z_]+)"', source)) - internal
    assert named == set(re.findall(r"`(HARNESS_[A-Z_]+)`", PAGES["docs/reference.md"]))


def test_the_reference_names_every_exit_code_of_a_command() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "harness" / "cli").glob("*.py"))
    (said,) = re.findall(r"Exit codes: (.*?)\n\n", PAGES["docs/reference.md"], re.DOTALL)
    usage = {"2"} if "BadParameter" in source else set()
    assert set(re.findall(r"\d+", said)) == {"0", "1"} | usage | set(
        re.findall(r"typer\.Exit\((\d+)\)", source)
    )


@pytest.mark.parametrize("picture", sorted(DOCS.rglob("*.svg")), ids=lambda path: path.stem)
def test_a_picture_needs_nothing_from_elsewhere(picture: Path) -> None:
    text = etree.tostring(etree.parse(picture)).decode()
    assert "<script" not in text and "href" not in text and "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_the_architecture_names_modules_that_exist() -> None:
    text = (DOCS / "architecture.svg").read_text()
    for name in re.findall(r">([a-z_]+\.(?:py)|[a-z]+/)", text):
        assert (ROOT / "harness" / name).exists() or (ROOT / name).exists(), name


def test_the_terminal_is_drawn_as_it_was_printed() -> None:
    make: dict[str, Any] = runpy.run_path(str(DOCS / "pictures.py"))
    width = make["COLUMNS"]
    printed = f"collected\n==== physics ====\n\x1b[31m a <b> 1\x1b[0m\n{'x' * (width + 3)}\n"
    lines = make["last_section"](printed)
    assert lines == printed.splitlines()[1:]
    drawn = etree.fromstring(make["as_svg"]("pytest suites/", lines).encode())
    drawn_text = ("".join(text.itertext()).replace("\xa0", " ") for text in drawn.iter("{*}text"))
    words = [text for text in drawn_text if text.strip()]
    assert words[:1] == ["$ pytest suites/"]
    assert words[-3:] == [" a <b> 1", "x" * width, "xxx"]


def test_the_site_builds_without_a_warning_and_links_nowhere_else(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the docs extra is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pages = sorted(page for page in PAGES if page.startswith("docs/"))
    for page in pages:
        html = (tmp_path / page.removeprefix("docs/")).with_suffix(".html").read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|link)[^>]+(?:src|href)="(https?:[^"]+)"', html)
        assert loaded == [], page
