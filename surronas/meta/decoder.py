"""A recurrent network that writes architectures' graphs from latent vectors, vertex by vertex, edge by edge."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from surronas.meta.graph_encoder import GatedSum, vertex_inputs
from surronas.meta.graphs import Graphs

__all__ = ["GraphDecoder"]

_INPUT = 0


class GraphDecoder(nn.Module):
    """The decoder of D-VAE (Zhang et al., 2019, arXiv:1904.11088), for graphs with a fixed number of places.

    From the state of the graph, which begins as tanh of a linear map of the latent vector, comes the type of the next
    vertex; then, from the vertex before it back to the input, whether each points to it. With every edge the vertex's
    state is computed anew: a GRU of what it is and the gated sum of those that point to it so far.

    Two things differ from D-VAE. The graph's state is not the last vertex's, but a GRU's that reads each finished
    vertex: an absent layer has no edges, so its state would know of nothing before it. And the type is chosen with the
    latent vector in sight, which long chains would forget: beside the state, and by a linear map of each place's own.

    Parameters
    ----------
    n_types, n_vertices : int
        Of a ``GraphCode``.
    latent : int, default=56
    hidden : int, default=128
        Width of the states.
    """

    def __init__(self, n_types: int, n_vertices: int, latent: int = 56, hidden: int = 128) -> None:
        super().__init__()
        self.n_types, self.n_vertices, self.latent = n_types, n_vertices, latent
        self.start = nn.Linear(latent, hidden)
        self.vertex = nn.GRUCell(n_types + n_vertices, hidden)
        self.graph = nn.GRUCell(hidden, hidden)
        self.gated = GatedSum(hidden)
        self.next_type = _two_layers(hidden + latent, 2 * hidden, n_types)
        self.type_at = nn.Linear(latent, n_vertices * n_types, bias=False)
        # The first of two layers, by halves, each computed once a vertex and not once a pair.
        self.edge_from = nn.Linear(hidden, 2 * hidden)
        self.edge_to = nn.Linear(hidden, 2 * hidden, bias=False)
        self.edge = nn.Linear(2 * hidden, 1)

    def log_likelihood(self, z: Tensor, graphs: Graphs) -> Tensor:
        """Of each graph given its latent vector: types and edges of all vertices but the input.

        Parameters
        ----------
        z : (n, latent) float
        graphs : n graphs

        Returns
        -------
        (n,) float
            In nats.
        """
        inputs = vertex_inputs(graphs.types, self.n_types).to(z)
        state, leaning = torch.tanh(self.start(z)), self._leaning(z)
        done = self.vertex(inputs[:, 0], state)
        given, starts = [self.gated(done)], [self.edge_from(done)]
        state = self.graph(done, state)
        total = z.new_zeros(len(z))
        for i in range(1, self.n_vertices):
            total = total - F.cross_entropy(
                self._type_logits(state, z) + leaning[:, i], graphs.types[:, i], reduction="none"
            )
            edges = graphs.adjacency[:, :i, i].to(z)
            before = edges.flip(1).cumsum(dim=1).flip(1) - edges  # how many edges were decided before this one
            counts = torch.arange(int(edges.sum(dim=1).max()) + 1).to(z)
            # The vertex's state changes with an edge only, so that there is one for each number of edges.
            heard_from = edges[:, None] * (before[:, None] < counts[:, None])
            new = self._vertex(inputs[:, i], heard_from @ torch.stack(given, dim=1))
            ends = (before[:, :, None] == counts).to(z) @ self.edge_to(new)
            logits = self._edge_logits(torch.stack(starts, dim=1), ends)
            total = total - F.binary_cross_entropy_with_logits(logits, edges, reduction="none").sum(dim=1)
            done = new[torch.arange(len(z)), edges.sum(dim=1).long()]
            given.append(self.gated(done))
            starts.append(self.edge_from(done))
            state = self.graph(done, state)
        return total

    @torch.no_grad()
    def write(self, z: Tensor) -> Graphs:
        """(n, latent) latent vectors -> n graphs: the likeliest type or edge, one after another."""
        n, v = len(z), self.n_vertices
        types = torch.full((n, v), _INPUT)
        adjacency = torch.zeros(n, v, v, dtype=torch.bool)
        numbers = torch.eye(v).to(z)
        state, leaning = torch.tanh(self.start(z)), self._leaning(z)

        def inputs(i: int) -> Tensor:
            return torch.cat([F.one_hot(types[:, i], self.n_types).to(z), numbers[i].expand(n, v)], dim=1)

        done = self.vertex(inputs(0), state)
        given, starts = [self.gated(done)], [self.edge_from(done)]
        state = self.graph(done, state)
        for i in range(1, v):
            types[:, i] = (self._type_logits(state, z) + leaning[:, i]).argmax(dim=1)
            what, heard = inputs(i), torch.zeros_like(state)
            done = self.vertex(what, heard)
            for j in reversed(range(i)):
                edge = self._edge_logits(starts[j], self.edge_to(done)) > 0
                adjacency[:, j, i] = edge
                heard = heard + edge[:, None] * given[j]
                done = self.vertex(what, heard)
            given.append(self.gated(done))
            starts.append(self.edge_from(done))
            state = self.graph(done, state)
        return Graphs(types, adjacency)

    def _type_logits(self, state: Tensor, z: Tensor) -> Tensor:
        return self.next_type(torch.cat([state, z], dim=1))  # type: ignore[no-any-return]

    def _leaning(self, z: Tensor) -> Tensor:
        """(n, n_vertices, n_types): what the latent vector says of each place, whatever stands before it."""
        return self.type_at(z).view(len(z), self.n_vertices, self.n_types)  # type: ignore[no-any-return]

    def _edge_logits(self, start: Tensor, end: Tensor) -> Tensor:
        return self.edge(F.relu(start + end))[..., 0]  # type: ignore[no-any-return]

    def _vertex(self, what: Tensor, heard: Tensor) -> Tensor:
        """(n, inputs), (n, m, hidden) -> (n, m, hidden): the vertex's state for each of m sums."""
        n, m, hidden = heard.shape
        repeated = what[:, None].expand(n, m, -1).reshape(n * m, -1)
        return self.vertex(repeated, heard.reshape(n * m, hidden)).view(n, m, hidden)  # type: ignore[no-any-return]


def _two_layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
