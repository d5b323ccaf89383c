"""One thread and no warnings inside, everything as it was outside."""

from __future__ import annotations

import threading
import warnings

import torch

from surronas.selection.quiet import quietly


def test_threads_and_filters_come_back_when_the_last_of_several_threads_leaves():
    before = (torch.get_num_threads(), list(warnings.filters))
    entered, leave = threading.Barrier(3), threading.Event()
    seen = []

    def work():
        with quietly():
            entered.wait(10)
            leave.wait(10)
            seen.append(torch.get_num_threads())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    entered.wait(10)
    with quietly():
        warnings.warn("not heard", UserWarning, stacklevel=1)
    leave.set()
    for thread in threads:
        thread.join()
    assert seen == [1, 1]
    assert (torch.get_num_threads(), list(warnings.filters)) == before
