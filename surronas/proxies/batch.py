"""The images that networks are scored on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from surronas.exceptions import InvalidInputError

if TYPE_CHECKING:
    from surronas.datasets.images.data import ImageData

__all__ = ["Batch", "batch_of"]

_NOISE_SHAPE, _NOISE_CLASSES = (3, 32, 32), 10


@dataclass(frozen=True, eq=False)
class Batch:
    """Images as networks take them, with labels.

    Parameters
    ----------
    images : (n, c, h, w) float32, n >= 2
    labels : (n,) int64
    n_classes : int
    source : str
        In words.

    Raises
    ------
    InvalidInputError
    """

    images: NDArray[np.float32] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    n_classes: int
    source: str

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        if images.dtype != np.float32 or images.ndim != 4 or len(images) < 2 or not np.isfinite(images).all():
            raise InvalidInputError(
                "The 'images' must be at least two normalised images, finite floats of shape (n, c, h, w). "
                f"Got {images.dtype} of shape {images.shape}."
            )
        if labels.dtype != np.int64 or labels.shape != images.shape[:1]:
            raise InvalidInputError(
                f"The labels of 'images' must be {len(images)} ints, one an image. "
                f"Got {labels.dtype} of shape {labels.shape}."
            )
        outside = np.flatnonzero((labels < 0) | (labels >= self.n_classes))
        if outside.size:
            raise InvalidInputError(
                f"The labels of 'images' must be from 0 to {self.n_classes - 1}. "
                f"Got {labels[outside[0]]} in row {outside[0]}."
            )

    @cached_property
    def info(self) -> dict[str, Any]:
        """What it is, JSON-able, with the sha256 of its bytes."""
        return {
            "source": self.source,
            "shape": list(self.images.shape),
            "n_classes": self.n_classes,
            "sha256": hashlib.sha256(self.images.tobytes() + self.labels.tobytes()).hexdigest(),
        }

    @property
    def network_options(self) -> dict[str, int]:
        """What a space is asked to build networks for.

        Raises
        ------
        InvalidInputError
            When the images are not square.
        """
        _, channels, height, width = self.images.shape
        if height != width:
            raise InvalidInputError(
                f"The 'images' must be square for the networks of a search space. Got {height}x{width}."
            )
        return {"num_classes": self.n_classes, "in_channels": channels, "resolution": height}


def batch_of(images: Any, batch_size: int, random_state: int) -> Batch:
    """The batch that the ``images`` parameter of ``score`` means."""
    if isinstance(images, Batch):
        return images
    if images is None:
        rng = np.random.default_rng(random_state)
        noise = rng.standard_normal((batch_size, *_NOISE_SHAPE), dtype=np.float32)
        labels = rng.integers(_NOISE_CLASSES, size=batch_size)
        return Batch(noise, labels, _NOISE_CLASSES, "standard normal noise with random labels")
    from surronas.datasets.images.data import ImageData  # not before: noise needs no data sets

    if isinstance(images, ImageData):
        return _drawn(images, batch_size, random_state)
    if not isinstance(images, (tuple, list)) or len(images) != 2:
        raise InvalidInputError(
            "The 'images' parameter must be ImageData, a pair (images, labels), or None for noise. "
            f"Got a {type(images).__name__} instead."
        )
    pixels, labels = (np.asarray(part) for part in images)
    if pixels.dtype.kind == "f":
        pixels = np.ascontiguousarray(pixels, dtype=np.float32)
    if labels.dtype.kind in "iu":
        labels = labels.astype(np.int64)
    return Batch(pixels, labels, int(labels.max(initial=0)) + 1 if labels.dtype == np.int64 else 0, "given")


def _drawn(images: ImageData, size: int, random_state: int) -> Batch:
    """Training images, stratified by class, normalised as for training.

    Shuffled, since some proxies read the first images only, and files may hold one class after the other.
    """
    from surronas.datasets.images.splits import stratified_draw
    from surronas.datasets.images.tensors import to_tensors

    rng = check_random_state(random_state)
    rows = rng.permutation(stratified_draw(images.indices["train"], images.labels, size, rng, "'batch_size' parameter"))
    pixels, labels = to_tensors(images.images[rows], images.labels[rows], images.normalization)
    source = f"training images of {images.name}, drawn by seed {random_state}"
    return Batch(pixels.numpy(), labels.numpy(), images.n_classes, source)
