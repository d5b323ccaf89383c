"""What the CPU and its C library offer to a training."""

from __future__ import annotations

import ctypes
from functools import cache

import torch

__all__ = ["has_bfloat16", "keep_freed_memory"]

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # names of mallopt's parameters in glibc's malloc.h
_HUGE_PAGES = 14  # MADV_HUGEPAGE of Linux's mman.h
_PAGE, _HEAP = 2**21, 3 * 2**29  # a heap near the trim threshold would be given back


@cache
def keep_freed_memory() -> None:
    """Let glibc's malloc keep, for as long as the process lives, what tensors give back, and in huge pages.

    By default each large tensor is mapped anew, and its pages are zeroed by the kernel as they are first touched, which
    takes 10 to 15 % of the time of a training on CPUs; looking up so many pages of 4 KB takes about as much again. The
    process keeps the memory of its largest moment; the first 1.5 GiB are in pages of 2 MB. Where there is no glibc,
    nothing happens.
    """
    try:
        libc = ctypes.CDLL(None)
        mallopt, malloc, free, madvise = libc.mallopt, libc.malloc, libc.free, libc.madvise
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_MMAP_MAX, 0)
    mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(_TOP_PAD, 2**28)
    malloc.restype, malloc.argtypes, free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    heap = malloc(_HEAP)  # nothing of it is touched, and all of it stays the heap's
    if heap:
        start = -(-heap // _PAGE) * _PAGE
        madvise(start, _HEAP - 2 * _PAGE, _HUGE_PAGES)
        free(heap)


def has_bfloat16() -> bool:
    """Whether the CPU has instructions for bfloat16; True where torch cannot tell."""
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return not known or any("bf16" in name and has for name, has in known.items())
