"""README.md and the pages of docs/: the commands they show and the files they spell out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.paths import ROOT

#: path below the checkout -> text
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
}
#: Languages of fenced blocks: what is typed, and what is not.
TYPED = {"", "bash", "console", "sh", "shell"}
OTHERS = {"python", "text", "toml", "yaml"}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"<!-- (?P<file>[\w.-]+) -->\n```\w+\n(?P<content>.*?)```", re.DOTALL)


@dataclass(frozen=True, order=True)
class Command:
    """One line that a reader types.  line: without the comment after it."""

    page: str
    line: str

    def __str__(self) -> str:
        return f"{self.page}: {self.line}"


def languages(text: str) -> set[str]:
    """Languages of all fenced blocks."""
    return {match[1] for match in _FENCE.finditer(text)}


def commands(text: str) -> list[str]:
    """Every line of a block that is indented by four columns, or fenced in a language of a shell.

    A comment is cut off; `\\` at the end joins the next line.
    """
    fenced = [match[2] for match in _FENCE.finditer(text) if match[1] in TYPED]
    indented = re.findall(r"(?:^|\n)\n((?: {4}.*(?:\n|$))+)", _FENCE.sub("", text))
    lines = "\n".join([*fenced, *indented]).replace("\\\n", " ").splitlines()
    found = (re.sub(r"(^|\s)#\s.*", "", line).strip() for line in lines)
    return [re.sub(r"\s+", " ", line) for line in found if line]


def files(text: str) -> dict[str, str]:
    """The files that a page spells out: a comment with the name stands above the block."""
    return {match["file"]: match["content"] for match in _FILE.finditer(text)}


#: all of all pages
COMMANDS = [Command(page, line) for page, text in PAGES.items() for line in commands(text)]
FILES = {file: content for text in PAGES.values() for file, content in files(text).items()}
