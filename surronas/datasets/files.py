"""The registry of data files, and where to find one: installed, in the data directory, cached, or downloaded."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files as resources
from pathlib import Path

from platformdirs import user_cache_dir

from surronas.datasets.download import download
from surronas.exceptions import DataNotFoundError, InvalidFileError, UnknownNameError

__all__ = ["DATA_DIR", "DataFile", "Place", "data_file", "find_file", "is_whole", "list_files", "places", "sha256_of"]

DATA_DIR = "SURRONAS_DATA_DIR"


@dataclass(frozen=True)
class DataFile:
    """One entry of ``registry.json``.

    Parameters
    ----------
    name : str
        Path relative to the data directory, with forward slashes.
    sha256, bytes
        Of the file's content.
    source, licence, citation : str
    path : str
        Where the source has it.
    address : str, optional
        What the path is relative to, at a pinned commit; None where no public address serves these bytes.
    package : str, optional
        The PyPI distribution that carries the file, with its version.
    """

    name: str
    sha256: str
    bytes: int
    source: str
    licence: str
    citation: str
    path: str
    address: str | None = None
    package: str | None = None

    @property
    def url(self) -> str | None:
        return None if self.address is None else self.address + self.path


@dataclass(frozen=True)
class Place:
    """Somewhere a data file may be.

    Parameters
    ----------
    kind : {"package", "data directory", "cache"}
    label : str
        What an error calls it.
    path : Path, optional
        Of the file there, whether it exists or not; None where there is no such place on this machine.
    """

    kind: str
    label: str
    path: Path | None


@cache
def _registry() -> dict[str, DataFile]:
    groups = json.loads(resources("surronas.datasets").joinpath("registry.json").read_text(encoding="utf-8"))
    known = {}
    for group in groups:
        for name, entry in group.pop("files").items():
            known[name] = DataFile(name, **entry, **group)
    return known


def list_files() -> list[str]:
    """Sorted names of all files the library knows."""
    return sorted(_registry())


def data_file(name: str) -> DataFile:
    """What is known of a file. An unknown name raises ``UnknownNameError`` with the nearest known one."""
    if not isinstance(name, str) or name not in _registry():
        raise UnknownNameError.of("data file", name, _registry())
    return _registry()[name]


def places(name: str) -> list[Place]:
    """Where a data file may be, in the order of looking; ``path`` is None where the place itself is not there."""
    file = data_file(name)
    folder = os.environ.get(DATA_DIR)
    in_folder = Path(folder).expanduser() / file.name if folder else None
    known = [
        Place("data directory", f"${DATA_DIR}", in_folder),
        Place("cache", "the cache", Path(user_cache_dir("surronas")) / file.name),
    ]
    if file.package is not None:
        package = file.package.partition("==")[0]
        try:
            installed = Path(str(distribution(package).locate_file(file.path)))
        except PackageNotFoundError:
            installed = None
        known.insert(0, Place("package", f"the PyPI package {package}", installed))
    return known


def is_whole(name: str, path: Path) -> bool:
    """Whether the file there has the registered sha256. A file that has not changed is hashed once a process."""
    return sha256_of(path) == data_file(name).sha256


def find_file(name: str, *, fetch: bool = True, progress: Callable[[int], None] | None = None) -> Path:
    """Where a data file is on this machine; downloads it where it can.

    Looked for in this order: the installed PyPI package that carries it (which is not imported),
    ``$SURRONAS_DATA_DIR``, the user's cache, the source's address. Whatever is found must have the
    registered sha256; an installed package of another version is passed over. A download that broke off
    goes on where it stopped.

    Parameters
    ----------
    name : str
        One of ``list_files()``.
    fetch : bool, default=True
        Whether to download it where it is not here.
    progress : callable, optional
        Called with the number of bytes that are here while it is downloaded.

    Raises
    ------
    UnknownNameError
        When the library knows no such file.
    InvalidFileError
        When the data directory's file, or the one downloaded, has another sha256.
    DataNotFoundError
        When it is nowhere; the text lists the places and what to put there.
    """
    file = data_file(name)
    tried: list[str] = []
    for place in places(name):
        path = place.path
        if path is None:
            tried.append(f"{place.label}: not {'set' if place.kind == 'data directory' else 'installed'}")
        elif not path.is_file():
            tried.append(f"{place.label}: no file {path}")
        elif is_whole(name, path):
            return path
        elif place.kind == "data directory":
            raise InvalidFileError(
                f"The data file {path} is damaged or of another version: its sha256 is {sha256_of(path)}, "
                f"expected {file.sha256} ({file.source}). Replace or remove it."
            )
        else:
            tried.append(f"{place.label}: {path} has another sha256, {sha256_of(path)}")
    found = _download(file, tried, progress) if fetch else None
    if found is not None:
        return found
    raise DataNotFoundError(
        f"The data file {name!r} ({file.bytes:,} bytes, {file.source}) was not found. Looked at:\n"
        + "\n".join(f"  - {line}" for line in tried)
        + f"\n{_remedy(file)}"
    )


def _remedy(file: DataFile) -> str:
    put = (
        f"put the file with sha256 {file.sha256} at {Path('$' + DATA_DIR) / file.name} or {places(file.name)[-1].path}"
    )
    if file.package is not None:
        return f"Install it by 'pip install {file.package}', or {put}."
    if file.url is not None:
        return f"Connect to the internet, or download {file.url} and {put}."
    return f"No public address serves this file; it was converted from {file.path} of {file.source}. To use it, {put}."


def _download(file: DataFile, tried: list[str], progress: Callable[[int], None] | None) -> Path | None:
    if file.url is None:
        return None
    path = Path(user_cache_dir("surronas")) / file.name
    try:
        download(file.url, path, file.sha256, file.bytes, progress)
    except InvalidFileError as error:
        raise InvalidFileError(f"What {file.url} sent is not the data file {file.name!r}: {error}") from error
    except OSError as error:
        if path.is_file() and is_whole(file.name, path):  # another process was quicker, and took the part
            return path
        tried.append(f"{file.url}: {type(error).__name__}: {error}")
        return None
    return path


def sha256_of(path: Path) -> str:
    """The sha256 of a file; one that has not changed is hashed once a process."""
    status = path.stat()
    return _hash(path, status.st_size, status.st_mtime_ns)


@cache
def _hash(path: Path, size: int, modified: int) -> str:
    """Of a file as it is now: size and time of change are there so that a changed file is hashed again."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
