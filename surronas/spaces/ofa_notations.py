"""How OFA, MSuNAS and NAT write a subnet of the once-for-all MobileNetV3, and where a genotype has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surronas.exceptions import InvalidInputError
from surronas.spaces.base import IntArray

STAGES, LAYERS = 5, 4
DEPTHS, KERNELS, EXPANSIONS = (2, 3, 4), (3, 5, 7), (3, 4, 6)
RESOLUTIONS, WIDTHS = tuple(range(128, 257, 4)), (1.0, 1.2)

# Columns of a genotype: a stage is its depth, then kernel and expansion of each of its layers.
DEPTH = 9 * np.arange(STAGES)
KERNEL = DEPTH[:, None] + 1 + 2 * np.arange(LAYERS)
EXPAND = KERNEL + 1
RESOLUTION, WIDTH = 9 * STAGES, 9 * STAGES + 1
N_GENES = 9 * STAGES + 2

# MSuNAS and NAT number the resolutions from 192 on; MSuNAS puts a stage's kernels before its expansions.
FIRST_RESOLUTION = RESOLUTIONS.index(192)
N_RESOLUTIONS = len(RESOLUTIONS) - FIRST_RESOLUTION
MSUNAS = np.hstack([DEPTH[:, None], KERNEL, EXPAND]).ravel()
N_MSUNAS, N_NAT = len(MSUNAS) + 1, 2 + STAGES * LAYERS


def expressed(X: IntArray) -> NDArray[np.bool_]:
    """(n, 5, 4) bool: the layers that the stages' depths keep."""
    return np.asarray(np.arange(LAYERS) < X[:, DEPTH, None] + DEPTHS[0])


def from_ofa(arch: Mapping[Any, Any]) -> list[int]:
    """OFA's dict -> genotype; unexpressed layers may be anything, None and 0 among it, or left out."""
    keys = set(arch)
    if not {"ks", "e", "d"} <= keys <= {"ks", "e", "d", "r", "w", "wid"}:
        raise InvalidInputError(f"OFA's keys are ks, e, d and perhaps r, w or wid, not {', '.join(map(str, arch))}")
    depths = _listed(arch["d"], STAGES)
    if len(depths) != STAGES:
        raise InvalidInputError(f"'d' must have {STAGES} depths, not {len(depths)}")
    x = np.zeros((1, N_GENES), dtype=np.int64)
    x[0, DEPTH] = [_code("d", depth, DEPTHS) for depth in depths]
    kept = expressed(x)[0]
    for key, choices, columns in (("ks", KERNELS, KERNEL), ("e", EXPANSIONS, EXPAND)):
        values = _listed(arch[key], kept.size)
        if len(values) == kept.size:
            on = zip(values, kept.ravel(), strict=True)
            x[0, columns.ravel()] = [_code(key, v, choices) if there or v in choices else 0 for v, there in on]
        elif len(values) == kept.sum():
            x[0, columns[kept]] = [_code(key, v, choices) for v in values]
        else:
            raise InvalidInputError(
                f"{key!r} must have {kept.size} entries, or the {kept.sum()} of the layers that 'd' keeps, "
                f"not {len(values)}"
            )
    resolution, width = arch.get("r", 224), arch.get("w", arch.get("wid"))
    if isinstance(resolution, (list, tuple)):
        (resolution,) = resolution
    x[0, RESOLUTION] = _code("r", resolution, RESOLUTIONS)
    x[0, WIDTH] = _code("w", 1.0 if width is None else width, WIDTHS)
    return [int(code) for code in x[0]]


def _listed(value: Any, n: int) -> list[Any]:
    return [value] * n if isinstance(value, (int, np.integer)) else list(value)


def _code(key: str, value: Any, choices: tuple[Any, ...]) -> int:
    if value not in choices:
        raise InvalidInputError(f"{key!r} must hold one of {', '.join(map(str, choices))}, not {value!r}")
    return choices.index(value)


def to_ofa(X: IntArray) -> list[dict[str, Any]]:
    """Genotypes -> dicts of all 20 layers, as OFA's supernets take them; unexpressed layers are the smallest."""
    kept = expressed(X)
    kernels, expansions = (
        np.where(kept, np.array(choices)[X[:, columns]], choices[0]).reshape(len(X), STAGES * LAYERS).tolist()
        for choices, columns in ((KERNELS, KERNEL), (EXPANSIONS, EXPAND))
    )
    depths, resolutions = np.array(DEPTHS)[X[:, DEPTH]].tolist(), np.array(RESOLUTIONS)[X[:, RESOLUTION]].tolist()
    widths = np.array(WIDTHS)[X[:, WIDTH]].tolist()
    return [
        {"ks": ks, "e": e, "d": d, "r": r, "w": w}
        for ks, e, d, r, w in zip(kernels, expansions, depths, resolutions, widths, strict=True)
    ]


