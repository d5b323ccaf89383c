"""A folder with one folder a class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from surronas.datasets.images.checks import Size
from surronas.datasets.images.decode import decode_images
from surronas.datasets.images.source import ImageSource, info_of_path, number_labels, part_of
from surronas.exceptions import InvalidFileError

_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


def read(path: Path, size: Size | None = None) -> ImageSource:
    """``path/<class>/**/*.png``, or ``path/<train, val or test>/<class>/**/*.png``; any common suffix."""
    below = _folders(path)
    parts = {part_of(folder.name) or "": folder for folder in below}
    if not below or "" in parts or len(parts) < len(below):
        parts = {"train": path}
    files = {part: _files(folder) for part, folder in parts.items()}
    labels, class_names = number_labels(
        {part: np.array([name for name, _ in listed]) for part, listed in files.items()}, None, str(path)
    )
    encoded = {
        part: ([str(file) for _, file in listed], [file for _, file in listed]) for part, listed in files.items()
    }
    images = decode_images(encoded, size, str(path))
    pairs = {part: (images[part], labels[part]) for part in files}
    return ImageSource(path.name, pairs, class_names, info_of_path(path, pairs))


def _folders(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Class name and path of each image below, in the order of the paths."""
    listed = []
    for class_folder in _folders(folder):
        files = sorted(file for file in class_folder.rglob("*") if file.suffix.lower() in _SUFFIXES and file.is_file())
        if not files:
            raise InvalidFileError(f"The class folder {class_folder} has no image ({', '.join(sorted(_SUFFIXES))}).")
        listed += [(class_folder.name, file) for file in files]
    if not listed:
        raise InvalidFileError(
            f"{folder} holds no images: expected parquet files, idx files, or one folder a class with images "
            f"({', '.join(sorted(_SUFFIXES))})."
        )
    return listed
