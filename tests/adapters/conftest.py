from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from surronas.datasets.table import BenchmarkTable, TableInfo, Target
from surronas.spaces import Gene, SearchSpace


@pytest.fixture
def space():
    """Depth 1 to 3, a kernel for each layer that there is, an operation: 3 * (3 + 9 + 27) architectures."""
    depth = Gene("depth", (1, 2, 3), ordered=True)
    kernels = [
        Gene(f"kernel{i}", (3, 5, 7), ordered=True, active_if={} if i == 1 else {"depth": tuple(range(i, 4))})
        for i in (1, 2, 3)
    ]
    return SearchSpace([depth, *kernels, Gene("op", ("plain", "squeeze", "shuffle"))])


@pytest.fixture
def table(space):
    """All 117 architectures of it: accuracy and latency grow with depth and kernels, but not alike."""
    X = space.enumerate()
    layers = np.where(space.active(X)[:, 1:4], X[:, 1:4] + 1, 0)
    accuracy = 60 + 30 * (1 - np.exp(-layers @ [0.3, 0.2, 0.1])) + np.array([0.0, 1.5, 0.5])[X[:, 4]]
    latency = 1 + layers @ [1.0, 1.2, 1.5] + np.array([0.0, 0.8, 0.1])[X[:, 4]]
    described = [Target("val_accuracy", "%", True, "accuracy"), Target("latency_ms", "ms", False, "latency")]
    frame = pd.DataFrame({"val_accuracy": accuracy, "latency_ms": latency})
    return BenchmarkTable("made", space, X, frame, described, TableInfo("made", "none", "", ""))
