"""Images for supernets, proxies and few-shot episodes: ``load_images(name_or_path)`` gives ``ImageData``."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from surronas.datasets.images.checks import Size
from surronas.datasets.images.data import ImageData
from surronas.datasets.images.source import ImageSource
from surronas.datasets.images.tensors import Normalization
from surronas.exceptions import DataNotFoundError, InvalidInputError, UnknownNameError
from surronas.registry import Registry
from surronas.spaces.base import RandomState

__all__ = ["ImageData", "ImageSource", "Normalization", "list_images", "load_images", "register_images"]

_images: Registry[Callable[[Size | None], ImageSource]] = Registry("image", __name__)
register_images = _images.register
list_images = _images.names


def load_images(
    name_or_path: str | os.PathLike[str],
    *,
    size: Size | None = None,
    validation_size: float = 0.1,
    test_size: float = 0.2,
    random_state: RandomState = 0,
) -> ImageData:
    """Images by name, or the user's own by path.

    By name: ``"digits"`` (embedded), ``"fashion_mnist"``, ``"cifar10"``, ``"sign_digits"``. By path: a file or folder
    in Hugging Face's parquet layout, a folder with one folder a class (under ``train``, ``val`` and ``test``, if there
    are such), a folder of idx files such as torchvision's, or an ``.npz``.

    The source's own test and validation part stay what they are. What it lacks is split off its training images by
    seed, stratified by class: the test split first, so that it is the same for every ``validation_size``. No image is
    in two splits: of images with the same pixels one is kept, the test part's before any other; ``info.notes`` says how
    many were left out.

    Parameters
    ----------
    name_or_path : str or path-like
        A name comes first; for a folder called like one, write ``"./digits"``.
    size : int or (height, width), optional
        To resize all images to. Needed where a user's images differ in size.
    validation_size : int or float, default=0.1
        How many of the training images, or which share of them, make the validation split; 0 for none.
    test_size : int or float, default=0.2
        The same for the test split of a source without one.
    random_state : int, RandomState or None, default=0

    Returns
    -------
    ImageData

    Raises
    ------
    UnknownNameError
        When it is neither a name nor a path; the text offers the nearest name.
    DataNotFoundError
        When the files of a named data set, or the path, are not there.
    InvalidFileError
        When an image or file is damaged; the text names file and row.
    InvalidInputError
        When images differ in size and no ``size`` is given, or a split leaves a class without images.

    Examples
    --------
    >>> load_images("digits")
    ImageData(digits: 1797 grey images of 8x8 in 10 classes)
      train         1294 (125 to 131 a class)
      validation     144 (14 to 15 a class)
      test           359 (35 to 37 a class)
      classes     0, 1, 2, 3, 4, 5, 6, 7, 8, 9
    """
    if not isinstance(name_or_path, (str, os.PathLike)):
        raise InvalidInputError(
            f"The 'name_or_path' parameter of load_images must be a str or a path. Got {name_or_path!r} instead."
        )
    read = _images.get(str(name_or_path)) if name_or_path in list_images() else _reader(name_or_path)
    data = read(size).to_data(validation_size, test_size, random_state)
    return data if size is None else data.resize(size)


def _reader(name_or_path: str | os.PathLike[str]) -> Callable[[Size | None], ImageSource]:
    """What reads a path of this form."""
    path = Path(name_or_path).expanduser()
    if not path.exists():
        if path.name == name_or_path and not path.suffix:
            raise UnknownNameError(
                f"{UnknownNameError.of('image data set', name_or_path, list_images())} "
                "Or give the path of a folder, a .parquet or an .npz file."
            )
        raise DataNotFoundError(f"There is no file or folder {path}.")
    from surronas.datasets.images import folder, idx, npz, parquet  # they import this module

    if path.is_dir():
        of_folder = {"*.parquet": parquet.read, "train-images-idx3-ubyte*": idx.read}
        return partial(next((of_folder[name] for name in of_folder if any(path.rglob(name))), folder.read), path)
    of_file = {".npz": npz.read, ".parquet": parquet.read}
    if path.suffix not in of_file:
        raise InvalidInputError(
            f"The 'name_or_path' parameter of load_images must be a folder, a .parquet or an .npz file. Got {path}."
        )
    return partial(of_file[path.suffix], path)
