"""A small table on a real space, a fast stand-in for fit_predictor, and reports made of given numbers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from surronas.benchmark import cell
from surronas.benchmark.cell import COLUMNS
from surronas.benchmark.protocol import get_protocol
from surronas.benchmark.provenance import provenance_of
from surronas.benchmark.report import Report
from surronas.datasets import BenchmarkTable, TableInfo, Target
from surronas.spaces import get_space


@pytest.fixture(scope="session")
def table():
    """300 rows of nasbench201, isomorphic ones among them, with synthetic targets, a few of them missing."""
    space = get_space("nasbench201")
    rng = np.random.default_rng(0)
    archs = space.enumerate()[rng.permutation(15625)[:300]]
    worth = np.array([0.0, 1.0, 2.0, 3.0, 0.5])[space.canonical(archs)].sum(axis=1)
    targets = pd.DataFrame(
        {"val_accuracy": 70 + worth, "test_accuracy": 69 + worth, "latency": 5 + worth, "error": -worth}
    )
    targets += rng.normal(scale=0.3, size=targets.shape)
    targets.loc[:4, "test_accuracy"] = np.nan
    targets.loc[5:7, "val_accuracy"] = np.nan
    described = [
        Target("val_accuracy", "%", True, "accuracy", "made up"),
        Target("test_accuracy", "%", True, "accuracy", "made up"),
        Target("latency", "ms", False, "latency"),
        Target("error", "", False, "error"),
    ]
    return BenchmarkTable(
        "made_up", space, archs, targets, described, TableInfo("a test", "CC0", "Nobody (2024)", "none")
    )


class StandIn:
    """Least squares on gene counts; by name of the predictor constant, upside down or failing."""

    def __init__(self, kind, X, y, space):
        self.kind, self.space = kind, space
        self.low, self.high = float(y.min()), float(y.max())
        self.weights = np.linalg.lstsq(self._features(X), y, rcond=None)[0]
        self.selection_ = pd.DataFrame(
            {"encoder": "one_hot", "predictor": [kind, "mlp", "rbf"], "status": ["chosen", "chosen", "dropped"]}
        )

    def _features(self, X):
        C = self.space.canonical(X)
        return np.stack([np.ones(len(C)), *((C == op).sum(axis=1) for op in range(1, 5))], axis=1)

    def predict(self, X, return_std=False):
        mean = self._features(X) @ self.weights
        mean = {"mean": np.full(len(X), 75.0), "rbf": -mean}.get(self.kind, mean)
        return (mean, np.ones(len(X))) if return_std else mean

    def predict_interval(self, X, coverage=0.9):
        mean = self.predict(X)
        return mean - 0.5, mean + 0.5


@pytest.fixture
def fits(monkeypatch):
    """Replaces fit_predictor and records its calls; ``gp`` fails, ``fits.stop_after`` interrupts."""
    calls = SimpleNamespace(seen=[], stop_after=None)

    def fit_predictor(archs, y, *, space, predictor, encoder, random_state, n_jobs, proxies=None):
        if calls.stop_after is not None and len(calls.seen) >= calls.stop_after:
            raise KeyboardInterrupt
        calls.seen.append(
            SimpleNamespace(archs=archs, y=y, predictor=predictor, encoder=encoder, seed=random_state, proxies=proxies)
        )
        if predictor == "gp":
            raise ValueError("not positive definite")
        return StandIn(predictor, archs, y, space)

    monkeypatch.setattr(cell, "fit_predictor", fit_predictor)
    return calls


@pytest.fixture
def make_report(table):
    """A report whose scores are given: ``{predictor: (n_train, n_repeats) taus}``, other columns by keyword."""

    def make(taus, n_train=(16, 64), protocol="rest", **columns):
        rows = [
            {**dict.fromkeys(COLUMNS), "predictor": name, "n_train": n, "repeat": r, "seed": 0, "n_test": 200}
            | {"kendall_tau": tau, "coverage_90": 0.9, "n_duplicates": 0}
            for name, by_size in taus.items()
            for n, by_repeat in zip(n_train, np.atleast_2d(by_size), strict=True)
            for r, tau in enumerate(by_repeat)
        ]
        frame = pd.DataFrame(rows, columns=list(COLUMNS)).assign(**columns)
        texts = {"predictor", "chosen", "warnings", "error"}
        frame = frame.astype(
            {c: "string" if c in texts else "float64" for c in COLUMNS if c not in ("n_train", "repeat")}
        )
        target, protocol = table.target("val_accuracy"), get_protocol(protocol)
        provenance = provenance_of(table, target, target, protocol, 0)
        return Report(frame, target, target, protocol, {**provenance, "protocol": "A protocol."})

    return make
