from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from surronas.exceptions import InvalidInputError
from surronas.supernet.images import prepare_images


def test_grey_images_become_rgb_of_the_largest_resolution(tiny):
    prepared = prepare_images(tiny.images, tiny.space)
    assert prepared.images.shape == (len(tiny.images), 16, 16, 3)
    assert np.array_equal(prepared.images[..., 0], tiny.images.resize(16).images[..., 0])
    assert (prepared.images == prepared.images[..., :1]).all()
    assert prepare_images(prepared, tiny.space).images.shape == prepared.images.shape


def test_larger_images_are_made_smaller(tiny):
    assert prepare_images(tiny.images.resize(40), tiny.space).images.shape[1:] == (16, 16, 3)


def test_images_that_are_not_square_are_refused(tiny):
    wide = replace(tiny.images, images=np.zeros((len(tiny.images), 8, 12, 1), np.uint8))
    with pytest.raises(
        InvalidInputError, match=r"must be square. Got 8x12 pixels; .* images.resize\(8\), makes them so"
    ):
        prepare_images(wide, tiny.space)
