"""Ordered genes as numbers, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from surronas.encoders import get_encoder
from surronas.spaces import Gene, SearchSpace
from surronas.testing import conditional_space


def encoded(gene, codes):
    return get_encoder("ordinal", space=SearchSpace([gene])).fit_transform(np.reshape(codes, (-1, 1))).tolist()


def test_positive_numbers_by_logarithm_others_as_they_are():
    assert encoded(Gene("width", (8, 16, 64), ordered=True), [0, 1, 2]) == [[1], [pytest.approx(4 / 3)], [2]]
    assert encoded(Gene("shift", (-1, 0, 3), ordered=True), [0, 1, 2]) == [[1], [1.25], [2]]
    assert encoded(Gene("rate", (0.1, 0.01), ordered=True), [0, 1]) == [[1], [2]]  # dearest last, whatever the number


def test_ordered_words_by_index_booleans_too():
    assert encoded(Gene("size", ("s", "m", "l"), ordered=True), [0, 1, 2]) == [[1], [1.5], [2]]
    assert encoded(Gene("se", (False, True), ordered=True), [0, 1]) == [[1], [2]]


def test_unordered_and_single_choices_are_one_hot():
    assert encoded(Gene("op", ("conv", "pool")), [0, 1]) == [[1, 0], [0, 1]]
    assert encoded(Gene("only", (3,), ordered=True), [0]) == [[1]]


def test_inactive_genes_are_zero():
    space = conditional_space()
    encoder = get_encoder("ordinal", space=space)
    frame = encoder.fit(np.zeros((1, 6))).set_output(transform="pandas").transform([[0, 2, 0, 0, 0, 0]])
    assert frame.iloc[0].to_dict() == {
        "depth": 1, "kernel1": 2, "kernel2": 0, "kernel3": 0, "attention": 1, "reduction": 0,
    }  # fmt: skip
