"""One training in several processes, which torchrun starts: who this one is, what all of them sum to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed

from surronas.exceptions import SurronasError

__all__ = ["process_group", "rank", "sum_over_processes", "world_size"]


def rank() -> int:
    """The number of this process, from 0; only process 0 writes and speaks."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world_size() -> int:
    """How many processes there are."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def sum_over_processes(values: Tensor) -> None:
    """Each value's sum over the processes, in place.

    Raises
    ------
    SurronasError
        When another process has ended; none waits for one that is gone.
    """
    if world_size() == 1:
        return
    try:
        distributed.all_reduce(values)
    except RuntimeError as error:
        raise SurronasError("Another process of this training has ended, so this one ends too.") from error


@contextmanager
def process_group() -> Iterator[None]:
    """The processes that torchrun started, joined over gloo as long as this lasts; alone, nothing.

    A process that leaves by an error leaves the group, and what the others wait for ends in an error there.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1 or distributed.is_initialized():
        yield
        return
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()
