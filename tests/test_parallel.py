"""Calls of joblib: what is refused, in which order results come, where calls from within calls go."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from joblib import Parallel, delayed, effective_n_jobs, parallel_config
from joblib._parallel_backends import SequentialBackend, ThreadingBackend
from joblib.parallel import get_active_backend

import surronas as sn
from surronas.exceptions import InvalidInputError
from surronas.meta.database import build_database
from surronas.parallel import alone, check_n_jobs, stream
from surronas.search.evaluators import FunctionEvaluator

X = np.indices((3, 2, 2)).reshape(3, -1).T
Y = X.sum(axis=1).astype(float)


@pytest.mark.parametrize("n_jobs", [None, 1, -1, np.int64(2)])
def test_what_joblib_takes(n_jobs):
    check_n_jobs(n_jobs)


@pytest.mark.parametrize("n_jobs", [0, True, 1.0, "2"])
def test_what_joblib_does_not_take(n_jobs):
    with pytest.raises(InvalidInputError, match=f"'n_jobs' parameter must be a non-zero int or None. Got {n_jobs!r}"):
        check_n_jobs(n_jobs)


def table():
    return sn.load_benchmark("analog_nasbench")


def supernet():
    return sn.supernet.load_pretrained("mbconv-cifar10")


@pytest.mark.parametrize(
    "call",
    [
        lambda: sn.fit_predictor(X, Y, n_jobs=0),
        lambda: sn.fit_predictor(space="nasbench201", proxies="cheap", n_jobs=0),
        lambda: sn.evaluate("linear", table(), "baseline_accuracy", 16, 1, n_jobs=0),
        lambda: sn.proxies.score(["8:8:8:8:8"], "nats_size", "params", n_jobs=0),
        lambda: sn.search.NAT(table(), ["baseline_accuracy"], n_jobs=0).ask(),
        lambda: sn.search.MSuNAS(table(), ["baseline_accuracy", "analog_accuracy"], n_jobs=0).ask(),
        lambda: FunctionEvaluator(len, "nasbench201", {"accuracy": True}, n_jobs=0),
        lambda: sn.supernet.SupernetEvaluator(supernet(), sn.load_images("digits"), head="ridge", n_jobs=0),
        lambda: build_database(supernet(), [], "nowhere", n_jobs=0),
        *(
            lambda name=name: sn.get_predictor(name, n_jobs=0).fit(X, Y)
            for name in sn.list_predictors()
            if "n_jobs" in sn.get_predictor(name).get_params()
        ),
    ],
)
def test_every_part_says_what_is_wrong_with_no_jobs(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInputError, match=r"'n_jobs' parameter must be a non-zero int or None\. Got 0 instead\."):
        call()
    assert not list(tmp_path.iterdir())


def test_results_in_the_order_of_the_calls_or_as_they_come():
    gate = threading.Event()

    def work(i):
        assert gate.wait(10) if i == 0 else not gate.set()
        return i

    def calls():
        return (delayed(work)(i) for i in range(4))

    with parallel_config("threading"):
        assert list(stream(calls(), 2, in_order=True)) == [0, 1, 2, 3]
        gate.clear()
        assert next(stream(calls(), 2)) != 0


class ThreeWorkers(SequentialBackend):
    """One that gives nothing before it has done everything, as Dask's does."""

    supports_return_generator = False

    def effective_n_jobs(self, n_jobs):
        return 3

    def configure(self, n_jobs=1, parallel=None, **options):
        self.parallel = parallel
        return 1


@pytest.mark.parametrize("in_order", [True, False])
def test_where_results_come_at_the_end_there_are_portions(in_order):
    done = []
    with parallel_config(ThreeWorkers()):
        assert effective_n_jobs() == 3
        results = stream((delayed(done.append)(i) for i in range(30)), in_order=in_order)
        next(results)
        assert done == list(range(12))
        assert len(list(results)) == 29
    assert done == list(range(30))


def test_calls_from_within_a_call_stay_in_its_process():
    def inner():
        return Parallel()(delayed(type)(get_active_backend()[0]) for _ in range(1))

    with parallel_config(ThreeWorkers()):
        assert Parallel()([alone(inner)()]) == [[ThreadingBackend]]
        assert list(stream([delayed(inner)()])) == [[ThreadingBackend]]


def test_joblib_sees_no_argument_that_it_would_leave_on_one_of_the_workers():
    array = np.arange(1000)
    function, args, kwargs = alone(np.add)(array, 1, dtype=float)
    assert (args, kwargs) == ((), {})
    np.testing.assert_array_equal(function(), array + 1.0)
