"""Walrus's reversible normalisation, in the precision of the state.

The network sees u / r and answers with an increment in units of d:

    u(t+1) = u(t) + d * net( u / r ),   r, d: one number per channel.

Polymathic's own classes compute and keep r and d in float32, whatever they are given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from harness.fields import FieldLayout
from harness.surrogates.walrus.errors import WalrusError

#: history (T, C, *space) -> scales r and d, each (C, 1, ...)
Normalisation = Callable[[Tensor], tuple[Tensor, Tensor]]

#: the smallest scale, unless the training configuration has another (`trainer.epsilon`)
FLOOR = 1e-5


def samplewise(history: Tensor, floor: float = FLOOR) -> tuple[Tensor, Tensor]:
    """Scales r = rms of the history, d = rms of its differences, each at least `floor`."""
    return _rms(history, floor), _rms(history[1:] - history[:-1], floor)


def _rms(values: Tensor, floor: float) -> Tensor:
    axes = (0, *range(2, values.ndim))
    return values.square().mean(axes, keepdim=True)[0].sqrt().clamp_min(floor)


def constant(scales: Tensor, delta_scales: Tensor, spatial: int) -> Normalisation:
    """The same scales, given per channel, at every step."""
    shape = (-1, *(1,) * spatial)

    def normalise(history: Tensor) -> tuple[Tensor, Tensor]:
        return tuple(s.view(shape).to(history) for s in (scales, delta_scales))  # type: ignore[return-value]

    return normalise


def read_statistics(file: Path, layout: FieldLayout) -> dict[str, list[float]]:
    """`rms` and `rms_delta` per channel from a data set's stats.yaml.

    The components of a vector share one number, sqrt( sum_i s_i^2 / n ), so that the model does not
    depend on the orientation of the axes.  The numbers are those of float32, with which the weights
    were trained: constants of the model, the same in every precision.  Raises WalrusError, with the
    file.
    """
    try:
        statistics: Mapping[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        return {kind: _flat(statistics[kind], layout) for kind in ("rms", "rms_delta")}
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise WalrusError(
            f"this checkpoint is normalised by the data set's own statistics: expected rms and "
            f"rms_delta of {', '.join(layout.names)} in {file} (it comes with harness fetch), "
            f"found {type(error).__name__}: {error}"
        ) from error


def _flat(values: Mapping[str, Any], layout: FieldLayout) -> list[float]:
    flat: list[float] = []
    for name, rank in zip(layout.names, layout.ranks, strict=True):
        components = torch.as_tensor(values[name], dtype=torch.float32).reshape(-1)
        count = layout.spatial**rank
        if len(components) != count:
            raise ValueError(f"{name} has {len(components)} components, expected {count}")
        shared = float(components.square().sum().sqrt() / count**0.5 if rank else components)
        flat += [shared] * count
    return flat