def from_msunas(codes: IntArray, width: float = 1.0) -> IntArray:
    """(n, 46) MSuNAS codes, five times [depth, kernels, expansions] and the resolution -> genotypes of that width."""
    _check(codes, [*[3] * (N_MSUNAS - 1), N_RESOLUTIONS], "MSuNAS")
    X = np.zeros((len(codes), N_GENES), dtype=np.int64)
    X[:, MSUNAS] = codes[:, :-1]
    X[:, RESOLUTION] = codes[:, -1] + FIRST_RESOLUTION
    X[:, WIDTH] = _code("width", width, WIDTHS)
    return X


def to_msunas(X: IntArray, width: float = 1.0) -> IntArray:
    """Genotypes, all of that width -> (n, 46) MSuNAS codes."""
    other = np.flatnonzero(X[:, WIDTH] != _code("width", width, WIDTHS))
    if len(other):
        raise InvalidInputError(
            f"MSuNAS's 46 integers have no width, all architectures must have width {width}. "
            f"Got {WIDTHS[X[other[0], WIDTH]]} in row {other[0]}."
        )
    return np.hstack([X[:, MSUNAS], _resolution_codes(X, "MSuNAS's 46 integers")])


def from_nat(codes: IntArray) -> IntArray:
    """(n, 22) NAT codes, resolution, width and 20 layers of which 0 is absent -> genotypes."""
    _check(codes, [N_RESOLUTIONS, len(WIDTHS), *[10] * STAGES * LAYERS], "NAT")
    layers = codes[:, 2:].reshape(-1, STAGES, LAYERS)
    depths = (layers > 0).sum(axis=2)
    X = np.zeros((len(codes), N_GENES), dtype=np.int64)
    X[:, DEPTH] = depths - DEPTHS[0]
    gaps = np.argwhere((depths < DEPTHS[0]) | ((layers > 0) != expressed(X)).any(axis=2))
    if len(gaps):
        row, stage = gaps[0]
        raise InvalidInputError(
            f"NAT's codes must have {DEPTHS[0]} to {LAYERS} layers at the front of each stage, then zeros. "
            f"Got {layers[row, stage].tolist()} in stage {stage + 1} of row {row}."
        )
    kernels, expansions = (layers - 1) % 3, (layers - 1) // 3
    X[:, KERNEL], X[:, EXPAND] = (np.where(layers > 0, genes, 0) for genes in (kernels, expansions))
    X[:, RESOLUTION], X[:, WIDTH] = codes[:, 0] + FIRST_RESOLUTION, codes[:, 1]
    return X


def to_nat(X: IntArray) -> IntArray:
    """Genotypes -> (n, 22) NAT codes."""
    layers = np.where(expressed(X), 1 + 3 * X[:, EXPAND] + X[:, KERNEL], 0).reshape(len(X), STAGES * LAYERS)
    return np.hstack([_resolution_codes(X, "NAT's codes"), X[:, [WIDTH]], layers])


def _resolution_codes(X: IntArray, notation: str) -> IntArray:
    codes = X[:, [RESOLUTION]] - FIRST_RESOLUTION
    low = np.flatnonzero(codes < 0)
    if len(low):
        raise InvalidInputError(
            f"{notation} have resolutions from {RESOLUTIONS[FIRST_RESOLUTION]} on. "
            f"Got {RESOLUTIONS[X[low[0], RESOLUTION]]} in row {low[0]}."
        )
    return codes


def _check(codes: IntArray, n_choices: Sequence[int], notation: str) -> None:
    if codes.ndim != 2 or codes.shape[1] != len(n_choices):
        raise InvalidInputError(f"{notation}'s codes must have shape (n, {len(n_choices)}). Got {codes.shape}.")
    bad = np.argwhere((codes < 0) | (codes >= n_choices))
    if len(bad):
        row, place = bad[0]
        raise InvalidInputError(
            f"{notation}'s codes must be 0 to {n_choices[place] - 1} at place {place}. "
            f"Got {codes[row, place]} in row {row}."
        )
