"""Spaces of drawings: what a canonical form removes or merges stays."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

from surronas.encoders import get_encoder
from surronas.spaces import as_drawn, get_space, list_spaces, space_from_spec
from surronas.testing import conditional_space

NB201 = get_space("nasbench201")
DRAWN = as_drawn(NB201)
MERGING = ("darts", "fbnet", "nasbench101", "nasbench201", "nasbench_graph", "nasbench_macro", "transnasbench101_micro")


def test_which_spaces_have_drawings_of_their_own():
    changed = [name for name in list_spaces() if as_drawn(get_space(name)) != get_space(name)]
    assert changed == sorted(MERGING)
    plain = conditional_space()
    assert as_drawn(plain) is plain


@pytest.mark.parametrize("name", MERGING)
def test_every_drawing_is_an_architecture(name):
    space = get_space(name)
    drawn = as_drawn(space)
    X = space.sample(150, random_state=0, unique=False)
    inactive_are_0 = np.where(space.active(X), X, 0)
    np.testing.assert_array_equal(drawn.canonical(X), inactive_are_0)
    assert len(np.unique(drawn.key(X))) == len(np.unique(inactive_are_0, axis=0))
    np.testing.assert_array_equal(drawn.representatives(inactive_are_0), inactive_are_0)
    assert drawn.format(X) == space.format(X)
    assert drawn != space
    assert "as drawn" in repr(drawn)
    for encoder in ("graph_features", "contracted_features", "one_hot", "cost", "op_counts"):
        F = get_encoder(encoder, space=drawn).fit_transform(drawn.canonical(X))
        assert np.isfinite(F).all()


def test_dead_parts_have_features_and_costs():
    dead = NB201.parse(["|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"])
    assert DRAWN.cost(dead)["madds"][0] > NB201.cost(dead)["madds"][0]
    assert get_encoder("op_counts", space=DRAWN).fit_transform(dead).sum() == 3
    assert get_encoder("op_counts", space=NB201).fit_transform(NB201.canonical(dead)).sum() == 1


def test_it_is_restored_from_json_pickles_and_copies():
    for again in (
        space_from_spec(json.loads(json.dumps(DRAWN.to_spec()))),
        pickle.loads(pickle.dumps(DRAWN)),
        copy.deepcopy(DRAWN),
        as_drawn(DRAWN),
    ):
        assert again == DRAWN
        assert again != NB201
        np.testing.assert_array_equal(again.canonical([[3, 0, 0, 1, 0, 4]]), [[3, 0, 0, 1, 0, 4]])
