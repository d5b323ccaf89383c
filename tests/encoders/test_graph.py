from __future__ import annotations

import numpy as np
import pytest

from surronas.encoders import get_encoder
from surronas.spaces import Gene, SearchSpace, get_space

SPACES = {
    "nasbench201": get_space("nasbench201"),
    "nasbench_graph": get_space("nasbench_graph"),
    "conditional": SearchSpace(
        [Gene("a", ("x", "y")), Gene("b", (1, 2, 3), active_if={"a": ("y",)}), Gene("c", ("p", "q"))]
    ),
}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_blocks_hold_the_graph(space):
    C = space.canonical(space.sample(12, random_state=0, unique=False))
    encoder = get_encoder("graph", space=space).fit(C)
    features = encoder.transform(C)
    (_, (v, _)), (_, (_, k)) = encoder.blocks_
    assert [name for name, _ in encoder.blocks_] == ["adjacency", "ops"]
    assert features.shape == (12, v * v + v * k)
    assert features.dtype == np.float64
    graph = space.graph(C)
    np.testing.assert_array_equal(features[:, : v * v].reshape(-1, v, v), graph.adjacency)
    labels = (*graph.op_names, "input", "output")
    for row, ops in zip(features[:, v * v :].reshape(-1, v, k), graph.ops, strict=True):
        expected = ["input", *(None if op < 0 else graph.op_names[op] for op in ops[1:-1]), "output"]
        assert [labels[node.argmax()] if node.any() else None for node in row] == expected
        assert set(row.sum(axis=1)) <= {0.0, 1.0}


def test_names_say_where_each_feature_sits():
    encoder = get_encoder("graph", space="nasbench201").fit([[3, 0, 0, 1, 0, 4]])
    names = list(encoder.get_feature_names_out())
    row = encoder.transform([[3, 2, 1, 4, 3, 1]])[0]
    assert len(set(names)) == len(names) == len(row)
    on = {name for name, value in zip(names, row, strict=True) if value}
    # The second gene, edge 0 -> 2 with a 1x1 convolution, is node 2: fed by the input, feeding edge 2 -> 3 (node 6).
    assert {"ops[0]=input", "ops[7]=output", "ops[2]=nor_conv_1x1", "adjacency[0,2]", "adjacency[2,6]"} <= on
    assert "adjacency[2,7]" not in on


def test_features_do_not_depend_on_the_sample():
    space = get_space("nasbench201")
    C = space.canonical(space.sample(5, random_state=1))
    one, all_ = (get_encoder("graph", space=space).fit(rows) for rows in (C[:1], C))
    np.testing.assert_array_equal(one.transform(C), all_.transform(C))


def test_union_keeps_the_blocks():
    union = get_encoder("graph+one_hot", space="nasbench201").fit([[3, 0, 0, 1, 0, 4]])
    assert dict(union.blocks_)["adjacency"] == (8, 8)
    assert dict(union.blocks_)["ops"] == (8, 6)
