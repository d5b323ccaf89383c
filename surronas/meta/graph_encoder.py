"""A recurrent network that reads architectures' graphs along their edges, and against them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from surronas.meta.graphs import Graphs

__all__ = ["GatedSum", "GraphEncoder", "vertex_inputs"]


class GraphEncoder(nn.Module):
    """The asynchronous bidirectional encoder of D-VAE (Zhang et al., 2019, arXiv:1904.11088).

    Vertex by vertex, a GRU updates a gated sum of the states of the vertices that point to it with what the vertex is.
    A second one goes from the output back. A vertex's number is an input beside its type, since the same operation is
    another one in another layer. Whole batches at a time; the loop is over the vertices.

    D-VAE reads out the last vertex's state alone. A chain of twenty layers forgets its beginning, so that here a linear
    map of all types and edges is added.

    Parameters
    ----------
    n_types, n_vertices : int
        Of a ``GraphCode``.
    hidden : int, default=128
        Width of a vertex's state.
    outputs : int, default=128
    """

    def __init__(self, n_types: int, n_vertices: int, hidden: int = 128, outputs: int = 128) -> None:
        super().__init__()
        self.n_types, self.n_vertices, self.hidden = n_types, n_vertices, hidden
        self.cells = nn.ModuleList(nn.GRUCell(n_types + n_vertices, hidden) for _ in range(2))
        self.sums = nn.ModuleList(GatedSum(hidden) for _ in range(2))
        self.readout = nn.Linear(2 * hidden, outputs)
        self.direct = nn.Linear(n_vertices * (n_types + n_vertices), outputs, bias=False)

    def forward(self, graphs: Graphs) -> Tensor:
        """n graphs -> (n, outputs) float32."""
        inputs = vertex_inputs(graphs.types, self.n_types)
        order = range(self.n_vertices)
        edges = graphs.adjacency.float()
        forward = self._pass(0, inputs, edges.transpose(1, 2), list(order))
        backward = self._pass(1, inputs, edges, list(reversed(order)))
        whole = torch.cat([inputs[..., : self.n_types], edges], dim=2).flatten(1)
        return self.readout(torch.cat([forward, backward], dim=1)) + self.direct(whole)  # type: ignore[no-any-return]

    def _pass(self, which: int, inputs: Tensor, reads: Tensor, order: list[int]) -> Tensor:
        """The state of the last vertex in ``order``; ``reads[:, i, j]`` is 1 where vertex i reads vertex j."""
        cell, gated = self.cells[which], self.sums[which]
        state = inputs.new_zeros(len(inputs), self.hidden)
        messages: list[Tensor] = []
        for place, vertex in enumerate(order):
            heard = state
            if messages:
                heard = torch.einsum("nj,jnh->nh", reads[:, vertex, order[:place]], torch.stack(messages))
            state = cell(inputs[:, vertex], heard)
            messages.append(gated(state))
        return state


class GatedSum(nn.Module):
    """What a vertex contributes to the sum over the vertices that point to another: its state, mapped and gated."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(hidden, hidden)
        self.map = nn.Linear(hidden, hidden, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        """(..., hidden) -> (..., hidden)."""
        return torch.sigmoid(self.gate(states)) * self.map(states)  # type: ignore[no-any-return]


def vertex_inputs(types: Tensor, n_types: int) -> Tensor:
    """(n, v) types -> (n, v, n_types + v) float32: one-hot type, one-hot number of the vertex."""
    n, v = types.shape
    return torch.cat([F.one_hot(types, n_types), torch.eye(v, dtype=torch.int64).expand(n, v, v)], dim=2).float()
