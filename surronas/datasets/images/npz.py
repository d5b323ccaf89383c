"""Images and labels in a numpy archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from surronas.datasets.images.checks import Size
from surronas.datasets.images.data import ImageArray
from surronas.datasets.images.source import ImageSource, info_of_path, number_labels, part_of
from surronas.exceptions import InvalidFileError

_IMAGES, _LABELS = ("x", "images"), ("y", "labels")


def read(path: Path, size: Size | None = None) -> ImageSource:
    """Arrays ``x`` and ``y``, or ``images`` and ``labels``; with ``train``, ``val`` or ``test`` before or after.

    ``x_train`` as Keras has it, ``train_images`` as MedMNIST has it. Images are (n, h, w) or (n, h, w, c) of ints from
    0 to 255; labels (n,) or (n, 1). Names of classes may stand in ``class_names``. Pickled objects are refused.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:  # what a damaged archive raises depends on where the damage is
        raise InvalidFileError(f"{path} is not a numpy archive of plain arrays: {error}") from error
    names = arrays.pop("class_names", None)
    found: dict[tuple[str, str], NDArray[np.generic]] = {}
    for key, array in arrays.items():
        words = key.lower().split("_")
        kind = "images" if {*words} & {*_IMAGES} else "labels" if {*words} & {*_LABELS} else None
        rest = [word for word in words if word not in (*_IMAGES, *_LABELS)]
        part = part_of(rest[0]) if rest else "train"
        if kind is not None and part is not None and len(rest) < 2:
            found[part, kind] = array
    parts = {part for part, _ in found}
    if len(found) < 2 * len(parts) or not parts:
        raise InvalidFileError(
            f"{path} must have arrays x and y, or images and labels, or such a pair for each of train, val, test "
            f"(x_train, y_train, ...). Got {', '.join(arrays) or 'nothing'}."
        )
    labels, class_names = number_labels(
        {part: _flat(found[part, "labels"]) for part in sorted(parts)},
        None if names is None else [str(name) for name in np.atleast_1d(names).ravel()],
        str(path),
    )
    images = {
        part: _pixels(found[part, "images"], len(labels[part]), f"the {part} images of {path}") for part in labels
    }
    pairs = {part: (images[part], labels[part]) for part in labels}
    return ImageSource(path.stem, pairs, class_names, info_of_path(path, pairs))


def _flat(labels: NDArray[np.generic]) -> NDArray[np.generic]:
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


def _pixels(images: NDArray[np.generic], n: int, what: str) -> ImageArray:
    images = images[..., None] if images.ndim == 3 else images
    within = images.dtype.kind in "iu" and (images.size == 0 or (images.min() >= 0 and images.max() <= 255))
    if not within or images.ndim != 4 or len(images) != n or images.shape[3] not in (1, 3):
        raise InvalidFileError(
            f"{what[0].upper()}{what[1:]} must be {n} arrays of (h, w), (h, w, 1) or (h, w, 3) ints from 0 to 255. "
            f"Got {images.dtype} of shape {images.shape}."
        )
    return images.astype(np.uint8)
