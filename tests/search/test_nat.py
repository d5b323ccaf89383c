from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from surronas.search import NAT, FunctionEvaluator, TableEvaluator

QUICK = {"n_initial": 8, "batch_size": 4, "predictor": "linear", "encoder": "one_hot"}


class Trained:
    """Stands for a supernet: every adaptation adds one point of accuracy, and makes the front stale."""

    def __init__(self, table):
        inner = TableEvaluator(table)

        def evaluate(X):
            frame = inner.evaluate(X)
            frame["val_accuracy"] += self.evaluator.version
            return frame

        self.evaluator = FunctionEvaluator(evaluate, table.space, inner.targets)
        self.calls: list[int] = []
        self.resumed: list[int] = []

    def start(self, evaluator, folder):
        evaluator.version = 0

    def train(self, archive, iteration):
        self.calls.append(iteration)
        self.evaluator.version += 1

    def resume(self, version):
        self.resumed.append(version)

    def stale(self, archive, last):
        before = archive.moved(archive.values.to_numpy(), 0).front_rows
        return before[archive.version[before] < self.evaluator.version]

    def present(self, archive):
        return archive.moved(
            archive.values.to_numpy() + [1.0, 0.0] * (archive.version.max() - archive.version[:, None]), 9
        )


def search_of(trained):
    return NAT(trained.evaluator, adapt=trained, **QUICK)


def test_each_batch_is_followed_by_adaptation_and_re_evaluation(table):
    trained = Trained(table)
    archive = search_of(trained).run(n_evaluations=20).archive
    assert len(archive) == 20
    assert len(trained.calls) == 4  # 8, 12, 16, 20
    assert archive.version.max() == 4
    truth = TableEvaluator(table).evaluate(archive.archs)["val_accuracy"]
    np.testing.assert_allclose(archive.values["val_accuracy"] - truth, archive.version)


def test_an_interrupted_adaptation_is_resumed(table, tmp_path):
    whole = search_of(Trained(table)).run(tmp_path / "whole", n_evaluations=20).archive
    lines = (tmp_path / "whole" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    assert [b'"adapted"' in line for line in lines].count(True) == 4
    for cut in range(2, len(lines)):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / "journal.jsonl").write_bytes(b"".join(lines[:cut]))
        trained = Trained(table)
        again = search_of(trained).run(folder, n_evaluations=20).archive
        assert (again.archs == whole.archs).all()
        kept = [c for c in whole.records if c != "seconds"]
        pd.testing.assert_frame_equal(again.records[kept], whole.records[kept])
        n_adapted = sum(b'"adapted"' in line for line in lines[:cut])
        assert len(trained.calls) == 4 - n_adapted
        assert trained.resumed == [n_adapted]


def test_price_steers_towards_the_cheap(table):
    inner = TableEvaluator(table)
    mean = []
    for price in (None, lambda X: 10.0 ** X[:, 0]):
        evaluator = FunctionEvaluator(inner.evaluate, table.space, inner.targets, price=price, chunk=100)
        archive = NAT(evaluator, **QUICK).run(n_evaluations=32).archive
        mean.append(archive.archs[8:, 0].mean())
    assert mean[1] < mean[0]


@pytest.mark.parametrize("candidates", ["enumerate", "nsga2", "nsga3", "unsga3"])
def test_three_objectives_by_any_algorithm(table, candidates):
    search = NAT(table, ["error", "madds", "latency_ms"], candidates=candidates, population=12, generations=3, **QUICK)
    archive = search.run(n_evaluations=24).archive
    assert archive.objectives.shape == (24, 3)
    assert len(archive.front()) > 3


def test_known_costs_need_no_surrogate(table):
    search = NAT(TableEvaluator(table, known=["madds"]), **QUICK)
    search.run(n_evaluations=16)
    assert list(search.decisions_[-1]["surrogates"]) == ["val_accuracy"]
    np.testing.assert_allclose(search.archive_.predicted["madds"][8:], search.archive_.values["madds"][8:])


def test_surrogates_are_kept_between_iterations_and_tried_anew_as_the_archive_grows(table):
    search = NAT(table, **QUICK | {"predictor": ["linear", "rbf"]})
    search.run(n_evaluations=32)
    sizes = [why["surrogates"]["val_accuracy"]["n"] for why in search.decisions_[1:]]
    assert sizes == [8, 12, 12, 20, 20, 20]
