"""From encoded images (JPEG, PNG, ...) to one array."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np

from surronas.datasets.images.checks import Size, check_size
from surronas.datasets.images.data import ImageArray
from surronas.exceptions import InvalidFileError, InvalidInputError

__all__ = ["decode_images"]

# Below this size an image's header costs more than its pixels, and Python threads only stand in each other's way:
# CIFAR-10's 50,000 files of 300 bytes take longer with two threads than with one.
_WORTH_A_THREAD = 8192


def decode_images(
    parts: Mapping[str, tuple[Sequence[str], Sequence[bytes | Path]]], size: Size | None, of: str
) -> dict[str, ImageArray]:
    """One array a part.

    Parameters
    ----------
    parts : mapping of split to (what to call each image in an error, encoded bytes or the path of each)
    size : int or (height, width), optional
        What to scale each image to while it is read; without it all must have one size.
    of : str
        The file or folder, for errors.

    Returns
    -------
    mapping of split to (n, h, w, c) uint8
        Grey if every image is grey, else RGB. Transparency is dropped; a camera's orientation is applied.

    Raises
    ------
    InvalidFileError
        When there is no image, or one cannot be decoded; the text names it.
    InvalidInputError
        When sizes differ and no ``size`` is given.
    """
    shape = None if size is None else check_size(size)
    names = [name for part_names, _ in parts.values() for name in part_names]
    encoded = [item for _, items in parts.values() for item in items]
    if not encoded:
        raise InvalidFileError(f"{of} holds no images.")
    large = any(_bytes_of(item) > _WORTH_A_THREAD for item in encoded[:16])
    with ThreadPoolExecutor(os.cpu_count() if large else 1) as pool:
        read = pool.map if large else map
        decoded = list(read(lambda name, item: _decode(name, item, shape), names, encoded))
    for name, image in zip(names, decoded, strict=True):
        if image.shape[:2] != decoded[0].shape[:2]:
            (h0, w0), (h, w) = decoded[0].shape[:2], image.shape[:2]
            raise InvalidInputError(
                f"The images of {of} differ in size: {names[0]} has {h0}x{w0} pixels, {name} {h}x{w}. "
                "Give the 'size' to load them in."
            )
    channels = max(image.shape[2] for image in decoded)
    images, left = {}, iter(decoded)
    for part, (_, items) in parts.items():
        array = np.empty((len(items), *decoded[0].shape[:2], channels), dtype=np.uint8)
        for row, image in enumerate(islice(left, len(items))):
            array[row] = image  # grey among RGB: the one channel is repeated
        images[part] = array
    return images


def _decode(name: str, item: bytes | Path, shape: tuple[int, int] | None) -> ImageArray:
    from PIL import Image, ImageOps

    try:
        with Image.open(BytesIO(item) if isinstance(item, bytes) else item) as opened:
            image = ImageOps.exif_transpose(opened) if "exif" in opened.info else opened
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"pixels of mode {image.mode!r}, more than 8 bits each")
            if "transparency" in image.info:
                image = image.convert("RGBA")
            mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
            if image.mode != mode:
                image = image.convert(mode)
            if shape is not None and image.size != shape[::-1]:
                image = image.resize(shape[::-1], Image.Resampling.BILINEAR)
            return np.asarray(image).reshape(image.height, image.width, len(image.getbands()))
    except Exception as error:  # a codec may fail in any way
        raise InvalidFileError(f"The image {name} cannot be decoded: {type(error).__name__}: {error}") from error


def _bytes_of(item: bytes | Path) -> int:
    return len(item) if isinstance(item, bytes) else item.stat().st_size
