"""What the networks of NAS-Bench-101 cost."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.spaces.base import IntArray

_KERNEL_AREA = np.array([9, 1, 0])  # of the space's operations; a max pooling has no weights


def network_cost(
    edges: NDArray[np.bool_],
    ops: IntArray,
    num_classes: int,
    resolution: int,
    channels: int,
    stacks: int,
    modules: int,
) -> pd.DataFrame:
    """Parameters, multiply-adds and FLOPs of the networks of pruned cells, nodes in the order given.

    Parameters
    ----------
    edges : (n, 7, 7) bool
    ops : (n, 5) int
        Of the inner nodes; those of absent nodes do not matter.
    """
    n = len(edges)
    kernel = _KERNEL_AREA[ops]
    area = resolution**2
    params = np.full(n, 29 * channels)
    madds = np.full(n, 27 * channels * area)
    extra = np.full(n, 3 * channels * area)  # 2 an output of a batch norm, 1 of a ReLU
    width_before, width = channels, channels
    for stack in range(stacks):
        if stack:
            resolution //= 2
            area = resolution**2
            extra += 4 * width * area
            width *= 2
        inner = inner_channels(edges, width)
        weights = (kernel * inner**2).sum(axis=1)
        projected = np.where(edges[:, 0, 1:], np.c_[inner, np.full(n, width)], 0).sum(axis=1)
        normed = np.where(kernel > 0, inner, 0).sum(axis=1) + projected
        pooled = np.where(kernel > 0, 0, inner).sum(axis=1)
        projections = (width_before + (modules - 1) * width) * projected
        params += modules * (weights + 2 * normed) + projections
        madds += (modules * weights + projections) * area
        extra += modules * (3 * normed + 9 * pooled) * area
        width_before = width
    head = width * num_classes
    return pd.DataFrame({"params": params + head + num_classes, "madds": madds + head, "flops": madds + head + extra})


def inner_channels(edges: NDArray[np.bool_], width: int) -> IntArray:
    """(n, 5) channels of the inner nodes.

    The nodes that feed the output share its channels, the first of them one more where that does not come out
    even; any other has as many as the widest node it feeds.
    """
    feeds = edges[:, 1:-1, -1]
    share, rest = np.divmod(width, np.maximum(feeds.sum(axis=1), 1))
    inner = np.where(feeds, share[:, None] + (np.cumsum(feeds, axis=1) <= rest[:, None]), 0)
    for node in range(inner.shape[1] - 2, -1, -1):
        widest = np.where(edges[:, node + 1, 1:-1], inner, 0).max(axis=1)
        inner[:, node] = np.where(feeds[:, node], inner[:, node], widest)
    return np.asarray(inner)
