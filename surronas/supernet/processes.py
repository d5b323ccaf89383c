"""One training in several processes, which torchrun starts: who this one is, what they tell each other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, distributed

from surronas.exceptions import SurronasError

__all__ = ["from_process_0", "process_group", "rank", "sum_over_processes", "world_size"]


def rank() -> int:
    """The number of this process, from 0; only process 0 writes and speaks."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world_size() -> int:
    """How many processes there are."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def sum_over_processes(values: Tensor) -> Tensor:
    """Each value's sum over the processes, in place.

    Raises
    ------
    SurronasError
        When another process has ended; none waits for one that is gone.
    """
    if world_size() > 1:
        with _others():
            distributed.all_reduce(values)
    return values


def from_process_0(make: Callable[[], Any]) -> Any:
    """What process 0 makes, in every process.

    Raises
    ------
    SurronasError
        As ``sum_over_processes``.
    """
    box = [make() if rank() == 0 else None]
    if world_size() > 1:
        with _others():
            distributed.broadcast_object_list(box)
    return box[0]


@contextmanager
def process_group() -> Iterator[None]:
    """The processes that torchrun started, joined over gloo for as long as this lasts; alone, nothing.

    A process that fails leaves the group, and what the others wait for ends in an error there. When they are
    interrupted, process 0 says so for all.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1 or distributed.is_initialized():
        yield
        return
    distributed.init_process_group("gloo")
    number = rank()
    try:
        yield
    except KeyboardInterrupt:
        if number == 0:
            raise
        raise SystemExit(130) from None
    finally:
        distributed.destroy_process_group()


@contextmanager
def _others() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise SurronasError("Another process of this training has ended, so this one ends too.") from error
