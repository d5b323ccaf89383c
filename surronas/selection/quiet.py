"""Fitting on one thread and without the libraries' warnings, also from several threads at once."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from threadpoolctl import threadpool_limits

__all__ = ["quietly"]

_lock = threading.Lock()
_inside = 0
_restore = ExitStack()


@contextmanager
def quietly() -> Iterator[None]:
    """One thread for BLAS, OpenMP and torch, and no warnings.

    Small problems run faster so, and results do not depend on the number of threads. All of that is global
    to the process: under joblib's threading backend the first fit to begin sets it, the last to end restores it.
    """
    global _inside
    with _lock:
        if _inside == 0:
            _restore.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            _restore.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(1)
            _restore.enter_context(threadpool_limits(1))
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _restore.close()
