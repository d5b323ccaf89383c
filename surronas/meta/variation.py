"""What makes tasks of the same classes differ: one change, the same to every image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from surronas.datasets.images import ImageData
from surronas.exceptions import InvalidInputError

__all__ = ["Variation"]

_ORDERS = ("rgb", "gbr", "brg", "grey")
_TONES = ("full", "binary", "edges")


@dataclass(frozen=True)
class Variation:
    """Changes of images, applied in the order of the parameters.

    Parameters
    ----------
    resolution : int, optional
        Side in pixels that images are brought to, and back from: what is finer is lost.
    turns : int, default=0
        Quarter turns against the clock, 0 to 3.
    colours : {"rgb", "gbr", "brg", "grey"}, default="rgb"
        Which channels become red, green and blue; or the mean of all for each.
    invert : bool, default=False
        Light becomes dark.
    noise : int, default=0
        Standard deviation of what is added to each pixel, of 255.
    zoom : float, default=1.0
        Below 1 the whole image, so much smaller, on black; above 1 its middle, so much larger. The first change.
    tone : {"full", "binary", "edges"}, default="full"
        What there is of light: all; white where a pixel is lighter than the image's mean, else black; or the
        differences of neighbours, the greatest of an image white. Follows the turns.
    """

    resolution: int | None = None
    turns: int = 0
    colours: str = "rgb"
    invert: bool = False
    noise: int = 0
    zoom: float = 1.0
    tone: str = "full"

    def __post_init__(self) -> None:
        known = self.colours in _ORDERS and self.tone in _TONES
        if not known or self.turns not in range(4) or self.noise < 0 or not 0.25 <= self.zoom <= 4:
            raise InvalidInputError(
                f"A Variation has 'colours' of {', '.join(_ORDERS)}, a 'tone' of {', '.join(_TONES)}, 'turns' from 0 "
                f"to 3, no negative 'noise' and a 'zoom' from 0.25 to 4. Got {self}."
            )

    @classmethod
    def draw(cls, rng: RandomState) -> Variation:
        """Coarse or noisy images more often than clear ones, which all architectures classify alike where classes are
        easy; one draw in about fifty changes nothing."""
        resolution = (None, None, 16, 12, 8)[rng.randint(5)]
        turns = (0, 0, 0, 1, 2, 3)[rng.randint(6)]
        colours = ("rgb", "rgb", "grey", "gbr", "brg")[rng.randint(5)]
        invert = bool(rng.rand() < 0.3)
        noise = (0, 0, 20, 40, 60)[rng.randint(5)]
        return cls(resolution, turns, colours, invert, noise)

    @classmethod
    def draw_wide(cls, rng: RandomState) -> Variation:
        """As ``draw``, and a third of them zoomed, a third in black and white or edges alone: unlike any photograph,
        as images may be for which a supernet was not trained."""
        drawn = cls.draw(rng)
        zoom = (1.0, 1.0, 1.0, 1.0, 0.5, 1.5)[rng.randint(6)]
        tone = ("full", "full", "full", "full", "binary", "edges")[rng.randint(6)]
        return replace(drawn, zoom=zoom, tone=tone)

    def apply(self, images: ImageData, rng: RandomState) -> ImageData:
        """The changed images; labels and splits stay. ``rng`` is used for noise only."""
        if self.zoom != 1:
            images = _zoomed(images, self.zoom)
        if self.resolution is not None:
            images = images.resize(self.resolution).resize(images.images.shape[1:3])
        pixels = np.rot90(images.images, self.turns, axes=(1, 2))
        if self.tone != "full":
            pixels = _toned(pixels, self.tone)
        if self.colours == "grey":
            grey = np.rint(pixels.mean(axis=3, keepdims=True)).astype(np.uint8)
            pixels = np.broadcast_to(grey, pixels.shape)
        else:
            pixels = pixels[..., ["rgb".index(channel) for channel in self.colours]]
        if self.invert:
            pixels = 255 - pixels
        if self.noise:
            noisy = pixels + self.noise * rng.standard_normal(pixels.shape)
            pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        return replace(images, images=np.ascontiguousarray(pixels))

    def words(self) -> list[str]:
        """What is changed; empty where nothing is."""
        said = {
            f"zoomed {self.zoom:g} times": self.zoom != 1,
            f"resolution {self.resolution}": self.resolution is not None,
            f"turned by {90 * self.turns} degrees": self.turns,
            "grey" if self.colours == "grey" else f"channels {self.colours}": self.colours != "rgb",
            {"binary": "black and white", "edges": "edges"}.get(self.tone, ""): self.tone != "full",
            "inverted": self.invert,
            f"noise {self.noise}": self.noise,
        }
        return [word for word, is_so in said.items() if is_so]


def _zoomed(images: ImageData, zoom: float) -> ImageData:
    height, width = images.images.shape[1:3]
    if zoom > 1:
        high, wide = round(height / zoom), round(width / zoom)
        top, left = (height - high) // 2, (width - wide) // 2
        middle = images.images[:, top : top + high, left : left + wide]
        return replace(images, images=np.ascontiguousarray(middle)).resize((height, width))
    small = images.resize((round(zoom * height), round(zoom * width))).images
    top, left = (height - small.shape[1]) // 2, (width - small.shape[2]) // 2
    around = ((0, 0), (top, height - small.shape[1] - top), (left, width - small.shape[2] - left), (0, 0))
    return replace(images, images=np.pad(small, around))


def _toned(pixels: NDArray[np.uint8], tone: str) -> NDArray[np.uint8]:
    """(n, h, w, 3) -> the same shape, three equal channels."""
    light = pixels.sum(axis=3, dtype=np.int64)
    if tone == "binary":
        shown = 255 * (light * light[0].size > light.sum(axis=(1, 2), keepdims=True))
    else:
        down = np.abs(np.diff(light, axis=1, append=light[:, -1:]))
        across = np.abs(np.diff(light, axis=2, append=light[:, :, -1:]))
        shown = down + across
        shown = 255 * shown // np.maximum(shown.max(axis=(1, 2), keepdims=True), 1)
    return np.repeat(shown.astype(np.uint8)[..., None], 3, axis=3)
