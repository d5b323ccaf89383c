"""What makes tasks of the same classes differ: one change, the same to every image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import RandomState

from surronas.datasets.images import ImageData
from surronas.exceptions import InvalidInputError

__all__ = ["Variation"]

_ORDERS = ("rgb", "gbr", "brg", "grey")


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
    """

    resolution: int | None = None
    turns: int = 0
    colours: str = "rgb"
    invert: bool = False
    noise: int = 0

    def __post_init__(self) -> None:
        if self.colours not in _ORDERS or self.turns not in range(4) or self.noise < 0:
            raise InvalidInputError(
                f"A Variation has 'colours' of {', '.join(_ORDERS)}, 'turns' from 0 to 3 and no negative 'noise'. "
                f"Got {self}."
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

    def apply(self, images: ImageData, rng: RandomState) -> ImageData:
        """The changed images; labels and splits stay. ``rng`` is used for noise only."""
        if self.resolution is not None:
            images = images.resize(self.resolution).resize(images.images.shape[1:3])
        pixels = np.rot90(images.images, self.turns, axes=(1, 2))
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
            f"resolution {self.resolution}": self.resolution is not None,
            f"turned by {90 * self.turns} degrees": self.turns,
            "grey" if self.colours == "grey" else f"channels {self.colours}": self.colours != "rgb",
            "inverted": self.invert,
            f"noise {self.noise}": self.noise,
        }
        return [word for word, is_so in said.items() if is_so]
