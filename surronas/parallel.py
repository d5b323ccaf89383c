"""Calls side by side through joblib, wherever its configuration runs them: threads, processes, a cluster."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs, parallel_config
from joblib.parallel import get_active_backend

from surronas.exceptions import InvalidInputError

__all__ = ["alone", "check_n_jobs", "renewing_workers", "stream"]

_PORTION = 4


def check_n_jobs(n_jobs: Any) -> None:
    """Refuse what joblib would, before anything is begun."""
    if n_jobs is None or (isinstance(n_jobs, (int, np.integer)) and not isinstance(n_jobs, bool) and n_jobs != 0):
        return
    raise InvalidInputError(f"The 'n_jobs' parameter must be a non-zero int or None. Got {n_jobs!r} instead.")


def alone(function: Callable[..., Any]) -> Callable[..., Any]:
    """``joblib.delayed`` of a call that a worker runs by itself: what it asks of joblib goes to threads, not on.

    Its arguments travel with it. Arrays that joblib sees it leaves on one of Dask's workers, and when that one is
    killed it waits for the call for ever.
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        return delayed(_Alone(function, args, kwargs))()

    return call


class _Alone:
    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self.function, self.args, self.kwargs = function, args, kwargs

    def __call__(self) -> Any:
        with parallel_config(backend="threading"):
            return self.function(*self.args, **self.kwargs)


def stream(calls: Iterable[Any], n_jobs: int | None = None, *, in_order: bool = False, **options: Any) -> Iterator[Any]:
    """What the calls give, as it comes.

    Parameters
    ----------
    calls : iterable of joblib.delayed(function)(...)
    n_jobs : int, optional
        None takes it from ``joblib.parallel_config``, else 1.
    in_order : bool, default=False
        Give the results in the order of the calls.
    **options
        Of ``joblib.Parallel``.
    """
    jobs = (alone(function)(*args, **kwargs) for function, args, kwargs in calls)
    if get_active_backend()[0].supports_return_generator:
        returned = "generator" if in_order else "generator_unordered"
        yield from Parallel(n_jobs=n_jobs, return_as=returned, **options)(jobs)
        return
    parallel = Parallel(n_jobs=n_jobs, **options)  # Dask's backend gives all results at the end: so in portions
    while portion := list(islice(jobs, _PORTION * effective_n_jobs(n_jobs))):
        yield from parallel(portion)


@contextmanager
def renewing_workers() -> Iterator[None]:
    """Without joblib's warning of a renewed process: one keeps the memory that tensors give back, joblib takes that for
    a leak and starts another, and nothing is lost."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        yield
