"""Scores that are known already: in memory, and in a file that outlives the process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from surronas.exceptions import InvalidFileError
from surronas.journal import Journal
from surronas.proxies.measure import Measured

__all__ = ["ScoreCache"]

Class = tuple[int, ...]


class ScoreCache:
    """What was measured of each isomorphism class of one space, on one batch, from one seed.

    Parameters
    ----------
    context : dict
        All else that scores depend on, JSON-able; it is the file's first line.
    folder : Path or None
        Of the file, whose name follows from the context; one line a class and call. None keeps scores in memory only.
        Several processes may write to it; each reads it once.
    """

    def __init__(self, context: dict[str, Any], folder: Path | None) -> None:
        self._known: dict[Class, Measured] = {}
        self._journal: Journal | None = None
        if folder is not None:
            text = json.dumps(context, sort_keys=True)
            name = str(context["space"].get("name", "space"))
            digest = hashlib.sha256(text.encode()).hexdigest()[:16]
            self._journal = Journal(folder / f"{name}-{digest}.jsonl", context)
            for line, cell in enumerate(self._journal.cells, start=2):
                self._take(*self._read(line, cell))
            self._journal.cells.clear()

    def get(self, arch: Class) -> Measured:
        """What is known of a class, given as its representative's genotype."""
        return self._known.get(arch, Measured())

    def missing(self, arch: Class, proxies: Sequence[str]) -> list[str]:
        """Those of the proxies that were never tried on a class."""
        known = self.get(arch)
        return [name for name in proxies if name not in known.scores and name not in known.reasons]

    def add(self, arch: Class, found: Measured) -> None:
        """Remember, on the disk first."""
        if self._journal is not None:
            self._journal.append({"arch": list(arch), **vars(found)})
            self._journal.cells.clear()
        self._take(arch, found)

    def mean_seconds(self) -> float:
        """An architecture, building included, of all that are known; NaN where none is."""
        totals = [sum(found.seconds.values()) for found in self._known.values()]
        return sum(totals) / len(totals) if totals else float("nan")

    def _take(self, arch: Class, found: Measured) -> None:
        self._known.setdefault(arch, Measured()).add(found)

    def _read(self, line: int, cell: dict[str, Any]) -> tuple[Class, Measured]:
        assert self._journal is not None
        try:
            arch = tuple(map(int, cell["arch"]))
            scores, reasons, seconds = (dict(cell[key]) for key in ("scores", "reasons", "seconds"))
            floats = [{str(k): float(v) for k, v in part.items()} for part in (scores, seconds)]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InvalidFileError(
                f"The cache of scores {self._journal.path} is damaged in line {line}: {error!r}. Delete it."
            ) from error
        return arch, Measured(floats[0], {str(k): str(v) for k, v in reasons.items()}, floats[1])
