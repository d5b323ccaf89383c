"""Tasks for meta-learning: some classes, images that are changed alike, all drawn by a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np

from surronas.datasets.images import ImageData, load_images
from surronas.datasets.images.data import SPLITS
from surronas.exceptions import InvalidInputError, UnknownNameError
from surronas.meta.variation import Variation
from surronas.spaces.base import IntArray

__all__ = ["POOLS", "SIDE", "Task", "draw_classes", "draw_task", "draw_view"]

SIDE = 32
"""Of every task's images, in pixels."""

_TEN = tuple(map(str, range(10)))

POOLS: dict[str, dict[str, tuple[str, ...]]] = {
    "train": {
        "cifar10": ("airplane", "bird", "deer", "dog", "horse", "truck"),
        "fashion_mnist": ("T-shirt/top", "Trouser", "Dress", "Coat", "Sandal", "Ankle boot"),
    },
    "cifar10": {"cifar10": ("automobile", "cat", "frog", "ship")},
    "fashion_mnist": {"fashion_mnist": ("Pullover", "Shirt", "Sneaker", "Bag")},
    "digits": {"digits": _TEN},
    "sign_digits": {"sign_digits": _TEN},
}
"""Which classes of which images tasks are drawn from: ``"train"`` for meta-training, the others for meta-testing only.
No class is in two pools."""

# The splits of the small sets: enough images in each to tell architectures apart.
_SPLIT: dict[str, dict[str, float]] = {
    "digits": {"validation_size": 0.4, "test_size": 0.4},
    "sign_digits": {"validation_size": 0.4},
}


@dataclass(frozen=True)
class Task:
    """A classification task: these classes, changed in this way, so many images.

    Parameters
    ----------
    classes : mapping of image set to tuple of str
        Names of at least two classes of each set.
    variation : Variation
        What is done to each image.
    n_train, n_validation, n_test : int
        How many images of each split, stratified by class; fewer where there are not so many.
    seed : int
        Of the images drawn.

    Examples
    --------
    >>> task = Task({"digits": ("3", "8")}, Variation(invert=True), n_train=60, n_validation=40, n_test=0, seed=0)
    >>> task.images()
    ImageData(digits 3 8, inverted: 100 RGB images of 32x32 in 2 classes)
      train           60 (29 to 31 a class)
      validation      40 (20 a class)
      test             0 (0 a class)
      classes     3, 8
    """

    classes: Mapping[str, tuple[str, ...]]
    variation: Variation
    n_train: int
    n_validation: int
    n_test: int
    seed: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", {source: tuple(names) for source, names in self.classes.items()})
        if not self.classes or any(len(set(names)) < max(2, len(names)) for names in self.classes.values()):
            raise InvalidInputError(
                "The 'classes' of a Task must name two or more different classes of each image set. "
                f"Got {dict(self.classes)!r}."
            )
        if min(self.n_train, self.n_validation, self.n_test) < 0 or self.n_train < self.n_classes:
            raise InvalidInputError(
                f"A Task needs at least {self.n_classes} training images, one a class, and no negative number. "
                f"Got n_train={self.n_train}, n_validation={self.n_validation}, n_test={self.n_test}."
            )

    @property
    def n_classes(self) -> int:
        return sum(map(len, self.classes.values()))

    @property
    def name(self) -> str:
        """Classes and variation in words."""
        what = " and ".join(f"{source} {' '.join(names)}" for source, names in self.classes.items())
        return ", ".join([what, *self.variation.words()])

    def images(self) -> ImageData:
        """The images, RGB of 32 x 32, in splits that share none; the same whenever asked."""
        rng = np.random.RandomState(self.seed)
        parts = []
        for source, names in self.classes.items():
            share = len(names) / self.n_classes
            sizes = {}
            pool = _images(source).subset(names)
            for split, size in zip(SPLITS, (self.n_train, self.n_validation, self.n_test), strict=True):
                sizes[split] = min(round(share * size), len(pool.indices[split]))
            parts.append(pool.subset(sizes=sizes, random_state=rng))
        joined = _join(parts, self.name)
        return self.variation.apply(joined, rng)

    def to_spec(self) -> dict[str, Any]:
        """As JSON can hold it; ``from_spec`` reads it."""
        return asdict(self)

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Task:
        """What ``to_spec`` gave."""
        return cls(**{**spec, "variation": Variation(**spec["variation"])})


