"""An append-only journal of finished cells, so that an interrupted benchmark loses nothing that was finished."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from surronas.exceptions import InvalidFileError, InvalidInputError

__all__ = ["Journal"]


class Journal:
    """JSON lines: a header that says what is measured, then one line a cell.

    A line counts once it ends in a line feed; a torn last line, what a crash leaves, is cut off on opening.
    Each line is on the disk before `append` returns.

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
        with open(self.path, "ab+") as file:
            file.seek(0)
            lines = file.read().split(b"\n")
            torn = lines.pop()
            if torn:
                file.truncate(file.tell() - len(torn))
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
        with open(self.path, "ab") as file:
            _append(file, cell)
        self.cells.append(cell)

    def _read(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            cell = json.loads(line)
        except ValueError as error:
            raise InvalidFileError(f"The journal {self.path} is damaged in line {number + 1}: {error}.") from error
        if not isinstance(cell, dict):
            raise InvalidFileError(f"The journal {self.path} is damaged in line {number + 1}: {cell!r} is no object.")
        return cell


def _append(file: BinaryIO, record: Mapping[str, Any]) -> None:
    file.write(json.dumps(record).encode() + b"\n")
    file.flush()
    os.fsync(file.fileno())
