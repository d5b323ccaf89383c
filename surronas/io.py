"""Files that are whole or absent: atomic writes, and zip archives of checked parts."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any

from surronas.exceptions import InvalidFileError, InvalidInputError

if sys.platform != "win32":
    import fcntl

__all__ = ["alone_in", "check_size", "naming", "read_archive", "remove_unfinished", "write_archive", "write_atomic"]

_MANIFEST = "manifest.json"
_LARGEST = 2**30
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_]+\.[a-z]+")


def write_atomic(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, whenever the writer is killed."""
    path = Path(path)
    if path.exists() and not path.is_file() and not path.is_dir():  # /dev/stdout, say, is written to and not replaced
        path.write_bytes(content)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with naming(path):
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)
            os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Have an error of the operating system say of which file it is, for that of a full disk does not."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = os.fspath(path)
        raise


@contextmanager
def alone_in(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Keep other processes out of a folder that is there (not on Windows), until the process ends at the latest.

    Raises
    ------
    InvalidInputError
        When another one has it.
    """
    if sys.platform == "win32":
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InvalidInputError(f"Another process is at work in {os.fspath(folder)}.") from error
        except OSError:  # a file system that locks no folders
            pass
        yield
    finally:
        os.close(handle)


def remove_unfinished(path: str | os.PathLike[str]) -> None:
    """Remove what writers of a file left that were killed while they wrote; to be called while nobody writes it."""
    path = Path(path)
    for unfinished in path.parent.glob(f".{escape(path.name)}.*"):
        unfinished.unlink(missing_ok=True)


def write_archive(
    path: str | os.PathLike[str], kind: str, version: int, manifest: Mapping[str, Any], parts: Mapping[str, bytes]
) -> None:
    """Write a zip of a JSON manifest and parts whose sha256 it lists."""
    head = {
        "kind": kind,
        "version": version,
        **manifest,
        "parts": {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()},
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_MANIFEST, json.dumps(head, indent=1, allow_nan=False))
        for name, content in parts.items():
            archive.writestr(name, content)
    write_atomic(path, buffer.getvalue())


def read_archive(path: str | os.PathLike[str], kind: str, version: int) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest and the parts of an archive; nothing is unpacked to disk.

    Raises
    ------
    InvalidFileError
        When it is no archive of that kind, is of a newer version, damaged, or larger than 1 GiB unpacked.
    """
    path = Path(path)
    if not path.is_file():
        raise InvalidFileError(f"There is no file {str(path)!r}.")
    try:
        with zipfile.ZipFile(path) as archive:
            check_size(archive, str(path))
            head = json.loads(archive.read(_MANIFEST))
            if not isinstance(head, dict) or head.get("kind") != kind:
                raise InvalidFileError(f"{str(path)!r} is not a {kind}.")
            if not isinstance(head.get("version"), int) or head["version"] > version:
                raise InvalidFileError(
                    f"{str(path)!r} has format version {head.get('version')!r}; this library reads up to {version}."
                )
            checksums = dict(head["parts"])
            foreign = sorted({*archive.namelist()} - {_MANIFEST, *checksums})
            if foreign:
                raise InvalidFileError(f"{str(path)!r} holds {foreign[0]!r}, which its manifest does not list.")
            parts = {}
            for name, checksum in checksums.items():
                if not _PLAIN_NAME.fullmatch(name):
                    raise InvalidFileError(f"{str(path)!r} has a part {name!r}; a plain name was expected.")
                parts[name] = archive.read(name)
                if hashlib.sha256(parts[name]).hexdigest() != checksum:
                    raise InvalidFileError(f"{str(path)!r} is damaged: the part {name!r} does not have its checksum.")
    except InvalidFileError:
        raise
    except Exception as error:  # what a damaged archive raises depends on where the damage is
        raise InvalidFileError(f"{str(path)!r} is not a whole {kind}: {error}.") from error
    return head, parts


def check_size(archive: zipfile.ZipFile, name: str) -> None:
    """Refuse a zip that would fill the memory."""
    size = sum(entry.file_size for entry in archive.infolist())
    if size > _LARGEST:
        raise InvalidFileError(f"{name!r} would unpack to {size:,} bytes, more than {_LARGEST:,}.")
