"""The command line: one group of `pytest --help`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from harness.numerics import DTYPES
from harness.paths import ROOT
from harness.plan import DEFAULT_MODELS, DEFAULT_PROTOCOL, Options, protocols_of
from harness.surrogates.spec import ModelError

#: our options' destinations; giving one of them makes any run a physics run
DESTINATIONS = (
    "models",
    "against",
    "protocols",
    "data",
    "device",
    "precision",
    "draw",
    "steps",
    "trajectories",
    "keep_fields",
    "no_baselines",
    "update_baselines",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the harness."""
    group = parser.getgroup("physics harness", "physics harness: judge neural surrogates of PDEs")
    add = group.addoption
    add(
        "--model",
        action="append",
        dest="models",
        metavar="NAME[=CHECKPOINT][+INTERVENTION]",
        help=f"model to judge; repeat or separate by commas (default: {','.join(DEFAULT_MODELS)}); "
        "`harness models` lists the names, path/file.py:Class is your own",
    )
    add("--against", metavar="MODEL", help="judge a new checkpoint against MODEL's baseline: "
        "broken or worse is red, repaired is only reported")  # fmt: skip
    add(
        "--protocol",
        action="append",
        dest="protocols",
        metavar="NAME",
        help=f"recipe that cuts windows from data (default: {DEFAULT_PROTOCOL}, or the model's own)",
    )
    add("--data", type=Path, metavar="DIR", help="folder with The Well's data sets "
        "(default: $HARNESS_DATA, else the harness's cache)")  # fmt: skip
    add("--device", default="auto", help="cpu, cuda, cuda:1, or auto (default)")
    add("--precision", default="fp32", choices=sorted(DTYPES), help="of the rollouts (default fp32)")
    add("--draw", default="seeded", choices=["seeded", "none"],
        help="random numbers of stochastic models: seeded (default) or none")  # fmt: skip
    add("--steps", type=int, metavar="N", help="predict N steps instead of the protocol's")
    add("--trajectories", metavar="N|NAME,...", help="the first N simulations, or these")
    add("--keep-fields", action="store_true", help="keep every predicted frame in the store")
    add("--no-baselines", action="store_true", help="naked physics: no expected failures")
    add("--update-baselines", action="store_true", help="record this run's verdicts as baselines "
        "and print what changed; refuses a partial or crashed run")  # fmt: skip
    add("--force-update", action="store_true", help="let --update-baselines record a partial or "
        "crashed run: only the cases that were judged change")  # fmt: skip
    add("--baselines", type=Path, default=ROOT / "baselines", metavar="DIR",
        help="folder of the baselines (default: baselines/ of this checkout)")  # fmt: skip
    add("--reports", type=Path, default=ROOT / "reports", metavar="DIR",
        help="folder of the reports (default: reports/ of this checkout)")  # fmt: skip


def options(config: pytest.Config) -> Options:
    """The options as the library sees them; UsageError for a value that makes no sense."""
    get = config.getoption
    if get("steps") is not None and get("steps") < 1:
        raise pytest.UsageError(f"--steps must be at least 1, not {get('steps')}")
    trajectories = tuple(t.strip() for t in (get("trajectories") or "").split(",") if t.strip())
    if trajectories == ("0",):
        raise pytest.UsageError("--trajectories 0 leaves nothing to judge")
    models = tuple(get("models") or DEFAULT_MODELS)
    try:
        protocols = protocols_of(models, get("protocols"))
    except ModelError as error:
        raise pytest.UsageError(str(error)) from None
    return Options(
        models=models,
        protocols=protocols,
        data=get("data"),
        device=_device(get("device")),
        precision=get("precision"),
        seeded=get("draw") == "seeded",
        steps=get("steps"),
        trajectories=trajectories,
        keep_fields=get("keep_fields"),
    )


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise pytest.UsageError(f"--device {name!r}: {error}") from None
    if device.type not in ("cpu", "cuda"):
        raise pytest.UsageError(f"--device {name!r}: cpu or cuda")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise pytest.UsageError(f"--device {name!r}: this torch sees no CUDA device")
    return name


def given(config: pytest.Config) -> bool:
    """Whether the command line uses any of our options."""
    return any(
        config.getoption(name) not in (None, False, "auto", "fp32", "seeded") for name in DESTINATIONS
    )
