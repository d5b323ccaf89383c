"""A run's folder: its journal, and the lock that keeps a second process out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from enum import Enum
from pathlib import Path
from typing import Any

from surronas.exceptions import InvalidFileError
from surronas.io import alone_in
from surronas.journal import Journal

__all__ = ["Event", "Run"]


class Event(Enum):
    """What a record of the journal tells of."""

    ASKED = "asked"
    TOLD = "told"
    ADAPTED = "adapted"
    STALE = "stale"


class Run:
    """The journal of a search, held by one process at a time (not on Windows); without a folder, nothing at all.

    Parameters
    ----------
    folder : Path or None
    header : mapping
        JSON-able: the search and its settings.

    Attributes
    ----------
    events : list of (Event, dict)
        What happened before this process took the run over.
    """

    def __init__(self, folder: Path | None, header: Mapping[str, Any]) -> None:
        self.folder = folder
        self.events: list[tuple[Event, dict[str, Any]]] = []
        self._journal: Journal | None = None
        self._held = ExitStack()
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:  # let go of where the journal cannot be read
            held.enter_context(alone_in(folder))
            self._journal = Journal(folder / "journal.jsonl", header)
            for number, cell in enumerate(self._journal.cells):
                self.events.append(_event(cell, folder, number))
            self._held = held.pop_all()

    def note(self, event: Event, **record: Any) -> None:
        """Write a record through to the disk; NaN becomes null."""
        if self._journal is not None:
            self._journal.append({"event": event.value, **_plain(record)})

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *exception: object) -> None:
        self._held.close()


def _event(cell: dict[str, Any], folder: Path, number: int) -> tuple[Event, dict[str, Any]]:
    try:
        return Event(cell.pop("event")), cell
    except (KeyError, ValueError) as error:
        raise InvalidFileError(
            f"The journal of {folder} has an unknown event in line {number + 2}: {error}."
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
