"""The networks of the once-for-all MobileNetV3 space: shapes, cost and blocks of whole batches of genotypes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.spaces.base import IntArray
from surronas.spaces.block_names import Kind, name_blocks
from surronas.spaces.ofa_notations import (
    EXPAND,
    EXPANSIONS,
    KERNEL,
    KERNELS,
    LAYERS,
    RESOLUTION,
    RESOLUTIONS,
    STAGES,
    WIDTH,
    expressed,
)

# By width: channels of the stem and of the five stages, of the final expansion, of the mixed features.
CHANNELS = np.array([(16, 24, 40, 80, 112, 160), (24, 32, 48, 96, 136, 192)])
EXPANDED, FEATURES = np.array([960, 1152]), np.array([1280, 1536])
STRIDES = np.array([2, 2, 2, 1, 2])
SQUEEZED = np.array([False, True, False, True, True])


class Shapes:
    """What each of the 5 x 4 blocks of n architectures reads and gives, each an array (n, 5, 4) or broadcast to it."""

    def __init__(self, C: IntArray) -> None:
        channels = CHANNELS[C[:, WIDTH]]
        self.resolution = np.array(RESOLUTIONS)[C[:, RESOLUTION]]
        self.sides = _sides(self.resolution)
        first = np.arange(LAYERS) == 0
        self.kept = expressed(C)
        self.kernel, self.expand = np.array(KERNELS)[C[:, KERNEL]], np.array(EXPANSIONS)[C[:, EXPAND]]
        self.stride = np.where(first, STRIDES[:, None], 1)
        self.c_out, self.side_out = channels[:, 1:, None], self.sides[:, 1:, None]
        self.c_in = np.where(first, channels[:, :-1, None], self.c_out)
        self.side_in = np.where(first, self.sides[:, :-1, None], self.side_out)
        self.stem, self.last = channels[:, 0], channels[:, -1]
        self.expanded, self.features = EXPANDED[C[:, WIDTH]], FEATURES[C[:, WIDTH]]


def _sides(resolution: IntArray) -> IntArray:
    """(n, 6) side of the square feature maps that the stem and each stage give."""
    sides = [-(-resolution // 2)]
    for stride in STRIDES:
        sides.append(-(-sides[-1] // stride))
    return np.stack(sides, axis=1)


def divisible(channels: IntArray) -> IntArray:
    """Channels rounded to multiples of 8, at least 8 and not more than a tenth below."""
    rounded = np.maximum(8, (channels + 4) // 8 * 8)
    return np.where(10 * rounded < 9 * channels, rounded + 8, rounded)


def layer_cost(C: IntArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Parameters and multiply-adds of each block of canonical genotypes, (n, 20) each; 0 where there is no block."""
    at = Shapes(C)
    middle = divisible(at.c_in * at.expand)
    squeezed = SQUEEZED[:, None]
    hidden = np.where(squeezed, divisible(middle // 4), 0)
    biases = np.where(squeezed, middle + hidden, 0)
    params = middle * (at.c_in + at.kernel**2 + at.c_out + 2 * hidden) + biases + 4 * middle + 2 * at.c_out
    madds = middle * (at.c_in * at.side_in**2 + (at.kernel**2 + at.c_out) * at.side_out**2 + 2 * hidden)
    params, madds = (np.where(at.kept, each, 0).reshape(len(C), STAGES * LAYERS) for each in (params, madds))
    return params.astype(np.float64), madds.astype(np.float64)


def network_cost(C: IntArray, num_classes: int) -> pd.DataFrame:
    """Parameters and multiply-adds of canonical genotypes."""
    at = Shapes(C)
    params, madds = (cost.sum(axis=1).astype(np.int64) for cost in layer_cost(C))
    stem = (27 + 9 + at.stem) * at.stem
    expansion = at.last * at.expanded
    head = at.features * (at.expanded + num_classes)
    norms = 6 * at.stem + 2 * at.expanded
    return pd.DataFrame(
        {
            "params": params + stem + expansion + head + norms + num_classes,
            "madds": madds + stem * at.sides[:, 0] ** 2 + expansion * at.sides[:, -1] ** 2 + head,
        }
    )


def blocks(C: IntArray, num_classes: int) -> tuple[list[str], IntArray]:
    """The blocks of canonical genotypes by the names that the look-up tables of ProxylessNAS, OFA and MSuNAS give them.

    Returns
    -------
    names : list of str
        The different blocks.
    index : (n, 25) int64
        The blocks of each architecture; -1 where its depth leaves one out.
    """
    at = Shapes(C)
    size = len(C)
    same = (at.stride == 1) & (at.c_in == at.c_out)
    layer = (at.side_in, at.c_in, at.side_out, at.c_out, at.expand, at.kernel, at.stride, same, SQUEEZED[:, None])
    fixed = {
        "first_conv-input:{0}x{0}x3-output:{1}x{1}x{2}": (at.resolution, at.sides[:, 0], at.stem),
        "MBConv-input:{0}x{0}x{1}-output:{0}x{0}x{1}-expand:1-kernel:3-stride:1-idskip:1-se:0": (
            at.sides[:, 0],
            at.stem,
        ),
        "final_expand_layer-input:{0}x{0}x{1}-output:{0}x{0}x{2}": (at.sides[:, -1], at.last, at.expanded),
        "feature_mix_layer-input:1x1x{0}-output:1x1x{1}": (at.expanded, at.features),
        "classifier-input:{0}-output:{1}": (at.features, np.full(size, num_classes)),
    }
    layers: Kind = (
        "MBConv-input:{0}x{0}x{1}-output:{2}x{2}x{3}-expand:{4}-kernel:{5}-stride:{6}-idskip:{7}-se:{8}",
        at.kept.reshape(size, STAGES * LAYERS),
        [np.broadcast_to(each, at.kept.shape).reshape(size, STAGES * LAYERS) for each in layer],
    )
    once = np.ones((size, 1), dtype=bool)
    return name_blocks([layers, *((form, once, [each[:, None] for each in parts]) for form, parts in fixed.items())])
