"""The command that files say they were made by, and what its subcommands share."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

__all__ = ["command_line", "number_of_jobs", "seed"]


def command_line() -> str:
    """What this process was started with, as a shell reads it."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def number_of_jobs(text: str) -> int:
    """What joblib takes: any whole number but 0."""
    value = int(text)
    if value == 0:
        raise argparse.ArgumentTypeError("0 jobs would do nothing; -1 is all cores")
    return value


def seed(text: str) -> int:
    """What numpy's and torch's generators take."""
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"a seed is from 0 to {2**32 - 1}, not {value}")
    return value
