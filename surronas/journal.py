"""An append-only journal of finished cells, so that an interrupted run loses nothing that was finished."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

from surronas.exceptions import InvalidFileError, InvalidInputError
from surronas.io import naming

if sys.platform != "win32":
    import fcntl

__all__ = ["Journal"]


class Journal:
    """JSON lines: a header that says what is measured, then one line a cell.

    A line counts once it ends in a line feed; a torn last line, what a crash leaves, is cut off on opening and on the
    next append. Each line is on the disk before `append` returns. Several processes may append to one journal: each
    holds a lock of the file meanwhile, so that none takes what another is writing for torn (not on Windows).

    Parameters
    ----------
    path : path
        Made, with its folder, when it does not exist.
    header : mapping
        JSON-able. A journal that exists must have the same.

    Attributes
    ----------
    cells : list of dict
        The cells read and appended, in order.

    Raises
    ------
    InvalidInputError
        When the journal is of another measurement; the text says which of its settings differ.
    InvalidFileError
        When a line other than the last is no JSON object.
    """

    def __init__(self, path: str | Path, header: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.cells: list[dict[str, Any]] = []
        with _locked(self.path) as file:
            file.seek(0)
            lines = file.read().split(b"\n")[:-1]
            if not lines:
                _append(file, header)
                return
        found, *self.cells = [self._read(i, line) for i, line in enumerate(lines)]
        expected = json.loads(json.dumps(header))
        differing = [key for key in {**expected, **found} if expected.get(key) != found.get(key)]
        if differing:
            was = ", ".join(f"{key} = {found.get(key)!r}" for key in differing)
            now = ", ".join(f"{key} = {expected.get(key)!r}" for key in differing)
            raise InvalidInputError(
                f"The journal {self.path} belongs to another measurement, with {was}. This one has {now}. "
                "Give it a folder of its own, or delete the journal."
            )

    def append(self, cell: dict[str, Any]) -> None:
        """Write a finished cell through to the disk."""
        with _locked(self.path) as file:
            _append(file, cell)
        self.cells.append(cell)

    def _read(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            cell = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InvalidFileError(f"The journal {self.path} is damaged in line {number + 1}: {error}.") from error
        if not isinstance(cell, dict):
            raise InvalidFileError(f"The journal {self.path} is damaged in line {number + 1}: {cell!r} is no object.")
        return cell


@contextmanager
def _locked(path: Path) -> Iterator[FileIO]:
    """The file, of whole lines, while no other process writes to it."""
    # Unbuffered, so that what a full disk refuses is not written later; closing it releases the lock, and so does the
    # death of the process.
    with naming(path), open(path, "ab+", buffering=0) as file:
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_EX)
        end = file.seek(0, os.SEEK_END)
        file.seek(max(end - 1, 0))
        if file.read(1) not in (b"", b"\n"):
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
        yield file


def _append(file: FileIO, record: Mapping[str, Any]) -> None:
    left = memoryview(json.dumps(record).encode() + b"\n")
    end = file.seek(0, os.SEEK_END)
    try:
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
    except BaseException:  # what is not there for certain is not there at all
        file.truncate(end)
        raise
