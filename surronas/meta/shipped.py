"""Files that the package ships for meta-learning, by the name of their space."""

from __future__ import annotations

import os
from pathlib import Path

from surronas.exceptions import UnknownNameError

__all__ = ["find_shipped"]

_FOLDER = Path(__file__).parent / "pretrained"


def find_shipped(name: str | os.PathLike[str], suffix: str, kind: str) -> Path:
    """The path itself where it ends in ``suffix``, else the shipped file of that name.

    Raises
    ------
    UnknownNameError
        When there is none; ``kind`` is what the text calls it.
    """
    path = Path(name)
    if path.suffix == suffix:
        return path
    known = sorted(file.stem for file in _FOLDER.glob(f"*{suffix}"))
    if os.fspath(name) not in known:
        raise UnknownNameError.of(kind, os.fspath(name), known)
    return _FOLDER / f"{os.fspath(name)}{suffix}"
