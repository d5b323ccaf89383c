"""How accurate an architecture will be on a data set, from the two alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from surronas.meta.graph_encoder import GraphEncoder
from surronas.meta.graphs import Graphs
from surronas.meta.set_encoder import SetEncoder, Sets

__all__ = ["MetaPredictor"]


class MetaPredictor(nn.Module):
    """The meta performance predictor of MetaD2A (Lee et al., 2021, arXiv:2107.00860).

    A graph encoder's vector and a set encoder's, side by side, through a linear layer, tanh and a linear layer.

    Parameters
    ----------
    n_types, n_vertices : int
        Of a ``GraphCode``.
    n_features : int, default=512
        Of an image.
    hidden : int, default=128

    Attributes
    ----------
    location, scale : () float32
        Of the accuracies it was trained on, in %; ``forward`` is on the scale where they are 0 and 1.
    """

    location: Tensor
    scale: Tensor

    def __init__(self, n_types: int, n_vertices: int, n_features: int = 512, hidden: int = 128) -> None:
        super().__init__()
        self.graphs = GraphEncoder(n_types, n_vertices, hidden, hidden)
        self.sets = SetEncoder(n_features, hidden)
        self.score = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.Tanh(), nn.Linear(hidden, 1))
        self.register_buffer("location", torch.tensor(0.0))
        self.register_buffer("scale", torch.tensor(1.0))

    def forward(self, graphs: Graphs, sets: Sets, rows: Tensor) -> Tensor:
        """Standardised accuracies.

        Parameters
        ----------
        graphs : n graphs
        sets : t sets
        rows : (n,) int64
            The set that each graph is scored for.

        Returns
        -------
        (n,) float32
        """
        return self._scores(self.graphs(graphs), self.sets(sets)[rows])

    @torch.no_grad()
    def predict(self, graphs: Graphs, sets: Sets) -> Tensor:
        """(n, t) float32: accuracy in % of each of n architectures on each of t sets.

        Several draws of one data set's images as the sets give a mean and a spread.
        """
        vectors, of_sets = self.graphs(graphs), self.sets(sets)
        n, t = len(vectors), len(of_sets)
        scores = self._scores(vectors.repeat_interleave(t, dim=0), of_sets.repeat(n, 1))
        return (self.location + self.scale * scores).view(n, t)

    def _scores(self, of_graphs: Tensor, of_sets: Tensor) -> Tensor:
        return self.score(torch.cat([of_graphs, of_sets], dim=1))[:, 0]  # type: ignore[no-any-return]
