"""scikit-learn's digits: embedded, no download."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np

from surronas.datasets.images import register_images
from surronas.datasets.images.checks import Size
from surronas.datasets.images.source import ImageSource, checksum_of
from surronas.datasets.table import TableInfo


@register_images("digits")
def load(size: Size | None = None) -> ImageSource:
    """1,797 handwritten digits of 8x8 pixels: the test part of UCI's, which scikit-learn carries."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., None]
    parts = {"train": (pixels, digits.target.astype(np.int64))}
    info = TableInfo(
        source=f"scikit-learn {version('scikit-learn')}, sklearn.datasets.load_digits",
        licence="CC-BY-4.0 (UCI Machine Learning Repository)",
        citation="Alpaydin and Kaynak, Optical recognition of handwritten digits, UCI repository, 1998",
        checksum=checksum_of(parts),
        notes="Pixels from 0 to 16 in the source, scaled to 0 to 255.",
    )
    return ImageSource("digits", parts, tuple(map(str, digits.target_names)), info)
