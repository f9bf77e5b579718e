"""What can be wrong with truth, said so that a user can repair it."""

from __future__ import annotations

from pathlib import Path


def printable(text: object) -> str:
    """`text` with every unprintable character escaped.

    File names and attributes come from strangers; control characters must not reach a terminal.
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


class TruthError(Exception):
    """Truth that cannot be used.

    problem: what is wrong, in words.
    file: the file concerned; dataset: the path of the object inside it.
    expected, found: what the format asks for and what is there.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: Path | None = None,
        dataset: str | None = None,
        expected: object = None,
        found: object = None,
    ) -> None:
        self.file = file
        self.dataset = dataset
        where = [str(file)] if file is not None else []
        where += [dataset] if dataset is not None else []
        text = f"{problem} in {', '.join(where)}" if where else problem
        if expected is not None:
            text += f": expected {expected}"
        if found is not None:
            text += f"{', found' if expected is not None else ': found'} {found}"
        super().__init__(printable(text))


class MissingData(TruthError):
    """No file of a data set's split; the message lists the folders that were searched."""

    def __init__(self, dataset: str, split: str = "", looked: tuple[Path, ...] = ()) -> None:
        self.split = split
        self.looked = looked
        places = ", ".join(map(str, looked))
        super().__init__(
            f"no .hdf5 or .h5 file of {dataset}, split {split}; looked in {places} and "
            "Hugging Face's cache"
        )
        self.dataset = dataset

    def __reduce__(self) -> tuple[type[MissingData], tuple[str, str, tuple[Path, ...]]]:
        return type(self), (self.dataset or "", self.split, self.looked)


class ProtocolError(TruthError):
    """A protocol that is unknown, malformed, or asks for windows that do not exist."""
