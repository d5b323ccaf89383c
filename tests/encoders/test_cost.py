"""The cost encoder."""

from __future__ import annotations

import numpy as np
import pytest

import surronas as sn
from surronas.encoders import get_encoder
from surronas.exceptions import InvalidInputError
from surronas.spaces import get_space
from surronas.testing import conditional_space


@pytest.mark.parametrize(
    ("name", "columns"), [("nasbench201", ["params", "madds"]), ("mbconv", ["params", "madds", "activations"])]
)
def test_logarithms_of_the_spaces_own_cost(name, columns):
    space = get_space(name)
    C = space.canonical(space.sample(20, 0))
    features = get_encoder("cost", space=space).fit_transform(C)
    np.testing.assert_allclose(np.exp(features), space.cost(C)[columns])


def test_a_space_without_networks_has_none():
    space = conditional_space()
    assert get_encoder("cost", space=space).fit_transform(space.sample(3, 0)).shape == (3, 0)
    with pytest.raises(InvalidInputError, match="encoder 'cost' has no features for the space 'categorical'"):
        sn.fit_predictor(space.sample(8, 0), np.arange(8.0), space=space, encoder="cost", predictor="linear")
