"""`harness models` and `harness protocols`: what the options of pytest know."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from harness.cli.console import show_table


def models() -> None:
    """List the names that `pytest --model` knows."""
    from harness.surrogates import registry

    show_table(("name", "what it is"), list(registry.names().items()))
    Console().print(Text("Your own: --model path/to/file.py:Class, or an entry point of the group "
                         f"{registry.GROUP!r}."))  # fmt: skip


def protocols() -> None:
    """List the recipes that `pytest --protocol` knows."""
    from harness.truth import protocols as recipes

    loaded = [recipes.read(recipes.FOLDER / f"{name}.toml") for name in recipes.names()]
    show_table(
        ("name", "data set, split", "windows", "steps", "reproduces"),
        [
            (
                p.name,
                f"{'=DATASET' if p.dataset == recipes.ANY else p.dataset}, {p.split}",
                f"{p.n_history} frames from {', '.join(map(str, p.starts))}",
                f"<= {p.steps}" if p.fit else str(p.steps),
                p.reproduces,
            )
            for p in loaded
        ],
    )
