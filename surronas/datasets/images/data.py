"""Images of classes in three fixed splits: what supernets are trained on, proxies computed on, episodes drawn from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from surronas.datasets.images.checks import Size, check_int, check_size
from surronas.datasets.images.splits import stratified_draw
from surronas.datasets.images.tensors import Normalization, normalization_of, to_tensors
from surronas.datasets.table import TableInfo
from surronas.exceptions import InvalidInputError, UnknownNameError
from surronas.spaces.base import IntArray, RandomState

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SPLITS", "ImageArray", "ImageData"]

ImageArray = NDArray[np.uint8]

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False, repr=False)
class ImageData:
    """Labelled images of one size in training, validation and test split.

    Nothing changes in place: every method returns a new ``ImageData``, which shares arrays where it can.
    To transform pixels in a way of one's own: ``dataclasses.replace(data, images=...)``.

    Parameters
    ----------
    name : str
    images : (n, h, w, c) uint8
        Grey (c = 1) or RGB (c = 3).
    labels : (n,) int64
        Numbers of classes, 0 to ``n_classes - 1``.
    class_names : tuple of str
    indices : mapping of split to (n_split,) int64
        Rows of ``"train"``, ``"validation"`` and ``"test"``; no row is in two of them.
    info : TableInfo
        Source, licence, citation, checksum and, as notes, how the splits were made.

    Raises
    ------
    InvalidInputError
        When the parts do not fit together.
    """

    name: str
    images: ImageArray
    labels: IntArray
    class_names: tuple[str, ...]
    indices: Mapping[str, IntArray]
    info: TableInfo

    def __post_init__(self) -> None:
        images, labels = np.asarray(self.images), np.asarray(self.labels)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3) or 0 in images.shape[1:]:
            raise InvalidInputError(
                "The 'images' of ImageData must be a uint8 array of shape (n, h, w, 1) or (n, h, w, 3). "
                f"Got {images.dtype} of shape {images.shape}."
            )
        if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
            raise InvalidInputError(
                f"The 'labels' of ImageData must be {len(images)} ints, one an image. "
                f"Got {labels.dtype} of shape {labels.shape}."
            )
        outside = np.flatnonzero((labels < 0) | (labels >= self.n_classes))
        if outside.size:
            raise InvalidInputError(
                f"The 'labels' of ImageData must be from 0 to {self.n_classes - 1}, the number of a class. "
                f"Got {labels[outside[0]]} in row {outside[0]}."
            )
        indices = {split: np.asarray(self.indices.get(split, ()), dtype=np.int64) for split in SPLITS}
        rows = np.concatenate(list(indices.values()))
        outside = np.flatnonzero((rows < 0) | (rows >= len(images)))
        if set(self.indices) - set(SPLITS) or outside.size or len(np.unique(rows)) < len(rows):
            raise InvalidInputError(
                f"The 'indices' of ImageData must give the rows of {', '.join(SPLITS)}, no row twice, "
                f"from 0 to {len(images) - 1}."
            )
        object.__setattr__(self, "images", _read_only(images))
        object.__setattr__(self, "labels", _read_only(labels.astype(np.int64, copy=False)))
        object.__setattr__(self, "indices", {split: _read_only(rows) for split, rows in indices.items()})

    @property
    def n_classes(self) -> int:
        return len(self.class_names)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        _, height, width, channels = self.images.shape
        kind = "RGB" if channels == 3 else "grey"
        lines = [f"ImageData({self.name}: {len(self)} {kind} images of {height}x{width} in {self.n_classes} classes)"]
        for split, rows in self.indices.items():
            counts = np.bincount(self.labels[rows], minlength=self.n_classes)
            each = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
            lines.append(f"  {split:<10}  {len(rows):>6} ({each} a class)")
        shown = ", ".join(self.class_names[:10]) + (", ..." if self.n_classes > 10 else "")
        return "\n".join([*lines, f"  classes     {shown}"])

    def split(self, name: str) -> tuple[ImageArray, IntArray]:
        """Images (n, h, w, c) and labels (n,) of ``"train"``, ``"validation"`` or ``"test"``, as the caller's own.

        Raises
        ------
        UnknownNameError
        """
        rows = self._rows(name)
        return self.images[rows], self.labels[rows]

    def subset(
        self,
        classes: Sequence[int | str] | None = None,
        sizes: Mapping[str, int] | None = None,
        random_state: RandomState = 0,
    ) -> ImageData:
        """Only some classes, only some images.

        Parameters
        ----------
        classes : sequence of class numbers or names, optional
            At least two; relabelled 0, 1, ... in this order. All by default.
        sizes : mapping of split to int, optional
            How many images of a split to draw, stratified by class; a split that is not named stays whole.
        random_state : int, RandomState or None, default=0

        Examples
        --------
        >>> from surronas.datasets.images import load_images
        >>> digits = load_images("digits").subset(classes=[3, 8], sizes={"train": 100})
        >>> digits.class_names, len(digits.indices["train"])
        (('3', '8'), 100)
        """
        if sizes is not None and not isinstance(sizes, Mapping):
            raise InvalidInputError(
                f"The 'sizes' parameter of subset must be a mapping of split to int. Got {sizes!r} instead."
            )
        chosen = self._class_numbers(classes)
        rng = check_random_state(random_state)
        rows = {name: indices[np.isin(self.labels[indices], chosen)] for name, indices in self.indices.items()}
        for name, size in (sizes or {}).items():
            self._rows(name)
            rows[name] = stratified_draw(rows[name], self.labels, size, rng, f"'sizes' parameter of subset for {name}")
        return self._take(rows, chosen)

    def episode(self, n_way: int, n_shot: int, n_query: int, random_state: RandomState = 0) -> ImageData:
        """A few-shot task: some classes, drawn, with few images of each.

        Support set and queries never share an image: the support set comes from the training split and is the
        episode's training split; the queries come from the validation and from the test split, and stay there.

        Parameters
        ----------
        n_way : int
            Classes, at least 2.
        n_shot : int
            Training images a class.
        n_query : int
            Validation images a class, and as many test images a class.
        random_state : int, RandomState or None, default=0

        Raises
        ------
        InvalidInputError
            When a class drawn has too few images; the text names class and split.
        """
        check_int("n_way", n_way, 2, self.n_classes)
        check_int("n_shot", n_shot, 1, None)
        check_int("n_query", n_query, 1, None)
        rng = check_random_state(random_state)
        chosen = rng.permutation(self.n_classes)[:n_way]
        rows = {}
        for name, indices in self.indices.items():
            n = n_shot if name == "train" else n_query
            of_class = [indices[self.labels[indices] == number] for number in chosen]
            for number, candidates in zip(chosen, of_class, strict=True):
                if len(candidates) < n:
                    raise InvalidInputError(
                        f"The class {self.class_names[number]!r} of {self.name} has {len(candidates)} {name} images; "
                        f"the episode needs {n}."
                    )
            rows[name] = np.concatenate([rng.permutation(candidates)[:n] for candidates in of_class])
        return self._take(rows, chosen)

    def resize(self, size: Size) -> ImageData:
        """All images at another size, by PIL's bilinear filter (antialiased: downscaling averages, nothing flickers).

        Parameters
        ----------
        size : int or (height, width)
            Both sides, in pixels. The aspect ratio is not kept unless the sizes keep it.
        """
        shape = check_size(size)
        if shape == self.images.shape[1:3]:
            return self
        from torch import from_numpy
        from torch.nn.functional import interpolate

        channels_first = from_numpy(self.images.copy()).permute(0, 3, 1, 2)  # uint8: torch's rounds as PIL's does
        resized = interpolate(channels_first, size=shape, mode="bilinear", antialias=True)
        return replace(self, images=resized.permute(0, 2, 3, 1).contiguous().numpy())

    def to_rgb(self) -> ImageData:
        """Grey images with three equal channels, which share one array's memory; RGB images stay."""
        return replace(self, images=np.broadcast_to(self.images, (*self.images.shape[:3], 3)))

    @cached_property
    def normalization(self) -> Normalization:
        """Mean and standard deviation of the *training* images' pixels, channel by channel, for pixels 0 to 1.

        The deviation is that of the population; a channel of one value only has deviation 1.
        """
        if not len(self.indices["train"]):
            raise InvalidInputError(f"{self.name} has no training image to normalise by.")
        return normalization_of(self.images, self.indices["train"])

    def tensors(self, split: str, normalization: Normalization | None = None) -> tuple[Tensor, Tensor]:
        """A split as two torch tensors.

        Parameters
        ----------
        split : {"train", "validation", "test"}
        normalization : Normalization, optional
            Another data's, say that of the images a network was trained on. This data's own by default.

        Returns
        -------
        images : (n, c, h, w) float32, contiguous: (pixel / 255 - mean) / std
        labels : (n,) int64
        """
        return to_tensors(*self.split(split), normalization or self.normalization)

    def batches(
        self,
        split: str,
        batch_size: int,
        random_state: RandomState = None,
        normalization: Normalization | None = None,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """One pass over a split, ``batch_size`` images at a time; the last batch may be smaller.

        Parameters
        ----------
        split : {"train", "validation", "test"}
        batch_size : int
        random_state : int, RandomState or None, default=None
            What shuffles the images; None keeps their order.
        normalization : Normalization, optional
            As for ``tensors``.

        Yields
        ------
        images, labels
            As ``tensors`` returns them.
        """
        check_int("batch_size", batch_size, 1, None)
        rows = self._rows(split)
        if random_state is not None:
            rows = check_random_state(random_state).permutation(rows)
        chosen = normalization or self.normalization
        parts = (rows[start : start + batch_size] for start in range(0, len(rows), batch_size))
        return (to_tensors(self.images[part], self.labels[part], chosen) for part in parts)

    def _rows(self, split: str) -> IntArray:
        if split not in SPLITS:
            raise UnknownNameError.of("split", split, SPLITS)
        return self.indices[split]

    def _class_numbers(self, classes: Sequence[int | str] | None) -> IntArray:
        if classes is None:
            return np.arange(self.n_classes)
        numbers = []
        several = isinstance(classes, (Sequence, np.ndarray)) and not isinstance(classes, str)
        for given in classes if several else ():
            if isinstance(given, str):
                if given not in self.class_names:
                    raise UnknownNameError.of(f"class of {self.name}", given, self.class_names)
                numbers.append(self.class_names.index(given))
            else:
                check_int("classes", given, 0, self.n_classes - 1)
                numbers.append(int(given))
        if len(numbers) < 2 or len(set(numbers)) < len(numbers):
            raise InvalidInputError(
                f"The 'classes' parameter of subset must be two or more different classes. Got {classes!r} instead."
            )
        return np.asarray(numbers, dtype=np.int64)

    def _take(self, rows: Mapping[str, IntArray], classes: IntArray) -> ImageData:
        """The data of these rows and classes, classes renumbered in their order."""
        ends = np.cumsum([len(rows[split]) for split in SPLITS])
        taken = np.concatenate([rows[split] for split in SPLITS])
        renumbered = np.full(self.n_classes, -1)
        renumbered[classes] = np.arange(len(classes))
        return replace(
            self,
            images=self.images[taken],
            labels=renumbered[self.labels[taken]],
            class_names=tuple(self.class_names[number] for number in classes),
            indices=dict(zip(SPLITS, np.split(np.arange(len(taken)), ends[:-1]), strict=True)),
        )


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
