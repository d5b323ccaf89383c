"""The network around TransNAS-Bench-101's cells and modules, for the cost of its classification tasks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["STEM", "conv", "network_cost", "side_after"]

STEM = 64


def conv(c_in: Any, c_out: Any, kernel: int, area: Any) -> Any:
    """Parameters and multiply-adds, stacked, of a convolution and its batch normalisation."""
    weights = np.asarray(c_in * c_out * kernel**2)
    return np.stack(np.broadcast_arrays(weights + 2 * c_out, weights * area))


def side_after(resolution: int, halvings: Any) -> Any:
    """Side of the feature map after the stem, which halves it twice, and so many halvings more."""
    return -(-resolution // 2 ** (np.asarray(halvings) + 2))


def network_cost(backbone: Any, c_last: Any, num_classes: int, resolution: int) -> pd.DataFrame:
    """The cost of a backbone, (2, n), with the stem of two strided convolutions, global pooling and a linear layer."""
    half, quarter = -(-resolution // 2), side_after(resolution, 0)
    stem = conv(3, STEM // 2, 3, half**2) + conv(STEM // 2, STEM, 3, quarter**2)
    params, madds = backbone + stem[:, None]
    head = c_last * num_classes
    return pd.DataFrame({"params": params + head + num_classes, "madds": madds + head})
