"""The batched decoder beside a plain one that goes graph by graph, vertex by vertex, edge by edge."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from surronas.meta.decoder import GraphDecoder
from surronas.meta.graphs import Graphs, graph_code
from surronas.spaces import get_space


@pytest.fixture(scope="module", params=["nasbench201", "mbconv"])
def code(request):
    return graph_code(get_space(request.param))


@pytest.fixture
def decoder(code):
    return GraphDecoder(code.n_types, code.n_vertices, latent=5, hidden=12).double()


def plain_log_likelihood(decoder, z, types, adjacency) -> float:
    """One graph; every state is computed where it is needed, from one vector at a time."""

    def vertex(i, heard):
        what = torch.zeros(decoder.n_types + decoder.n_vertices, dtype=torch.float64)
        what[types[i]] = what[decoder.n_types + i] = 1
        return decoder.vertex(what, heard)

    state = torch.tanh(decoder.start.weight @ z + decoder.start.bias)
    done = [vertex(0, state)]
    state = decoder.graph(done[0], state)
    total = 0.0
    for i in range(1, len(types)):
        own = decoder.type_at.weight[i * decoder.n_types : (i + 1) * decoder.n_types]
        logits = decoder.next_type(torch.cat([state, z])) + own @ z
        total += float(logits[types[i]] - logits.logsumexp(0))
        heard = torch.zeros_like(state)
        new = vertex(i, heard)
        for j in range(i - 1, -1, -1):
            first = torch.cat([decoder.edge_from.weight, decoder.edge_to.weight], dim=1)
            seen = torch.relu(first @ torch.cat([done[j], new]) + decoder.edge_from.bias)
            p = float(torch.sigmoid(decoder.edge(seen)))
            total += np.log(p if adjacency[j, i] else 1 - p)
            if adjacency[j, i]:
                gate = torch.sigmoid(decoder.gated.gate.weight @ done[j] + decoder.gated.gate.bias)
                heard = heard + gate * (decoder.gated.map.weight @ done[j])
                new = vertex(i, heard)
        done.append(new)
        state = decoder.graph(new, state)
    return total


@torch.no_grad()
def test_log_likelihood_is_the_plain_ones(code, decoder):
    graphs = code.write(code.space.sample(6, random_state=0, unique=False))
    z = torch.randn(6, 5, dtype=torch.float64)
    expected = [plain_log_likelihood(decoder, z[k], graphs.types[k], graphs.adjacency[k]) for k in range(6)]
    np.testing.assert_allclose(decoder.log_likelihood(z, graphs), expected, rtol=1e-9)


@torch.no_grad()
def test_probabilities_of_all_graphs_sum_to_one():
    """Three vertices of two types: all 32 ways of two types and three edges."""
    decoder = GraphDecoder(2, 3, latent=2, hidden=8).double()
    types = torch.tensor([[0, a, b] for a in (0, 1) for b in (0, 1) for _ in range(8)])
    adjacency = torch.zeros(32, 3, 3, dtype=torch.bool)
    for row in range(32):
        for bit, (i, j) in enumerate(((0, 1), (0, 2), (1, 2))):
            adjacency[row, i, j] = bool(row >> bit & 1)
    z = torch.randn(1, 2, dtype=torch.float64).expand(32, -1)
    total = decoder.log_likelihood(z, Graphs(types, adjacency)).exp().sum()
    assert float(total) == pytest.approx(1, abs=1e-12)


@torch.no_grad()
def test_what_is_written_is_the_likeliest_at_each_step(code, decoder):
    """No other type and no other edge at the last vertex is likelier than the one that was chosen."""
    z = torch.randn(4, 5, dtype=torch.float64)
    best = decoder.write(z)
    again = decoder.write(z)
    assert torch.equal(best.types, again.types)
    assert torch.equal(best.adjacency, again.adjacency)
    base = decoder.log_likelihood(z, best)
    other = best.adjacency.clone()
    other[:, 0, -1] ^= True  # the last decision of all
    assert (decoder.log_likelihood(z, Graphs(best.types, other)) <= base).all()


def test_gradients_reach_every_weight(code, decoder):
    graphs = code.write(code.space.sample(8, random_state=0))
    decoder.log_likelihood(torch.randn(8, 5, dtype=torch.float64), graphs).sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in decoder.parameters())
