"""Which grids Walrus takes: checked before a run, because its own answer is a bare KeyError, or none.

Two strided convolutions embed a frame, with base kernels k1, k2 (8 and 4) and strides s1, s2 chosen
from the number of points n so that 16 tokens per axis remain; their transposes decode it.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.surrogates.walrus.errors import WalrusError

#: codes of The Well's boundary conditions
BOUNDARIES = {"wall": 0, "open": 1, "periodic": 2}
TOKENS = 16
#: n / 16 -> strides (s1, s2), as the source chooses them
STRIDES = {1: (1, 1), 4: (2, 2), 8: (4, 2), 12: (6, 2), 16: (4, 4), 24: (6, 4), 32: (8, 4)}


def check(
    shape: Sequence[int], boundaries: Sequence[str], kernels: Sequence[tuple[int, int]], jitter: bool
) -> tuple[int, ...]:
    """The token grid of a frame; WalrusError, in words, for a grid that Walrus cannot take.

    kernels: (k1, k2) per axis.  jitter: an axis that is not periodic has one token more with it.
    """
    if len(shape) != 3:
        raise WalrusError(
            f"Walrus's adapter rolls three-dimensional frames, this grid is {tuple(shape)}"
        )
    tokens = []
    for axis, (n, boundary, kernel) in enumerate(zip(shape, boundaries, kernels, strict=True)):
        works = [TOKENS * m for m in STRIDES if _keeps(TOKENS * m, boundary, kernel)]
        if n not in works:
            lost = "loses points on" if n % TOKENS == 0 and n // TOKENS in STRIDES else "cannot take"
            raise WalrusError(
                f"Walrus {lost} {n} points along {'xyz'[axis]} ({boundary}) of the grid "
                f"{tuple(shape)}: {', '.join(map(str, works))} points work"
            )
        stride = STRIDES[n // TOKENS][0] * STRIDES[n // TOKENS][1]
        padded = jitter and boundary != "periodic"
        tokens.append((n + 2 * (stride // 2) * padded) // stride)
    return tuple(tokens)


def _keeps(n: int, boundary: str, kernel: tuple[int, int]) -> bool:
    """Whether decoding gives back as many points as were encoded.

    Across a periodic edge the transposed convolutions overlap by k - s, for which (k - s) // s tokens
    are wrapped around: exact only if s divides k.
    """
    strides = STRIDES[n // TOKENS]
    return boundary != "periodic" or all(k % s == 0 for k, s in zip(kernel, strides, strict=True))
