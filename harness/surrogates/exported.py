"""An exported program as a surrogate: `--model exported:PATH.pt2`, made by `torch.export.save`.

The program takes the last T frames (T, C, *space) in physical units and gives the next (C, *space);
T is read from its input.  It computes in the precision it was exported in, so it has no trait
"dtype".

Safety.  `torch.export.load` (2.13) can run code that a file brings: tensors and constants marked as
pickled, sample inputs that need a pickle, names that it looks up in the whole of torch, guards and
symbolic expressions that it evaluates.  So the archive is inspected first, without any of that, and
refused unless it consists of plain tensors and a graph of ATen operators of fixed shapes.  Torch then
reads a copy of what was inspected: its own reader of archives may see another table of contents in
the same bytes.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from harness.fields import FieldLayout
from harness.stepping import Draw, Stepper
from harness.surrogates.base import TRAITS
from harness.surrogates.spec import ModelError, ModelSpec
from harness.truth.window import Simulation, Window

#: operators that a program may call: tensor arithmetic, and the choice of one of several outputs
OPERATOR = re.compile(r"torch\.ops\.(aten|prims)\.\w+\.\w+|_operator\.getitem")
GRAPH, INPUTS = "models/model.json", "data/sample_inputs/model.pt"
CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
#: the only members of an archive: these, tensors as plain bytes, and what is never run.  By exact
#: names, since torch decides by a name what it unpickles ("opaque_obj_0", "data/weights/model.pt").
PLAIN = re.compile(
    "|".join(map(re.escape, (GRAPH, INPUTS, *CONFIGS)))
    + r"|data/weights/weight_\d+|data/constants/tensor_\d+"
    r"|archive_(format|version)|byteorder|\.data/\w+|extra/[\w./]+",
    re.ASCII,
)
#: keys of the graph's description whose text is evaluated
EVALUATED = ("expr_str", "guards_code")
LARGEST_GRAPH = 256 << 20


class Exported:
    """One exported program on fixed shapes.

    fields: the data's layout, whose number of channels the program must have.
    """

    traits = TRAITS - {"dtype"}

    def __init__(self, program: torch.export.ExportedProgram, fields: FieldLayout, digest: str) -> None:
        self.fields = fields
        self.shape, self.dtype = _input(program)
        self.n_history = self.shape[0]
        self._program, self._digest = program, digest
        self.module = program.module()

    def begin(self, window: Window, draw: Draw) -> Stepper:
        """The program itself; ValueError for a grid that it was not exported for."""
        wanted = (self.n_history, self.fields.n_channels, *window.simulation.shape)
        if self.shape != wanted:
            raise ValueError(f"the program takes {self.shape}, {window.simulation.name} has {wanted}")
        return lambda history, step: self.module(history)

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """A copy on a device; ValueError for another precision than the program's own."""
        if dtype != self.dtype:
            raise ValueError(f"an exported program computes in {self.dtype} only, not in {dtype}")
        from torch.export.passes import move_to_device_pass

        moved = copy.copy(self)
        moved.module = move_to_device_pass(self._program, str(device)).module()
        return moved

    def fingerprint(self) -> str:
        """SHA-256 of the file."""
        return self._digest


def load(spec: ModelSpec, simulations: Sequence[Simulation]) -> Exported:
    """The program of `exported:PATH`; ModelError for a file that is none, or that is not safe."""
    path = Path(spec.name.partition(":")[2])
    content = _content(path)
    inspected = inspect(content, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of torch, about itself
            program = torch.export.load(io.BytesIO(inspected))
            surrogate = Exported(program, simulations[0].layout, hashlib.sha256(content).hexdigest())
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except Exception as error:  # whatever torch says of a file it cannot read
        raise ModelError(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    if surrogate.shape[1] != simulations[0].layout.n_channels:
        raise ModelError(
            f"{path} takes {surrogate.shape[1]} channels, {simulations[0].dataset} has "
            f"{simulations[0].layout.n_channels}: {', '.join(simulations[0].layout.channels)}"
        )
    return surrogate


def fits(spec: ModelSpec, simulations: Sequence[Simulation]) -> None:
    """ModelError for a program of other channels than the data's."""
    load(spec, simulations)


def require(spec: ModelSpec) -> None:
    """ModelError if there is no such file, or if it is not safe to load."""
    path = Path(spec.name.partition(":")[2])
    inspect(_content(path), path)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"no exported program at {str(path)!r}: {error.strerror}") from error


def inspect(content: bytes, path: Path) -> bytes:
    """The archive's members in an archive of our own, if they are tensors and one graph.

    Refused is an archive that holds more than tensors and a graph of ATen operators of fixed shapes.
    Nothing of the file is run.  Raises ModelError, which names what was found.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for problem in _problems(archive):
                raise ModelError(
                    f"{path} is refused: {problem}. Loading it could run code; export a module of ATen "
                    "operators on fixed shapes with torch.export.save"
                )
            return _copy(archive)
    except (zipfile.BadZipFile, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path} is no exported program (.pt2 of torch.export.save): {error}"
        ) from error


def _inner(info: zipfile.ZipInfo) -> str:
    """Name of a member in the one folder that holds them all, named as whoever saved it liked."""
    return info.filename.partition("/")[2]


def _problems(archive: zipfile.ZipFile) -> Iterator[str]:
    names = Counter(map(_inner, archive.infolist()))
    for info in archive.infolist():
        name = _inner(info)
        if not PLAIN.fullmatch(name):
            yield f"it has a member {info.filename!r}"
        elif names[name] > 1:
            yield f"it has {names[name]} members {name!r}"
        elif name in CONFIGS:
            for entry in json.loads(archive.read(info))["config"].values():
                if entry.get("use_pickle") is not False:
                    yield f"{info.filename} has pickled parts"
        elif name == GRAPH:
            if info.file_size > LARGEST_GRAPH:
                yield f"its graph has {info.file_size} bytes"
            yield from _of_graph(json.loads(archive.read(info)))
        elif name == INPUTS:
            try:
                torch.load(io.BytesIO(archive.read(info)), weights_only=True)
            except Exception:
                yield f"{info.filename} needs a pickle with code"
    if not names[GRAPH]:
        yield f"it has no {GRAPH}"


def _copy(archive: zipfile.ZipFile) -> bytes:
    """The members, written anew: stored, as torch's reader wants them."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as copied:
        for info in archive.infolist():
            copied.writestr(f"program/{_inner(info)}", archive.read(info))
    return stream.getvalue()


def _of_graph(node: Any) -> Iterator[str]:
    """What is wrong in a graph's description, wherever in it."""
    if isinstance(node, list):
        for inner in node:
            yield from _of_graph(inner)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "target" and isinstance(value, str) and not OPERATOR.fullmatch(value):
                yield f"it calls {value!r}"
            if key in EVALUATED and value:
                yield f"it has an expression to evaluate ({key})"
            yield from _of_graph(value)


def _input(program: torch.export.ExportedProgram) -> tuple[tuple[int, ...], torch.dtype]:
    """Shape and precision of the one input; ModelError if it is no history of frames."""
    names = program.graph_signature.user_inputs
    values = {
        node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"
    }
    value = values.get(str(names[0])) if len(names) == 1 else None
    if not isinstance(value, Tensor) or value.ndim not in (4, 5) or not value.is_floating_point():
        raise ModelError(f"expected one input (T, C, *space) of floats, found {len(names)}: {names}")
    return tuple(int(n) for n in value.shape), value.dtype
