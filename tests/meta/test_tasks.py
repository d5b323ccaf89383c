"""Tasks: nothing of a test task is in meta-training, and all of a task follows from its seed."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest

import surronas as sn
from surronas.exceptions import InvalidInputError, UnknownNameError
from surronas.meta import tasks
from surronas.meta.tasks import POOLS, Task, draw_task, draw_view
from surronas.meta.variation import Variation


@pytest.fixture
def grid(monkeypatch):
    """Stand-ins for all image sets: every image is of one colour of its own, so that it can be told after a turn."""

    def images(source):
        names = tuple(dict.fromkeys(name for pool in POOLS.values() for name in pool.get(source, ())))
        n = 60 * len(names)
        pixels = np.zeros((n, 32, 32, 3), dtype=np.uint8)
        start = list(POOLS["train"] | POOLS["digits"] | POOLS["sign_digits"]).index(source)
        pixels[..., 0], pixels[..., 1] = (np.arange(n) % 256)[:, None, None], (np.arange(n) // 256)[:, None, None]
        pixels[..., 2] = start
        labels = np.arange(n) % len(names)
        rows = {"train": range(n // 2), "validation": range(n // 2, 3 * n // 4), "test": range(3 * n // 4, n)}
        return sn.load_images("digits").__class__(
            source, pixels, labels, names, {split: np.array(r) for split, r in rows.items()}, None
        )

    known = {source: images(source) for source in ("cifar10", "fashion_mnist", "digits", "sign_digits")}
    monkeypatch.setattr(tasks, "_images", known.__getitem__)
    return known


def classes_of(pool):
    return {(source, name) for source, names in POOLS[pool].items() for name in names}


def test_no_class_is_in_two_pools():
    for one, other in combinations(POOLS, 2):
        assert not classes_of(one) & classes_of(other)
    assert not {"digits", "sign_digits"} & {source for source, _ in classes_of("train")}


@pytest.mark.needs_data("images/fashion-mnist/t10k-images-idx3-ubyte.gz")
def test_the_classes_are_those_of_the_images(shared_data):
    of_images = set(sn.load_images("digits").class_names)
    assert {name for _, name in classes_of("digits")} == of_images
    names = {name for pool in ("train", "fashion_mnist") for name in POOLS[pool]["fashion_mnist"]}
    assert names == set(sn.load_images("fashion_mnist").class_names)


@pytest.mark.parametrize("pool", POOLS)
def test_tasks_are_of_their_pools_classes(pool):
    drawn = [draw_task(seed, pool) for seed in range(200)]
    for task in drawn:
        own = {(source, name) for source, names in task.classes.items() for name in names}
        assert own <= classes_of(pool)
        assert len(own) == task.n_classes
        assert 3 <= task.n_classes <= 10
    assert {name for task in drawn for names in task.classes.values() for name in names} == {
        name for _, name in classes_of(pool)
    }
    if pool == "train":
        assert {len(task.classes) for task in drawn} == {1, 2}
        assert max(task.n_classes for task in drawn) == 10


def test_views_have_all_classes_of_one_image_set_or_of_both():
    drawn = [draw_view(seed) for seed in range(60)]
    assert {tuple(view.classes) for view in drawn} == {("cifar10",), ("fashion_mnist",), ("cifar10", "fashion_mnist")}
    for view in drawn:
        for source, names in view.classes.items():
            assert set(names) <= set(POOLS["train"][source])
            assert len(names) == (6 if len(view.classes) == 1 else 5)
    assert len({view.variation for view in drawn}) > 40
    assert draw_view(5) == drawn[5]
    with pytest.raises(UnknownNameError, match="pool of tasks"):
        draw_view(0, "digit")


def test_images_are_the_classes_own_and_in_one_split(grid):
    """Each image is found again, by its colour, among those of the set, with the same class and split."""
    for seed in range(6):
        task = draw_task(seed, "train", 60, 30, 20)
        images = Task(task.classes, Variation(turns=1), 60, 30, 20, seed).images()
        seen = set()
        for split in ("train", "validation", "test"):
            for pixels, label in zip(*images.split(split), strict=True):
                colour = tuple(pixels[0, 0].tolist())
                assert colour not in seen
                seen.add(colour)
                source = grid[("cifar10", "fashion_mnist")[colour[2]]]
                row = colour[0] + 256 * colour[1]
                assert row in source.indices[split]
                name = source.class_names[source.labels[row]]
                assert name == images.class_names[label]
                assert name in task.classes[source.name]
        sizes = [len(images.indices[split]) for split in ("train", "validation", "test")]
        assert np.abs(np.subtract(sizes, [60, 30, 20])).max() <= 1
        assert np.bincount(images.labels[images.indices["train"]]).min() >= 60 // task.n_classes - 3


def test_a_task_follows_from_its_seed(grid):
    one, same, other = draw_task(5), draw_task(5), draw_task(6)
    assert one == same
    assert one != other
    assert (one.images().images == same.images().images).all()
    again = Task.from_spec(json.loads(json.dumps(one.to_spec())))
    assert again == one
    assert (again.images().images == one.images().images).all()


def test_each_change_is_what_it_says():
    images = sn.load_images("digits").resize(8).to_rgb()
    rng = np.random.RandomState(0)
    pixels = rng.randint(256, size=images.images.shape, dtype=np.uint8)
    images = images.__class__(images.name, pixels, images.labels, images.class_names, images.indices, images.info)

    def changed(**how):
        return Variation(**how).apply(images, np.random.RandomState(0)).images

    assert (changed() == pixels).all()
    assert (changed(invert=True) == 255 - pixels).all()
    assert (changed(colours="gbr")[..., 0] == pixels[..., 1]).all()
    assert (changed(turns=1)[:, 0, 0] == pixels[:, 0, 7]).all()
    assert np.ptp(changed(colours="grey"), axis=3).max() == 0
    blurred = changed(resolution=4).astype(float)
    assert np.abs(np.diff(blurred, axis=1)).mean() < np.abs(np.diff(pixels.astype(float), axis=1)).mean() / 2
    grey = images.__class__(
        "g", np.full_like(pixels, 128), images.labels, images.class_names, images.indices, images.info
    )
    assert Variation(tone="edges").apply(grey, rng).images.max() == 0
    small, large = changed(zoom=0.5), changed(zoom=2.0)
    assert small[:, :2].max() == small[:, -2:].max() == small[:, :, :2].max() == small[:, :, -2:].max() == 0
    assert np.abs(small[:, 2:6, 2:6] - images.resize(4).images.astype(float)).max() == 0
    middle = images.__class__("m", pixels[:, 2:6, 2:6], images.labels, images.class_names, images.indices, images.info)
    assert (large == middle.resize(8).images).all()
    binary, light = changed(tone="binary"), pixels.sum(axis=3, dtype=np.int64)
    assert set(np.unique(binary)) == {0, 255}
    assert (binary[..., 2] == 255 * (64 * light > light.sum(axis=(1, 2), keepdims=True))).all()
    edges = changed(tone="edges")
    assert edges.max(axis=(1, 2, 3)).min() == 255
    noise = Variation(noise=20).apply(grey, np.random.RandomState(0)).images.astype(float) - 128
    assert noise.std() == pytest.approx(20, rel=0.02)


def test_errors_name_what_is_wrong():
    with pytest.raises(UnknownNameError, match="pool of tasks"):
        draw_task(0, "digit")
    with pytest.raises(InvalidInputError, match="two or more different classes"):
        Task({"digits": ("3",)}, Variation(), 10, 10, 0, 0)
    with pytest.raises(InvalidInputError, match="n_train=1"):
        Task({"digits": ("3", "8")}, Variation(), 1, 10, 0, 0)
    with pytest.raises(InvalidInputError, match="turns"):
        Variation(turns=4)
    with pytest.raises(InvalidInputError, match="zoom"):
        Variation(zoom=5.0)
    with pytest.raises(InvalidInputError, match="binary"):
        Variation(tone="red")
