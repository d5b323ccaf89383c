"""Downloads that go on where they stopped and never look whole before they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pooch
import requests

from surronas.exceptions import InvalidFileError

__all__ = ["download", "part_of"]

_CHUNK = 2**16
_TIMEOUT = (10, 60)  # seconds to connect, and between two bytes


def part_of(path: Path) -> Path:
    """Where the beginning of a file waits for the rest."""
    return path.with_name(path.name + ".part")


def download(url: str, path: Path, sha256: str, size: int, progress: Callable[[int], None] | None = None) -> None:
    """Download a file of known content; what an earlier attempt brought is kept and only the rest asked for.

    The bytes collect in ``<path>.part``. Only a file of the right sha256 is moved, atomically, to ``path``.

    Parameters
    ----------
    url : str
        Must serve the same bytes always, for what an earlier attempt brought is not asked for again.
    path : Path
    sha256 : str
    size : int
        Bytes of the whole file.
    progress : callable, optional
        Called with the number of bytes that are here.

    Raises
    ------
    OSError
        When the connection fails or breaks off; the part stays.
    InvalidFileError
        When what came is another file; nothing stays.
    """

    def fetch(url: str, output_file: str, _: Any) -> None:
        _resume(url, part_of(path), size, progress or (lambda done: None))
        os.replace(part_of(path), output_file)

    try:
        pooch.retrieve(url, known_hash=f"sha256:{sha256}", fname=path.name, path=path.parent, downloader=fetch)
    except requests.RequestException:  # some are ValueErrors, too
        raise
    except ValueError as error:
        raise InvalidFileError(f"{url} sent another file: {error}") from error


def _resume(url: str, part: Path, size: int, progress: Callable[[int], None]) -> None:
    """Bring ``part`` to its full size.

    It is written in place and never cut before the end: where two processes download the same file, each
    writes the same bytes to the same places.
    """
    done = part.stat().st_size if part.exists() else 0
    progress(min(done, size))
    if done == size:
        return
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if 0 < done < size else {})
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            done = 0  # the server knows no ranges and sends everything
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
            raise OSError(f"asked for bytes from {done} on, it sent {response.headers.get('Content-Range')!r}")
        with open(part, "r+b", opener=lambda path, flags: os.open(path, flags | os.O_CREAT, 0o666)) as stream:
            stream.seek(done)
            for chunk in response.iter_content(_CHUNK):
                done += stream.write(chunk)
                progress(done)
            stream.truncate()
            stream.flush()
            os.fsync(stream.fileno())
    if done < size and "Content-Length" not in response.headers:
        raise OSError(f"the connection ended after {done:,} of {size:,} bytes")
