"""Every registered encoder keeps scikit-learn's contract and the library's, on every registered space."""

from __future__ import annotations

import numpy as np
import pytest

from surronas.encoders import get_encoder, list_encoders
from surronas.exceptions import InvalidInputError, UnknownNameError
from surronas.testing import check_encoder


@pytest.mark.parametrize("name", [name for name in list_encoders() if name != "zero_cost"])
def test_contract(name):
    """That of ``zero_cost``, which builds networks, is tested on small ones in a file of its own."""
    check_encoder(name)


@pytest.mark.parametrize("name", list_encoders())
@pytest.mark.parametrize("wrong", [5, -1, 0.5])
def test_errors_name_row_and_value(name, wrong):
    X = np.zeros((3, 6))
    encoder = get_encoder(name, space="nasbench201").fit(X)
    X[2, 4] = wrong
    with pytest.raises(InvalidInputError, match=f"Got {wrong}.* in row 2"):
        encoder.transform(X)


def test_unknown_name_offers_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'one_hot'?"):
        get_encoder("onehot")
    with pytest.raises(UnknownNameError, match="Did you mean 'one_hot'?"):
        get_encoder("graph+onehot", space="nasbench201").fit([[0] * 6])
