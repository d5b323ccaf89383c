"""What the networks of DARTS cells cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.spaces.base import IntArray

# In the order of the space's operations.
_KERNEL_AREA = np.array([0, 0, 0, 9, 25, 9, 25])
_REPEATS = np.array([0, 0, 0, 2, 2, 1, 1])  # a separable convolution is applied twice, a dilated one once
_POOLS, _SKIP = (0, 1), 2


@dataclass
class _Count:
    """Parameters, multiply-adds and what FLOPs count beyond those."""

    params: int = 0
    madds: int = 0
    extra: int = 0

    def conv(self, weights: int, area_out: int) -> None:
        self.params += weights
        self.madds += weights * area_out

    def norm(self, channels: int, area: int, affine: bool = True) -> None:
        self.params += 2 * channels * affine
        self.extra += (1 + affine) * channels * area

    def relu_conv_norm(self, before: int, after: int, area: int, area_out: int) -> None:
        """A 1x1 convolution, or two of half the channels at half the resolution."""
        self.extra += before * area
        self.conv(before * after, area_out)
        self.norm(after, area_out)


def network_cost(
    ops: IntArray,
    edges: Sequence[tuple[int, int]],
    num_classes: int,
    resolution: int,
    channels: int,
    layers: int,
    affine: bool,
) -> pd.DataFrame:
    """Parameters, multiply-adds and FLOPs of networks.

    Parameters
    ----------
    ops : (n, 2, n_edges) int
        The operations of the normal and of the reduction cell, counted from 1; 0 where there is no edge.
    edges : sequence of (input, node)
    """
    fixed = _Count()
    # What each operation adds on an edge of each cell that reads the cell's input, or an inner node.
    table = np.zeros((2, 2, len(_REPEATS) + 1, 3), dtype=np.int64)
    width, stem = channels, 3 * channels
    area = resolution**2
    fixed.conv(27 * stem, area)
    fixed.norm(stem, area)
    before = [(stem, area), (stem, area)]  # channels and area of the outputs of the two cells before
    for layer in range(layers):
        reduces = layer in (layers // 3, 2 * layers // 3)
        area_in = before[1][1]
        if reduces:
            width *= 2
            resolution //= 2
        area = resolution**2
        for its_channels, its_area in before:
            fixed.relu_conv_norm(its_channels, width, its_area, area_in)
        table[int(reduces), 0] += _operations(width, area_in, area, affine)
        table[int(reduces), 1] += _operations(width, area, area, affine)
        before = [before[1], (4 * width, area)]
    out = before[1][0]
    fixed.conv(out * num_classes, 1)
    fixed.params += num_classes
    fixed.extra += out * (resolution + 1) ** 2
    inner = np.array([int(start > 1) for start, _ in edges])
    of_cells = table[np.arange(2)[:, None], inner, ops].sum(axis=(1, 2))
    params, madds, extra = (of_cells + np.array([fixed.params, fixed.madds, fixed.extra])).T
    return pd.DataFrame({"params": params, "madds": madds, "flops": madds + extra})


def _operations(width: int, area_in: int, area: int, affine: bool) -> NDArray[np.int64]:
    """(8, 3) the count of no operation and of each one; of a skip it is 0 unless the area changes."""
    counts = [_Count() for _ in range(len(_REPEATS) + 1)]
    for op, count in enumerate(counts[1:]):
        if op in _POOLS:
            count.extra += 9 * width * area
            if not affine:
                count.norm(width, area, affine)
        elif op != _SKIP:
            for repeat in range(_REPEATS[op]):
                count.extra += width * (area if repeat else area_in)
                count.conv(int(_KERNEL_AREA[op]) * width + width**2, area)
                count.norm(width, area, affine)
        elif area_in != area:
            count.extra += width * area_in
            count.conv(width**2, area)
            count.norm(width, area, affine)
    return np.array([(count.params, count.madds, count.extra) for count in counts], dtype=np.int64)
