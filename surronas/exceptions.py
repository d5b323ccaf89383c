"""Everything the library raises on purpose is a ``SurronasError``; everything it warns is a ``SurronasWarning``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "DataNotFoundError",
    "FitError",
    "InvalidFileError",
    "InvalidInputError",
    "SurronasError",
    "SurronasWarning",
    "UnknownNameError",
]


class SurronasError(Exception):
    """Base of every error the library raises on purpose."""


class InvalidInputError(SurronasError, ValueError):
    """An argument has a wrong value; the text names the argument, the row and the value."""


class UnknownNameError(InvalidInputError, LookupError):
    """A name that nothing is registered under; the text offers the nearest known ones."""

    @classmethod
    def of(cls, kind: str, name: object, known: Iterable[str]) -> UnknownNameError:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4) if isinstance(name, str) else []
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return cls(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(names)}.")


class DataNotFoundError(SurronasError, FileNotFoundError):
    """A data file is neither installed, nor in the data directory, nor cached, and cannot be fetched."""


class InvalidFileError(SurronasError, ValueError):
    """A file is damaged, of a foreign format, or holds something that must not be loaded."""


class FitError(SurronasError, RuntimeError):
    """No model could be fitted; the text says what was tried and how each attempt failed."""


class SurronasWarning(UserWarning):
    """Something the user should know that does not stop the work."""
