"""Graphs as text: what is written is read back, and what is no architecture's graph is not valid."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from surronas.meta.graphs import GraphCode, Graphs, graph_code
from surronas.spaces import get_space
from surronas.spaces.base import Gene, SearchSpace

SPACES = ["nasbench201", "mbconv", "nasbench_macro", "nats_size"]


@pytest.fixture(scope="module", params=[*SPACES, "ofa_mbv3"])
def code(request):
    return graph_code(get_space(request.param))


def test_every_architecture_is_read_back(code):
    space = code.space
    C = space.canonical(space.sample(600, random_state=1, unique=False))
    graphs = code.write(C)
    assert graphs.types.shape == (600, code.n_vertices)
    X, valid = code.read(graphs)
    assert valid.all()
    assert (X == C).all()


def test_different_architectures_have_different_graphs(code):
    space = code.space
    C = np.unique(space.canonical(space.sample(600, random_state=2, unique=False)), axis=0)
    types, adjacency = code.write(C)
    flat = torch.cat([types, adjacency.flatten(1).long()], dim=1)
    assert len(flat.unique(dim=0)) == len(C)


@pytest.mark.parametrize("name", SPACES)  # ofa_mbv3 has too many architectures two genes away
def test_one_wrong_edge_or_type_is_found(name):
    """Every single edge, and every type at every place, against a search among the graphs two genes away."""
    code = graph_code(get_space(name))
    space = code.space
    c = space.canonical(space.sample(1, random_state=3))
    types, adjacency = code.write(c)
    starts, ends = np.triu_indices(code.n_vertices, k=1)
    flipped = adjacency.repeat(len(starts), 1, 1)
    flipped[range(len(starts)), starts, ends] ^= True
    _, valid = code.read(Graphs(types.repeat(len(starts), 1), flipped))
    assert not valid.any()

    places = [(i, t) for i in range(code.n_vertices) for t in range(code.n_types) if t != types[0, i]]
    changed = types.repeat(len(places), 1)
    changed[range(len(places)), [i for i, _ in places]] = torch.tensor([t for _, t in places])
    X, valid = code.read(Graphs(changed, adjacency.repeat(len(places), 1, 1)))
    near = space.neighbours(c[0])
    known = np.unique(space.canonical(np.concatenate([near, *map(space.neighbours, near)])), axis=0)
    of_neighbours = code.write(known)
    for row in range(len(places)):
        same = (of_neighbours.types == changed[row]).all(1) & (of_neighbours.adjacency == adjacency).all(2).all(1)
        assert valid[row] == bool(same.any())
        if valid[row]:
            assert (known[int(same.nonzero()[0])] == X[row]).all()


def test_resolution_and_width_of_ofa_have_vertices():
    code = GraphCode(get_space("ofa_mbv3"))
    space = code.space
    assert code.n_vertices == 24
    types, adjacency = code.write(space.largest()[None])
    assert [code.types[t] for t in types[0, :4]] == ["input", "resolution=256", "width=1.2", "mb6_k7"]
    assert adjacency[0].nonzero().tolist() == [[i, i + 1] for i in range(23)]
    types, adjacency = code.write(space.smallest()[None])
    assert (types[0] == code.types.index("absent")).sum() == 10
    assert adjacency.sum() == 13


def test_a_space_of_ones_own():
    genes = [Gene("depth", (1, 2)), Gene("a", (3, 5)), Gene("b", (3, 5, 7), {"depth": (2,)})]
    code = GraphCode(SearchSpace(genes))
    C = code.space.enumerate()
    X, valid = code.read(code.write(C))
    assert valid.all()
    assert (X == C).all()
