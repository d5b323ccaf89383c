from __future__ import annotations

import numpy as np
import pytest
import torch

from surronas.supernet.augment import crop_and_flip


def batch(n=64, side=16, channels=3):
    values = np.random.default_rng(0).integers(1, 256, (n, channels, side, side), dtype=np.uint8)
    return torch.from_numpy(values)


def shifted(image, top, left):
    """One image, moved up by ``top`` and left by ``left``, black where nothing was: pixel by pixel."""
    out = torch.zeros_like(image)
    _, height, width = image.shape
    for y in range(height):
        for x in range(width):
            if 0 <= y + top < height and 0 <= x + left < width:
                out[:, y, x] = image[:, y + top, x + left]
    return out


@pytest.mark.parametrize("flip", [True, False])
def test_each_image_is_a_crop_of_the_padded_one_or_of_its_mirror_image(flip):
    images = batch(n=24, side=8)
    done = crop_and_flip(images, torch.Generator().manual_seed(3), flip)
    moves, mirrored = set(), 0
    for before, after in zip(images, done, strict=True):
        found = [
            (top, left, mirror)
            for top in (-1, 0, 1)
            for left in (-1, 0, 1)
            for mirror in ([False, True] if flip else [False])
            if torch.equal(shifted(before, top, left).flip(2) if mirror else shifted(before, top, left), after)
        ]
        assert len(found) == 1
        moves.add(found[0][:2])
        mirrored += found[0][2]
    assert len(moves) > 5
    assert (6 <= mirrored <= 18) if flip else mirrored == 0


def test_the_generator_decides_and_nothing_else():
    images = batch()
    first = crop_and_flip(images, torch.Generator().manual_seed(1))
    torch.rand(5)
    assert torch.equal(first, crop_and_flip(images, torch.Generator().manual_seed(1)))
    assert not torch.equal(first, crop_and_flip(images, torch.Generator().manual_seed(2)))
    assert torch.equal(images, batch())


def test_form_of_the_result():
    done = crop_and_flip(batch(n=4), torch.Generator())
    assert done.dtype == torch.uint8
    assert done.shape == (4, 3, 16, 16)
    assert done.is_contiguous(memory_format=torch.channels_last)


def test_images_smaller_than_eight_pixels_stay_in_place():
    images = batch(n=8, side=7, channels=1)
    assert torch.equal(crop_and_flip(images, torch.Generator(), flip=False), images)
