"""The registry of data files, and where to find one: installed, in the data directory, cached, or downloaded."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files as resources
from pathlib import Path

import pooch
from platformdirs import user_cache_dir

from surronas.exceptions import DataNotFoundError, InvalidFileError, UnknownNameError

__all__ = ["DATA_DIR", "DataFile", "data_file", "find_file", "list_files"]

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


def find_file(name: str) -> Path:
    """Where a data file is on this machine; downloads it where it can.

    Looked for in this order: the installed PyPI package that carries it (which is not imported),
    ``$SURRONAS_DATA_DIR``, the user's cache, the source's address. Whatever is found must have the
    registered sha256; an installed package of another version is passed over.

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
    for place in (_in_package, _in_data_dir, _in_cache, _download):
        found = place(file, tried)
        if found is not None:
            return found
    raise DataNotFoundError(
        f"The data file {name!r} ({file.bytes:,} bytes, {file.source}) was not found. Looked at:\n"
        + "\n".join(f"  - {line}" for line in tried)
        + f"\n{_remedy(file)}"
    )


def _remedy(file: DataFile) -> str:
    put = f"put the file with sha256 {file.sha256} at {Path('$' + DATA_DIR) / file.name} or {_cached(file)}"
    if file.package is not None:
        return f"Install it by 'pip install {file.package}', or {put}."
    if file.url is not None:
        return f"Connect to the internet, or download {file.url} and {put}."
    return f"No public address serves this file; it was converted from {file.path} of {file.source}. To use it, {put}."


def _in_package(file: DataFile, tried: list[str]) -> Path | None:
    if file.package is None:
        return None
    distribution_name = file.package.partition("==")[0]
    try:
        path = Path(str(distribution(distribution_name).locate_file(file.path)))
    except PackageNotFoundError:
        tried.append(f"the PyPI package {distribution_name}: not installed")
        return None
    return _checked(file, path, f"the PyPI package {distribution_name}", tried)


def _in_data_dir(file: DataFile, tried: list[str]) -> Path | None:
    folder = os.environ.get(DATA_DIR)
    if not folder:
        tried.append(f"${DATA_DIR}: not set")
        return None
    path = Path(folder).expanduser() / file.name
    found = _checked(file, path, f"${DATA_DIR}", tried)
    if found is None and path.is_file():
        raise InvalidFileError(
            f"The data file {path} is damaged or of another version: its sha256 is {_hash_of(path)}, "
            f"expected {file.sha256} ({file.source}). Replace or remove it."
        )
    return found


def _in_cache(file: DataFile, tried: list[str]) -> Path | None:
    return _checked(file, _cached(file), "the cache", tried)


def _download(file: DataFile, tried: list[str]) -> Path | None:
    if file.url is None:
        return None
    path = _cached(file)
    try:
        pooch.retrieve(file.url, known_hash=f"sha256:{file.sha256}", fname=path.name, path=path.parent)
    except ValueError as error:
        raise InvalidFileError(f"What {file.url} sent is not the data file {file.name!r}: {error}") from error
    except OSError as error:
        tried.append(f"{file.url}: {type(error).__name__}: {error}")
        return None
    return path


def _cached(file: DataFile) -> Path:
    return Path(user_cache_dir("surronas")) / file.name


def _checked(file: DataFile, path: Path, place: str, tried: list[str]) -> Path | None:
    if not path.is_file():
        tried.append(f"{place}: no file {path}")
    elif _hash_of(path) != file.sha256:
        tried.append(f"{place}: {path} has another sha256, {_hash_of(path)}")
    else:
        return path
    return None


def _hash_of(path: Path) -> str:
    status = path.stat()
    return _hash(path, status.st_size, status.st_mtime_ns)


@cache
def _hash(path: Path, size: int, modified: int) -> str:
    """Of a file as it is now: size and time of change are there so that a changed file is hashed again."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
