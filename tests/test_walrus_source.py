"""Polymathic's package is told from its namesakes, and imported without what inference does not need.

The environments are faked by small real packages on a path of their own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from harness.surrogates.walrus import WalrusError, source


class Environment:
    """A folder that stands for site-packages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, **files: str) -> None:
        """Files by their path, with __ for / and no suffix."""
        for name, content in files.items():
            path = self.folder / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            (path.parent / "__init__.py").touch()
            path.write_text(content)


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    """An environment without any package called walrus."""
    others = [path for path in sys.path if not (Path(path) / "walrus").is_dir()]
    with patch.dict(sys.modules), patch.object(sys, "path", [str(tmp_path), *others]):
        for name in [n for n in sys.modules if n.split(".")[0] in ("walrus", "timm")]:
            del sys.modules[name]
        yield Environment(tmp_path)


def sentence() -> str:
    with pytest.raises(WalrusError) as caught:
        source.folder()
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_no_package(environment: Environment) -> None:
    assert sentence() == f"Polymathic's package walrus is not installed: {source.INSTALL}"
    assert "--no-deps" in source.INSTALL and source.COMMIT in source.INSTALL


def test_the_redis_client_of_the_same_name(environment: Environment) -> None:
    """It has a `walrus.models` too; and importing it would import redis."""
    environment.write(
        walrus__database="import redis", walrus__models="import redis", walrus__lock="import redis"
    )
    metadata = environment.folder / "walrus-0.9.8.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: walrus\nVersion: 0.9.8\n")
    text = sentence()
    assert "version 0.9.8) is a client for Redis, not Polymathic's model" in text
    assert f"pip uninstall --yes walrus && {source.INSTALL}" in text


def test_another_package_or_an_empty_folder(environment: Environment) -> None:
    environment.write(walrus__tusks="")
    assert "holds no models/isotropic_model.py, so it is not Polymathic's: pip install" in sentence()


def test_no_einops(environment: Environment) -> None:
    environment.write(walrus__models__isotropic_model="")
    with patch.dict(sys.modules, {"einops": None}):
        assert sentence() == "Polymathic's package walrus needs einops: pip install einops"


BROKEN = "raise RuntimeError('operator torchvision::nms does not exist')"


@pytest.mark.parametrize("timm", [None, BROKEN, "import torchvision"], ids=["no", "broken", "half"])
def test_neither_timm_nor_torchvision_matters(environment: Environment, timm: str | None) -> None:
    """No timm; a torchvision that does not fit torch; none at all: it is imported all the same."""
    model = "import timm.layers\nclass Model: drop = timm.layers.DropPath(0.1)"
    environment.write(walrus__models__baseline_wrappers=BROKEN, walrus__models__isotropic_model=model)
    (environment.folder / "walrus/models/__init__.py").write_text(
        "try:\n    from . import baseline_wrappers\nexcept ImportError:\n    pass\n"
    )
    if timm is not None:
        environment.write(timm__layers=timm)
        (environment.folder / "timm/__init__.py").write_text(timm)
    found = source.attribute("walrus.models.isotropic_model.Model")
    assert found.drop(3) == 3
    assert "timm" not in sys.modules and "timm.layers" not in sys.modules
    assert "walrus.models.baseline_wrappers" not in sys.modules


def test_a_timm_that_is_in_use_stays(environment: Environment) -> None:
    environment.write(walrus__models__isotropic_model="class Model: pass")
    with patch.dict(sys.modules, {"timm": sys}):
        source.attribute("walrus.models.isotropic_model.Model")
        assert sys.modules["timm"] is sys


@pytest.mark.parametrize("content", ["import nothing_of_this_name", "Other = 1"])
def test_a_source_that_has_changed_is_answered_with_the_commit(
    environment: Environment, content: str
) -> None:
    environment.write(walrus__models__isotropic_model=content)
    with pytest.raises(WalrusError, match=f"tested against commit {source.COMMIT[:7]}: pip install"):
        source.attribute("walrus.models.isotropic_model.Model")
