"""The command that files say they were made by, and what its subcommands share."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from pathlib import Path

from surronas.exceptions import InvalidInputError

__all__ = ["cluster", "command_line", "number_of_jobs", "seed", "workers_arguments"]

_SECONDS = 10  # to wait for a scheduler


def command_line() -> str:
    """What this process was started with, as a shell reads it."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def workers_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """Add who does the work: processes here, or the workers of a cluster."""
    parser.add_argument(
        "--jobs", type=number_of_jobs, default=-1, help=f"{what} at a time; -1 is all cores (%(default)s)"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a Dask scheduler whose workers do it instead: tcp://10.0.0.1:8786"
    )


@contextmanager
def cluster(scheduler: str | None) -> Iterator[None]:
    """What joblib is given inside runs on the workers of that Dask scheduler; None leaves it here.

    Raises
    ------
    InvalidInputError
        When Dask is not installed, or there is no scheduler at that address.
    BrokenExecutor
        When workers were killed so often that Dask gave up.
    """
    if scheduler is None:
        yield
        return
    try:
        from distributed import CancelledError, Client, KilledWorker
        from joblib import parallel_config
    except ImportError as error:
        raise InvalidInputError("A --scheduler needs Dask: pip install distributed") from error
    try:
        client = Client(scheduler, timeout=_SECONDS)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"There is no Dask scheduler at {scheduler!r}: {error}.") from error
    with client, parallel_config("dask"):
        try:
            yield
        except (KilledWorker, CancelledError) as error:
            raise BrokenExecutor(str(error)) from error


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
