"""The command that files say they were made by."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

__all__ = ["command_line"]


def command_line() -> str:
    """What this process was started with, as a shell reads it."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
