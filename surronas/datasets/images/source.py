"""What every reader hands over, and how it becomes ``ImageData``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from surronas.datasets.images.data import SPLITS, ImageArray, ImageData
from surronas.datasets.images.splits import mark_repeated, stratified_split
from surronas.datasets.table import TableInfo
from surronas.exceptions import InvalidFileError
from surronas.spaces.base import IntArray, RandomState

__all__ = ["ImageSource", "checksum_of", "info_of_path", "number_labels", "part_of"]

_PARTS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}


@dataclass(frozen=True)
class ImageSource:
    """Images as a source has them.

    Parameters
    ----------
    name : str
    parts : mapping of split to (images, labels)
        ``"train"`` and, where the source has them, ``"validation"`` and ``"test"``: (n, h, w, c) uint8, (n,) int64.
    class_names : tuple of str
    info : TableInfo
    """

    name: str
    parts: Mapping[str, tuple[ImageArray, IntArray]]
    class_names: tuple[str, ...]
    info: TableInfo

    def __post_init__(self) -> None:
        if "train" not in self.parts or not len(self.parts["train"][1]):
            raise InvalidFileError(f"{self.name} has no training images. Found: {', '.join(self.parts) or 'nothing'}.")
        shapes = {part: images.shape[1:] for part, (images, _) in self.parts.items()}
        if len(set(shapes.values())) > 1:
            raise InvalidFileError(
                f"{self.name} has images of different shapes: "
                f"{', '.join(f'{part} {shape}' for part, shape in shapes.items())}."
            )

    def to_data(self, validation_size: float, test_size: float, random_state: RandomState) -> ImageData:
        """With the splits that the source has, the others drawn from its training images; repeats left out."""
        parts = [part for part in SPLITS if part in self.parts]
        images = np.concatenate([self.parts[part][0] for part in parts])
        labels = np.concatenate([self.parts[part][1] for part in parts])
        part_of_row = np.repeat(parts, [len(self.parts[part][1]) for part in parts])

        order = np.concatenate([np.flatnonzero(part_of_row == part) for part in reversed(SPLITS)])
        is_repeated, n_other_label = mark_repeated(images, labels, order)
        dropped = is_repeated & (part_of_row != "test")
        if dropped.any():
            images, labels, part_of_row = images[~dropped], labels[~dropped], part_of_row[~dropped]
        rows = {part: np.flatnonzero(part_of_row == part) for part in parts}
        unseen = np.setdiff1d(labels, labels[rows["train"]])
        if unseen.size:
            raise InvalidFileError(
                f"{self.name} has images of the class {self.class_names[unseen[0]]!r}, but no training image of it "
                "that is not in another part."
            )

        rng = check_random_state(random_state)
        sizes = {"test": test_size, "validation": validation_size}  # test first: it is the same for any validation
        drawn = [split for split in sizes if split not in rows]
        for split in drawn:
            rows["train"], rows[split] = stratified_split(
                rows["train"], labels, sizes[split], rng, f"'{split}_size' parameter of load_images"
            )
        said = f"Split off the training images by seed, stratified by class: {', '.join(drawn)}. " if drawn else ""
        said += (
            f"{is_repeated.sum()} images of {len(dropped)} repeat another one's pixels, {n_other_label} of them with "
            f"another label; {dropped.sum()} are left out, so that none is in two splits or twice in training."
        )
        info = replace(self.info, notes=f"{self.info.notes} {said}".strip())
        return ImageData(self.name, images, labels, self.class_names, rows, info)


def part_of(word: str) -> str | None:
    """The split that this word of a file's or folder's name means, if any."""
    return next((part for part, words in _PARTS.items() if word.lower() in words), None)


def checksum_of(parts: Mapping[str, tuple[ImageArray, IntArray]]) -> str:
    """Of pixels and labels, whatever container they came in."""
    digest = sha256()
    for part in SPLITS:
        for array in parts.get(part, ()):
            digest.update(repr((part, array.shape)).encode())
            digest.update(np.ascontiguousarray(array).data)
    return f"sha256:{digest.hexdigest()} (pixels and labels)"


def info_of_path(path: Path, parts: Mapping[str, tuple[ImageArray, IntArray]], notes: str = "") -> TableInfo:
    """Provenance of a user's own images."""
    return TableInfo(str(path), "not stated", "not stated", checksum_of(parts), notes)


def number_labels(
    parts: Mapping[str, NDArray[Any]], class_names: Sequence[str] | None, of: str
) -> tuple[dict[str, IntArray], tuple[str, ...]]:
    """Labels 0, 1, ... of each part, and the names of the classes.

    Parameters
    ----------
    parts : mapping of split to (n,) ints or strs
        As the file has them: numbers into ``class_names`` where these are known, else whatever tells classes apart.
    class_names : sequence of str, optional
        By default the sorted labels themselves.
    of : str
        The file, for the error.
    """
    for part, labels in parts.items():
        if labels.ndim != 1 or labels.dtype.kind not in ("iu" if class_names else "iuU"):
            raise InvalidFileError(
                f"The {part} labels of {of} must be one int{'' if class_names else ' or str'} an image. "
                f"Got {labels.dtype} of shape {labels.shape}."
            )
        if class_names:
            outside = np.flatnonzero((labels < 0) | (labels >= len(class_names)))
            if outside.size:
                raise InvalidFileError(
                    f"The {part} labels of {of} must be from 0 to {len(class_names) - 1}, the number of a class. "
                    f"Row {outside[0]} has {labels[outside[0]]}."
                )
    if class_names:
        return {part: labels.astype(np.int64) for part, labels in parts.items()}, tuple(class_names)
    known = np.unique(np.concatenate(list(parts.values())))
    return {part: np.searchsorted(known, labels) for part, labels in parts.items()}, tuple(map(str, known))
