"""What the CPU and its C library offer to a training."""

from __future__ import annotations

import ctypes
from functools import cache

import torch

__all__ = ["has_bfloat16", "keep_freed_memory"]

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # names of mallopt's parameters in glibc's malloc.h


@cache
def keep_freed_memory() -> None:
    """Let glibc's malloc keep, for as long as the process lives, what tensors give back.

    By default each large tensor is mapped anew and its pages are zeroed by the kernel as they are first touched, which
    takes 10 to 15 % of the time of a training on CPUs. The process keeps the memory of its largest moment. Where there
    is no glibc, nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_MMAP_MAX, 0)
    mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(_TOP_PAD, 2**28)


def has_bfloat16() -> bool:
    """Whether the CPU has instructions for bfloat16; True where torch cannot tell."""
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return not known or any("bf16" in name and has for name, has in known.items())
