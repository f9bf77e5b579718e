"""Makes the pictures of the documentation anew, each from a real run of the shipped surrogates.

    python docs/pictures.py               # all
    python docs/pictures.py terminal      # docs/terminal.svg: what `pytest` prints at the end
    python docs/pictures.py report        # docs/report.png: the report's first screen
    python docs/pictures.py compare       # docs/compare.png: a comparison's first screen

The runs read the store where it holds their records; the pictures of pages need Chromium.
"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
sys.path.insert(0, str(ROOT))

from tests import chromium  # noqa: E402

COLUMNS, ROWS = 100, 50
BOTH = "pytest suites/ -n 2"
ONE = "pytest suites/ -n 2 --model fno-mini"
#: rich's own template, without the window around the text and the fonts from elsewhere.
SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>TITLE</title>
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px;
  line-height: {line_height}px;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
<rect fill="#191919" width="{width}" height="{height}" rx="8"/>
<g transform="translate({terminal_x}, 16)" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


@cache
def in_terminal(command: str) -> str:
    """All that a command prints into a terminal of `COLUMNS` columns, colours included."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR", "CI")}
    environment |= {"TERM": "xterm-256color", "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", *command.split()]
    with subprocess.Popen(words, cwd=ROOT, env=environment, stdout=theirs, stderr=theirs):
        os.close(theirs)
        printed = bytearray()
        try:
            while block := os.read(ours, 1 << 16):
                sys.stdout.buffer.write(block)
                printed += block
        except OSError:  # how a pty of Linux says that the other end is closed
            pass
    os.close(ours)
    return printed.decode().replace("\r\n", "\n")


def last_section(printed: str) -> list[str]:
    """The lines of a run from the physics table on."""
    lines = printed.rstrip("\n").split("\n")
    (start,) = (i for i, line in enumerate(lines) if " physics " in line and "====" in line)
    return lines[start:]


def as_svg(command: str, lines: Sequence[str]) -> str:
    """A picture of a command and the lines it printed; self-contained."""
    with open(os.devnull, "w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        console.print(Text(f"$ {command}", style="bold"))
        console.print(Text("[...]", style="dim"))
        for line in lines:
            text = Text.from_ansi(line)
            # As a terminal does it: at the last column, whatever stands there.
            for part in text.divide(range(COLUMNS, len(text), COLUMNS)):
                console.print(part, soft_wrap=True)
        template = SVG.replace("TITLE", f"The last lines of {command}")
        return console.export_svg(theme=DIMMED_MONOKAI, code_format=template, unique_id="terminal")


def screen(page: Path, target: Path, height: int) -> None:
    """The top of a page, 1280 pixels wide."""
    executable = chromium.find()
    if executable is None:
        sys.exit(f"no Chromium on PATH; install one: {chromium.INSTALL}")
    with chromium.browser(executable) as tab:
        tab.open(page, width=1280, height=height)
        tab.screenshot(target)


def terminal() -> Path:
    """The terminal's last lines after a run of one model."""
    target = DOCS / "terminal.svg"
    target.write_text(as_svg(ONE, last_section(in_terminal(ONE))), encoding="utf-8")
    return target


def report() -> Path:
    """The report of both shipped surrogates."""
    in_terminal(BOTH)
    screen(ROOT / "reports/latest/report.html", DOCS / "report.png", 1560)
    return DOCS / "report.png"


def compare() -> Path:
    """One shipped surrogate against the other."""
    in_terminal(BOTH)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "compare.html"
        sides = [f"reports/latest:{name}" for name in ("fno-mini", "conv-mini")]
        words = [str(Path(sys.executable).parent / "harness"), "compare", *sides, "--html", str(page)]
        subprocess.run(words, cwd=ROOT, check=False)  # exit code 1: something is worse
        screen(page, DOCS / "compare.png", 1100)
    return DOCS / "compare.png"


#: The report first: it shows whether the tree is clean, and every picture changes that.
PICTURES: dict[str, Callable[[], Path]] = {"report": report, "compare": compare, "terminal": terminal}


def main() -> None:
    """Make the pictures named on the command line, or all."""
    for name in sys.argv[1:] or PICTURES:
        print(PICTURES[name]())


if __name__ == "__main__":
    main()
