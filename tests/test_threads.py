"""One thread and no warnings inside, everything as it was outside."""

from __future__ import annotations

import threading
import warnings

import torch

from surronas.threads import quietly, single_thread


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


def test_who_leaves_first_does_not_change_the_other_s_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        first, second = single_thread(), quietly()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert torch.get_num_threads() == 1
        second.__exit__(None, None, None)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
