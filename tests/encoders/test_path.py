"""Path encoding against enumeration of every path, one graph at a time."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from surronas.encoders import get_encoder
from surronas.encoders.path import Path
from surronas.exceptions import InvalidInputError
from surronas.spaces import ArchGraph, Gene, SearchSpace, get_space
from surronas.testing import conditional_space
from tests.encoders.slow_graphs import DagOnEdges, DagOnNodes, slow_paths

SPACES = {
    "nasbench201": get_space("nasbench201"),
    "nasbench_graph": get_space("nasbench_graph"),
    "nodes": DagOnNodes(),
    "edges": DagOnEdges(),
    "chain": conditional_space(),
}


def spelled(space, C):
    """The set of names of each row's paths."""
    graph = space.graph(C, on=None)
    return [
        {"->".join(graph.op_names[op] for op in path) or "(wire)" for path in slow_paths(graph, row)}
        for row in range(len(C))
    ]


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_columns_are_the_paths_of_brute_force(space):
    C = space.canonical(space.sample(80, random_state=1, unique=False))
    encoder = Path(space=space, max_features=10**6).fit(C)
    names = list(encoder.get_feature_names_out())
    assert len(set(names)) == len(names)
    expected = np.array([[name in paths for name in names] for paths in spelled(space, C)], dtype=float)
    assert expected.any()
    np.testing.assert_array_equal(encoder.transform(C), expected)


def test_nasbench201_has_every_path_there_is():
    """One, two or three edges with four operations each: 4 + 16 + 64 sequences."""
    encoder = get_encoder("path", space="nasbench201").fit([[0] * 6])
    names = encoder.get_feature_names_out()
    assert len(names) == 84
    assert sorted({name.count("->") for name in names}) == [0, 1, 2]


@pytest.mark.parametrize("space", [SPACES["nasbench201"], SPACES["edges"]], ids=["nasbench201", "edges"])
def test_truncation_keeps_the_commonest(space):
    """By the count of architectures of the sample that ``fit`` documents."""
    sample = space.canonical(space.sample(4096, random_state=0, unique=False))
    counts = Counter(name for paths in spelled(space, sample) for name in paths)
    names = Path(space=space, max_features=12).fit(sample[:1]).get_feature_names_out()
    assert len(names) == 12
    least = min(counts[name] for name in names)
    assert sum(count > least for count in counts.values()) < 12
    assert all(name in names for name, count in counts.items() if count > least)


def test_a_path_outside_the_kept_ones_is_no_column():
    space = SPACES["nasbench201"]
    encoder = Path(space=space, max_features=1).fit([[0] * 6])
    (name,) = encoder.get_feature_names_out()
    C = space.enumerate()[:500]
    C = space.canonical(C)
    np.testing.assert_array_equal(encoder.transform(C)[:, 0], [name in paths for paths in spelled(space, C)])


def test_cells_without_a_path_are_all_zero():
    encoder = get_encoder("path", space="nasbench201").fit([[0] * 6])
    assert not encoder.transform([[0] * 6, [3, 0, 0, 0, 0, 0]]).any()


def test_unexpressed_genes_change_nothing():
    space = SPACES["nasbench201"]
    X = space.sample(300, random_state=2, unique=False)
    encoder = Path(space=space).fit(X)
    assert (space.canonical(X) != X).any()
    np.testing.assert_array_equal(encoder.transform(X), encoder.transform(space.canonical(X)))


@pytest.mark.parametrize("max_features", [0, -1, 1.5, "many"])
def test_max_features_must_be_a_positive_int(max_features):
    with pytest.raises(InvalidInputError, match=f"'max_features' parameter of Path.*Got {max_features!r} instead"):
        Path(space="nasbench201", max_features=max_features).fit([[0] * 6])


class Braid(SearchSpace):
    """Every node feeds every later one: 2 ** (nodes - 2) paths."""

    name = "braid"
    genes = tuple(Gene(f"op{i}", ("a", "b")) for i in range(20))

    def graph_of(self, C):
        adjacency = np.broadcast_to(np.triu(np.ones((22, 22), dtype=bool), 1), (len(C), 22, 22))
        return ArchGraph(adjacency, np.pad(C, ((0, 0), (1, 1)), constant_values=-1), ("a", "b"))


def test_too_many_paths_are_refused_before_they_are_made():
    with pytest.raises(InvalidInputError, match="at most 100,000 paths .* 'braid' has 1,048,576"):
        get_encoder("path", space=Braid()).fit(np.zeros((1, 20)))


def test_parts_of_a_batch_are_encoded_like_the_whole(monkeypatch):
    space = get_space("nasbench101")
    C = space.canonical(space.sample(50, 0))
    whole = get_encoder("path", space=space).fit(C)
    monkeypatch.setattr("surronas.encoders.path._AT_ONCE", 30)
    parts = get_encoder("path", space=space).fit(C)
    assert whole.get_feature_names_out().tolist() == parts.get_feature_names_out().tolist()
    np.testing.assert_array_equal(whole.transform(C), parts.transform(C))
