"""The meta predictor, and the graph encoder beside one that goes graph by graph."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from surronas.meta.graph_encoder import GraphEncoder
from surronas.meta.graphs import graph_code
from surronas.meta.predictor import MetaPredictor
from surronas.meta.set_encoder import Sets
from surronas.spaces import get_space


@pytest.fixture(scope="module")
def code():
    return graph_code(get_space("nasbench201"))


@pytest.fixture
def sets():
    rng = np.random.default_rng(0)
    return Sets.of([rng.standard_normal((n, 3, 6)) for n in (2, 3, 2)])


def plain_encoding(encoder, types, adjacency):
    """One graph, one vertex after another, and back."""
    v = len(types)
    ends = []
    for which, order in ((0, range(v)), (1, range(v - 1, -1, -1))):
        cell, gated = encoder.cells[which], encoder.sums[which]
        states = {}
        for i in order:
            what = torch.zeros(encoder.n_types + v, dtype=torch.float64)
            what[types[i]] = what[encoder.n_types + i] = 1
            heard = torch.zeros(encoder.hidden, dtype=torch.float64)
            for j in states:
                if adjacency[j, i] or adjacency[i, j]:
                    gate = torch.sigmoid(gated.gate.weight @ states[j] + gated.gate.bias)
                    heard = heard + gate * (gated.map.weight @ states[j])
            states[i] = cell(what, heard)
        ends.append(states[i])
    places = encoder.direct.weight.reshape(-1, v, encoder.n_types + v)  # of a vertex: its type, then whom it points to
    said = [places[:, i, types[i]] + places[:, i, encoder.n_types :] @ adjacency[i].double() for i in range(v)]
    return encoder.readout(torch.cat(ends)) + sum(said)


@torch.no_grad()
@pytest.mark.parametrize("name", ["nasbench201", "mbconv"])
def test_the_graph_encoder_is_the_plain_one(name):
    code = graph_code(get_space(name))
    encoder = GraphEncoder(code.n_types, code.n_vertices, hidden=10, outputs=4)
    graphs = code.write(code.space.sample(5, random_state=0))
    expected = [plain_encoding(encoder.double(), *graph) for graph in zip(*graphs, strict=True)]
    torch.testing.assert_close(encoder.float()(graphs).double(), torch.stack(expected), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_predict_is_forward_for_every_pair(code, sets):
    model = MetaPredictor(code.n_types, code.n_vertices, n_features=6, hidden=16).eval()
    model.location.fill_(80.0)
    model.scale.fill_(5.0)
    graphs = code.write(code.space.sample(4, random_state=0))
    table = model.predict(graphs, sets)
    assert table.shape == (4, 3)
    for t in range(3):
        one, levels = model(graphs, sets, torch.arange(4), torch.full((4,), t))
        torch.testing.assert_close(table[:, t], 80 + 5 * levels[t, 0] + levels[t, 1].exp() * one)
        torch.testing.assert_close(model.predict(graphs, sets, scores=True)[:, t], one)


def test_it_learns_that_tasks_differ(code, sets):
    """Accuracy grows with the convolutions on one set, falls on another: no architecture's mean could tell."""
    X = code.space.canonical(code.space.sample(40, random_state=0))
    convolutions = np.isin(X, (2, 3)).sum(axis=1)
    graphs = code.write(X)
    n = len(X)
    rows = torch.arange(2).repeat_interleave(n)
    of_graph = torch.arange(n).repeat(2)
    y = torch.from_numpy(np.concatenate([convolutions, -convolutions])).float()
    y = (y - y.mean()) / y.std()
    model = MetaPredictor(code.n_types, code.n_vertices, n_features=6, hidden=32)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(120):
        optimizer.zero_grad()
        (model(graphs, sets, of_graph, rows)[0] - y).square().mean().backward()
        optimizer.step()
    new = code.space.canonical(code.space.sample(60, random_state=1))
    predicted = model.eval().predict(code.write(new), sets, scores=True).numpy()
    truth = np.isin(new, (2, 3)).sum(axis=1)
    assert spearmanr(predicted[:, 0], truth).statistic > 0.8
    assert spearmanr(predicted[:, 1], truth).statistic < -0.8
