"""Writes docs/reference.md: every option of pytest and every command of harness, from the code.

python docs/reference.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from typer.main import get_command

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from harness.cli import app  # noqa: E402
from harness.plugin.collection import COSTS  # noqa: E402
from harness.plugin.options import pytest_addoption  # noqa: E402

Row = tuple[str, str]


class Parser:
    """Stands for pytest's parser and keeps what the plugin adds to it."""

    def __init__(self) -> None:
        self._options = argparse.ArgumentParser(add_help=False)

    def getgroup(self, name: str, description: str = "") -> Parser:
        """One group holds all."""
        return self

    def addoption(self, *names: str, **attributes: object) -> None:
        """As of argparse, which is what pytest hands it to."""
        self._options.add_argument(*names, **attributes)  # type: ignore[arg-type]

    def rows(self) -> Iterator[Row]:
        """(option with its value, meaning) in the order of the code."""
        for action in self._options._actions:
            value = ""
            if action.nargs != 0:
                value = " " + str(action.metavar or "|".join(map(str, action.choices or ["VALUE"])))
            yield f"{action.option_strings[0]}{value}", str(action.help)


def pytest_rows() -> list[Row]:
    """The plugin's options."""
    parser = Parser()
    pytest_addoption(parser)  # type: ignore[arg-type]
    return list(parser.rows())


def commands(command: Any, name: str) -> Iterator[tuple[str, str, list[Row]]]:
    """(usage, help, options) of a command of typer, or of each below it."""
    if hasattr(command, "commands"):
        for below, found in command.commands.items():
            yield from commands(found, f"{name} {below}")
        return
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    words = [_shown(argument) for argument in arguments]
    yield " ".join([name, *words]), _paragraph(command.help or ""), list(_rows(command.params))


def _shown(argument: Any) -> str:
    word = (argument.metavar or argument.name or "").upper() + ("..." if argument.nargs == -1 else "")
    return word if argument.required else f"[{word}]"


def _rows(parameters: Iterable[Any]) -> Iterator[Row]:
    for parameter in parameters:
        if parameter.param_type_name == "argument":
            yield _shown(parameter), _with_default(parameter)
        elif "--help" not in parameter.opts:
            value = "" if parameter.is_flag else " ..."
            yield f"{parameter.opts[0]}{value}", _with_default(parameter)


def _with_default(parameter: Any) -> str:
    text = getattr(parameter, "help", None) or ""
    default = parameter.default
    if callable(default) or default in (None, (), [], "", False):
        return text
    if isinstance(default, Path) and default.is_absolute():
        default = default.relative_to(ROOT)
    shown = ", ".join(default) if isinstance(default, list | tuple) else default
    return f"{text} (default {shown})"


def _paragraph(text: str) -> str:
    return " ".join(text.split())


def page() -> str:
    """The page as Markdown."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False,
    )  # fmt: skip
    # In a table a bar ends the cell; a star would start emphasis.
    environment.filters["cell"] = lambda text: str(text).replace("|", " or ")
    environment.filters["plain"] = lambda text: str(text).replace("|", " or ").replace("*", "\\*")
    template = environment.get_template("reference.md.j2")
    found = commands(get_command(app), "harness")
    return template.render(options=pytest_rows(), commands=found, costs=COSTS)


if __name__ == "__main__":
    target = ROOT / "docs" / "reference.md"
    target.write_text(page(), encoding="utf-8")
    print(target)
