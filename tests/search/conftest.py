from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from surronas.datasets.images import load_images
from surronas.datasets.table import BenchmarkTable, TableInfo, Target
from surronas.spaces import Gene, SearchSpace
from surronas.spaces.mbconv import MBConv, Stage
from surronas.supernet.adaptation import new_head
from surronas.supernet.evaluator import SupernetEvaluator
from surronas.supernet.network import SuperNet


@pytest.fixture
def conditional_space():
    """Depth 1 to 3, a kernel for each layer that there is: 3 + 9 + 27 architectures."""
    depth = Gene("depth", (1, 2, 3), ordered=True)
    kernels = [
        Gene(f"kernel{i}", (3, 5, 7), ordered=True, active_if={} if i == 1 else {"depth": tuple(range(i, 4))})
        for i in (1, 2, 3)
    ]
    return SearchSpace([depth, *kernels])


@pytest.fixture
def table():
    """All 243 architectures of five ternary genes: accuracy and cost grow with the choices, but not alike."""
    space = SearchSpace([Gene(f"g{i}", (0, 1, 2), ordered=True) for i in range(5)])
    X = space.enumerate()
    rng = np.random.RandomState(0)
    cost = (X * [1.0, 2.0, 3.0, 4.0, 5.0]).sum(axis=1) + 1
    accuracy = 60 + 35 * (1 - np.exp(-(X * [5.0, 1.0, 3.0, 2.0, 1.0]).sum(axis=1) / 8)) + rng.normal(0, 0.05, len(X))
    described = [
        Target("val_accuracy", "%", True, "accuracy"),
        Target("madds", "millions", False, "compute"),
        Target("latency_ms", "ms", False, "latency"),
    ]
    frame = pd.DataFrame({"val_accuracy": accuracy, "madds": cost, "latency_ms": np.sqrt(cost) + X[:, 1]})
    return BenchmarkTable("made", space, X, frame, described, TableInfo("made", "none", "", ""))


@pytest.fixture(scope="session")
def digits():
    """128 training images, 200 to validate by, and what is left to test on."""
    return load_images("digits", validation_size=0.4).subset(sizes={"train": 128, "validation": 200})


@pytest.fixture(scope="session")
def supernet(digits):
    """As good as random, but for a head that fits the digits."""
    space = MBConv(
        stages=[Stage(True, 8, 2, (1, 2), (3,), (1, 2)), Stage(False, 16, 2, (1, 2), (3, 5), (1, 2))],
        resolutions=(8, 16),
        widths=(0.5, 1.0),
        stem=8,
        features=16,
    )
    torch.manual_seed(0)
    return new_head(SuperNet(space, 10, normalization=digits.to_rgb().normalization).eval(), digits)


@pytest.fixture
def subnets(supernet, digits):
    """What measures its subnets, quickly."""
    targets = ("val_accuracy", "params", "madds")
    return SupernetEvaluator(supernet, digits, targets=targets, n_validation=200, n_calibration=64)
