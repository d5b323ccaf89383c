"""Latencies from a table of measured ones, here of made-up ones whose law is known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from surronas.exceptions import DataNotFoundError
from surronas.meta import latency
from surronas.spaces import get_space

SPACE = get_space("mbconv")


def law(X):
    cost = SPACE.cost(X)
    return 0.2 + cost["madds"].to_numpy() / 2e7 + 0.1 * X[:, 2], cost["madds"].to_numpy() / 1e6 + 1


@pytest.fixture
def table(monkeypatch):
    X = SPACE.canonical(SPACE.sample(220, random_state=0))
    one, many = law(X)
    targets = pd.DataFrame({"latency_ms": one, "latency_64_ms": many})
    targets.loc[4, "latency_ms"] = np.nan
    found = SimpleNamespace(space=SPACE, archs=X, targets=targets)
    monkeypatch.setattr(latency, "load_benchmark", lambda name: found)
    latency._surrogates.cache_clear()
    yield found
    latency._surrogates.cache_clear()


def test_predictions_follow_the_measurements(table):
    X = SPACE.canonical(SPACE.sample(60, random_state=1))
    frame = latency.predicted_latencies(SPACE, X)
    assert list(frame) == ["predicted_latency_ms", "predicted_latency_64_ms"]
    for column, truth in zip(frame, law(X), strict=True):
        assert np.median(np.abs(frame[column] / truth - 1)) < 0.05


def test_a_space_without_measurements_is_an_error(table):
    with pytest.raises(DataNotFoundError, match="another space than 'nasbench201'"):
        latency.predicted_latencies(get_space("nasbench201"), np.zeros((1, 6), dtype=int))
