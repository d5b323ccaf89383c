from __future__ import annotations

import time
from functools import partial

import numpy as np
import pandas as pd
import pytest

import surronas as sn
from surronas.exceptions import InvalidInputError
from surronas.search.evaluators import Evaluator, FunctionEvaluator, TableEvaluator, as_evaluator


def test_a_table_is_looked_up_by_architecture(table):
    evaluator = as_evaluator(table)
    assert isinstance(evaluator, Evaluator)
    rows = [5, 200, 17]
    pd.testing.assert_frame_equal(
        evaluator.evaluate(table.archs[rows]), table.targets.iloc[rows].reset_index(drop=True)
    )
    assert evaluator.targets == {"val_accuracy": True, "madds": False, "latency_ms": False}
    assert len(evaluator.pool) == 243


def test_what_a_table_lacks_is_a_failure_with_a_reason(table):
    evaluator = TableEvaluator(table.subset(np.arange(100)))
    frame = evaluator.evaluate(table.archs[[3, 150]])
    assert frame.notna().all(axis=1).tolist() == [True, False]
    assert frame.attrs["failures"] == [{"row": 1, "reason": "not in the table 'made'"}]
    with pytest.raises(InvalidInputError, match="Row 1 is not"):
        TableEvaluator(table.subset(np.arange(100)), known=["madds"]).cost(table.archs[[3, 150]])


def test_isomorphic_rows_have_one_value():
    table = sn.load_benchmark("analog_nasbench")
    evaluator = TableEvaluator(table)
    keys = table.space.key(table.archs)
    assert len(evaluator.pool) == len(np.unique(keys))
    values = evaluator.evaluate(table.archs)["baseline_accuracy"]
    assert (values.groupby(keys).nunique() == 1).all()
    first = pd.Series(keys).drop_duplicates().index
    np.testing.assert_array_equal(values[first], table.targets["baseline_accuracy"][first])


@pytest.mark.needs_data("nasbench_macro/nas-bench-macro_cifar10.json")
def test_only_what_the_space_computes_is_known_beforehand(shared_data, table):
    evaluator = TableEvaluator(sn.load_benchmark("nasbench_macro"))
    assert evaluator.known == ["params", "flops"]
    archs = evaluator.pool[[4, 100]]
    pd.testing.assert_frame_equal(evaluator.cost(archs), evaluator.evaluate(archs)[["params", "flops"]])
    assert TableEvaluator(table).known == []
    assert TableEvaluator(table, known=["madds"]).cost(table.archs[:2])["madds"].tolist() == [1.0, 6.0]


def of_sum(function, **options):
    return FunctionEvaluator(function, sn.SearchSpace.from_array([[3, 3]]), {"sum": True}, **options)


@pytest.mark.parametrize(
    "function",
    [
        lambda X: pd.DataFrame({"other": 0.0, "sum": X.sum(axis=1)}),
        lambda X: {"sum": X.sum(axis=1)},
        lambda X: X.sum(axis=1),
        lambda X: X.sum(axis=1).tolist(),
    ],
)
@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_a_function_may_return_any_form(function, chunk):
    frame = of_sum(function, chunk=chunk).evaluate(np.array([[0, 1], [2, 2], [3, 3]]))
    assert frame["sum"].tolist() == [1.0, 4.0, 6.0]
    assert frame.attrs["failures"] == []
    assert len(frame.attrs["seconds"]) == 3


def test_a_failure_is_nan_with_its_reason_and_the_others_go_on():
    def broken(X):
        if X[0, 0] == 2:
            raise OSError("no disk")
        return {"sum": [np.inf if X[0, 0] == 3 else X.sum()]}

    frame = of_sum(broken).evaluate(np.array([[0, 1], [2, 2], [3, 3]]))
    assert frame["sum"].isna().tolist() == [False, True, False]
    assert [f["row"] for f in frame.attrs["failures"]] == [1, 2]
    assert frame.attrs["failures"][0]["reason"] == "OSError: no disk"
    assert frame.attrs["failures"][1]["reason"] == "not a finite number"


def test_it_is_tried_again():
    calls = []

    def flaky(X):
        calls.append(1)
        if len(calls) < 3:
            raise OSError("busy")
        return X.sum(axis=1)

    assert of_sum(flaky, retries=1).evaluate(np.array([[1, 1]]))["sum"].isna().all()
    assert of_sum(flaky, retries=1).evaluate(np.array([[1, 1]]))["sum"].tolist() == [2.0]
    assert len(calls) == 3


def test_a_call_that_does_not_end_is_a_failure():
    def slow(X):
        time.sleep(30 if X[0, 0] == 1 else 0)
        return X.sum(axis=1)

    frame = of_sum(slow, timeout=0.3).evaluate(np.array([[1, 1], [0, 1]]))
    assert frame["sum"].isna().tolist() == [True, False]
    assert frame.attrs["failures"] == [{"row": 0, "reason": "no answer within 0.3 s"}]


def test_calls_in_parallel_give_the_same():
    archs = sn.SearchSpace.from_array([[3, 3]]).enumerate()
    one, two = (of_sum(partial(np.sum, axis=1), n_jobs=n).evaluate(archs) for n in (1, 2))
    assert one["sum"].tolist() == two["sum"].tolist() == archs.sum(axis=1).tolist()


def test_no_evaluator_is_told_what_is_missing():
    with pytest.raises(InvalidInputError, match="must be a BenchmarkTable.*Got a function"):
        as_evaluator(lambda X: X)
    with pytest.raises(InvalidInputError, match="needs targets, retries"):
        of_sum(np.sum, retries=-1)
