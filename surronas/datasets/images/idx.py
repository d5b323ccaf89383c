"""The idx files of MNIST and its relatives; Fashion-MNIST by name."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from surronas.datasets.files import DATA_DIR, find_file
from surronas.datasets.images import register_images
from surronas.datasets.images.checks import Size
from surronas.datasets.images.source import ImageSource, info_of_path, number_labels
from surronas.datasets.sources import info_of
from surronas.datasets.table import TableInfo
from surronas.exceptions import DataNotFoundError, InvalidFileError

_PARTS = {"train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")}
_PARTS["test"] = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

_DEBIAN = Path("/usr/share/datasets/fashion-mnist")
_FASHION = "images/fashion-mnist"
_FASHION_CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
# Of the uncompressed content: Debian packs the files anew, so the sums of the .gz files differ from the publisher's.
_FASHION_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


@register_images("fashion_mnist")
def load_fashion_mnist(size: Size | None = None) -> ImageSource:
    """70,000 grey images of clothes, 28x28 pixels in 10 classes, wherever Debian's package or the user put them."""
    own = Path(os.environ.get(DATA_DIR, "")).expanduser() / _FASHION
    places = [own] if os.environ.get(DATA_DIR) else []
    folder = next((place for place in (*places, _DEBIAN) if _files(place)), None)
    if folder is None:
        try:
            folder = find_file(f"{_FASHION}/train-images-idx3-ubyte.gz").parent
        except DataNotFoundError as error:
            raise DataNotFoundError(
                f"{error}\nOr install Debian's package dataset-fashion-mnist, which puts it at {_DEBIAN}; or, where "
                "torchvision has downloaded it, call load_images with the path of torchvision's folder."
            ) from error
    contents = _contents(folder)
    if not _is_fashion(contents):
        raise InvalidFileError(f"The files in {folder} are damaged: their content is not that of Fashion-MNIST.")
    return _source("fashion_mnist", folder, contents)


def read(path: Path, size: Size | None = None) -> ImageSource:
    """A folder with the four files, packed by gzip or not, or any folder above it: torchvision's, say."""
    folders = sorted({file.parent for file in path.rglob("train-images-idx3-ubyte*")})
    if len(folders) != 1:
        raise InvalidFileError(f"{path} has the idx files of {len(folders)} data sets: {', '.join(map(str, folders))}.")
    return _source(path.name, folders[0], _contents(folders[0]))


def _source(name: str, folder: Path, contents: dict[str, bytes]) -> ImageSource:
    arrays = {file: _parse(content, folder / file) for file, content in contents.items()}
    fashion = _is_fashion(contents)
    labels, class_names = number_labels(
        {part: arrays[files[1]] for part, files in _PARTS.items()}, _FASHION_CLASSES if fashion else None, str(folder)
    )
    pairs = {}
    for part, (file, _) in _PARTS.items():
        images = arrays[file]
        if images.ndim != 3 or len(images) != len(labels[part]):
            raise InvalidFileError(
                f"{folder / file} must hold {len(labels[part])} images of (h, w) pixels. Got shape {images.shape}."
            )
        pairs[part] = images[..., None], labels[part]
    return ImageSource(name, pairs, class_names, _fashion_info() if fashion else info_of_path(folder, pairs))


def _fashion_info() -> TableInfo:
    sums = "; ".join(f"{file} sha256:{digest} (unpacked)" for file, digest in _FASHION_SHA256.items())
    return replace(info_of([f"{_FASHION}/{file}.gz" for file in _FASHION_SHA256], ""), checksum=sums)


def _is_fashion(contents: dict[str, bytes]) -> bool:
    return all(sha256(contents[file]).hexdigest() == expected for file, expected in _FASHION_SHA256.items())


def _files(folder: Path) -> dict[str, Path]:
    """Each of the four files that the folder has, the unpacked one if both are there."""
    names = [file for files in _PARTS.values() for file in files]
    candidates = {name: (folder / name, folder / f"{name}.gz") for name in names}
    return {name: file for name, both in candidates.items() for file in reversed(both) if file.is_file()}


def _contents(folder: Path) -> dict[str, bytes]:
    files = _files(folder)
    missing = [file for pair in _PARTS.values() for file in pair if file not in files]
    if missing:
        raise InvalidFileError(f"{folder} lacks {', '.join(missing)}, with or without .gz.")
    contents = {}
    for name, path in files.items():
        try:
            contents[name] = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        except (EOFError, OSError, zlib.error) as error:
            raise InvalidFileError(f"{path} is damaged: {error}") from error
    return contents


def _parse(content: bytes, path: Path) -> NDArray[np.uint8]:
    """The array of an idx file of bytes: two zeros, type 8, the number of axes, big-endian lengths, the values."""
    n_axes = content[3] if content[:3] == b"\0\0\x08" and content[3:4] in (b"\1", b"\2", b"\3") else 0
    shape = tuple(int.from_bytes(content[4 * i : 4 * i + 4], "big") for i in range(1, n_axes + 1))
    expected = 4 + 4 * n_axes + math.prod(shape)
    if not n_axes or len(content) != expected:
        raise InvalidFileError(
            f"{path} is no whole idx file of bytes: it starts with {content[:4].hex(' ') or 'nothing'} and has "
            f"{len(content)} bytes{f', not {expected}' if n_axes else ''}."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * n_axes).reshape(shape)