def draw_task(seed: int, pool: str = "train", n_train: int = 300, n_validation: int = 600, n_test: int = 0) -> Task:
    """A task of a pool's classes, by seed alone: the same seed gives the same task.

    It has 3 classes or more, at most 10: two are most often told apart by every architecture, or differ by their label
    noise only. Those of ``"train"`` are of one image set or, one time in five, of both. The variation is drawn by
    ``Variation.draw``.

    Parameters
    ----------
    seed : int
    pool : str
        One of ``POOLS``.
    n_train, n_validation, n_test : int
        Images of each split.

    Raises
    ------
    UnknownNameError

    Examples
    --------
    >>> draw_task(3).name
    'fashion_mnist Coat Dress Trouser Sandal Ankle boot T-shirt/top, resolution 12, channels gbr, inverted, noise 20'
    """
    rng = np.random.RandomState(seed)
    every = _draw_sources(pool, rng)
    names = [(source, name) for source, of_source in every.items() for name in of_source]
    while True:
        classes: dict[str, tuple[str, ...]] = {}
        for source, name in (names[k] for k in draw_classes(len(names), rng)):
            classes[source] = (*classes.get(source, ()), name)
        if min(map(len, classes.values())) > 1:  # which a Task needs
            return Task(classes, Variation.draw(rng), n_train, n_validation, n_test, seed)


def draw_view(seed: int, pool: str = "train", n_train: int = 1000, n_validation: int = 2000) -> Task:
    """All classes of a pool's image set, or, one time in five, five of each of its sets, changed alike: where many
    tasks are drawn from. The variation is drawn by ``Variation.draw_wide``.

    Parameters as of ``draw_task``.

    Examples
    --------
    >>> draw_view(3).name
    'fashion_mnist T-shirt/top Trouser Dress Coat Sandal Ankle boot, resolution 12, noise 40'
    """
    rng = np.random.RandomState(seed)
    classes = _draw_sources(pool, rng)
    if len(classes) > 1:
        classes = {source: tuple(np.sort(rng.permutation(names)[:5]).tolist()) for source, names in classes.items()}
    return Task(classes, Variation.draw_wide(rng), n_train, n_validation, 0, seed)


def draw_classes(n_classes: int, rng: np.random.RandomState) -> list[int]:
    """Numbers of 3 to 10 classes, in the order drawn, each number of classes as likely as the others."""
    n = rng.randint(3, min(n_classes, 10) + 1)
    return [int(k) for k in rng.permutation(n_classes)[:n]]


def _draw_sources(pool: str, rng: np.random.RandomState) -> dict[str, tuple[str, ...]]:
    if pool not in POOLS:
        raise UnknownNameError.of("pool of tasks", pool, POOLS)
    sources = list(POOLS[pool])
    if len(sources) > 1 and rng.rand() < 0.8:
        sources = [sources[rng.randint(len(sources))]]
    return {source: POOLS[pool][source] for source in sources}


@cache
def _images(source: str) -> ImageData:
    return load_images(source, **_SPLIT.get(source, {})).resize(SIDE).to_rgb()  # type: ignore[arg-type]


def _join(parts: list[ImageData], name: str) -> ImageData:
    """The classes of all parts as those of one data set."""
    labels: list[IntArray] = []
    indices: dict[str, list[IntArray]] = {split: [] for split in SPLITS}
    n_classes = n_images = 0
    for part in parts:
        labels.append(part.labels + n_classes)
        for split in SPLITS:
            indices[split].append(part.indices[split] + n_images)
        n_classes, n_images = n_classes + part.n_classes, n_images + len(part)
    return ImageData(
        name,
        np.concatenate([part.images for part in parts]),
        np.concatenate(labels),
        tuple(class_name for part in parts for class_name in part.class_names),
        {split: np.concatenate(rows) for split, rows in indices.items()},
        parts[0].info,
    )
