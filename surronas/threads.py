"""Computing on one thread, also where several threads of Python do so at once.

The number of threads is global to the process: the first to enter sets it, the last to leave restores it.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import torch
from threadpoolctl import threadpool_limits

__all__ = ["quietly", "single_thread"]


def _shared(context: Callable[[], AbstractContextManager[None]]) -> Callable[[], AbstractContextManager[None]]:
    """The context, entered once for all threads that are inside."""
    lock, stack, inside = threading.Lock(), ExitStack(), 0

    @contextmanager
    def entered() -> Iterator[None]:
        nonlocal inside
        with lock:
            if inside == 0:
                stack.enter_context(context())
            inside += 1
        try:
            yield
        finally:
            with lock:
                inside -= 1
                if inside == 0:
                    stack.close()

    return entered


@contextmanager
def _single_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


single_thread = _shared(_single_thread)
"""One torch thread inside: sums are then split the same way on every machine, and joblib's workers do not fight."""


@contextmanager
def _quietly() -> Iterator[None]:
    with warnings.catch_warnings(), single_thread(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        yield


quietly = _shared(_quietly)
"""One thread for BLAS, OpenMP and torch, and no warnings: small problems run faster so."""
