"""Images in the form that supernets take."""

from __future__ import annotations

from surronas.datasets.images import ImageData
from surronas.exceptions import InvalidInputError
from surronas.spaces.mbconv import MBConv

__all__ = ["prepare_images"]


def prepare_images(images: ImageData, space: MBConv) -> ImageData:
    """RGB images of the space's largest resolution: grey ones get three equal channels, and what is smaller or larger
    is resized.

    Raises
    ------
    InvalidInputError
        When the images are not square: resizing would distort them, which is the user's to decide.

    Examples
    --------
    >>> from surronas.datasets.images import load_images
    >>> prepare_images(load_images("digits"), MBConv()).images.shape
    (1797, 32, 32, 3)
    """
    _, height, width, _ = images.images.shape
    if height != width:
        raise InvalidInputError(
            f"The 'images' of a supernet must be square. Got {height}x{width} pixels; load_images(..., size=...), or "
            f"images.resize({min(height, width)}), makes them so."
        )
    return images.resize(max(space.resolutions)).to_rgb()
