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

    A graph encoder's vector and a set encoder's, side by side, through a linear layer, tanh and a linear layer. Here
    that is a *score*, on the scale where the architectures of a task have mean 0 and deviation 1: most of what makes
    accuracies differ is the task, which says nothing of its architectures. A linear layer of the set's vector gives the
    task's mean and deviation.

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
        Of the tasks' mean accuracies it was trained on, in %.
    """

    location: Tensor
    scale: Tensor

    def __init__(self, n_types: int, n_vertices: int, n_features: int = 512, hidden: int = 128) -> None:
        super().__init__()
        self.graphs = GraphEncoder(n_types, n_vertices, hidden, hidden)
        self.sets = SetEncoder(n_features, hidden)
        self.score = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.Tanh(), nn.Linear(hidden, 1))
        self.level = nn.Linear(hidden, 2)
        self.register_buffer("location", torch.tensor(0.0))
        self.register_buffer("scale", torch.tensor(1.0))

    def forward(self, graphs: Graphs, sets: Sets, of_graph: Tensor, of_set: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of pairs, and levels of the sets.

        Parameters
        ----------
        graphs : n graphs
        sets : t sets
        of_graph, of_set : (p,) int64
            The pairs, by number.

        Returns
        -------
        scores : (p,) float32
        levels : (t, 2) float32
            A task's mean on the scale where ``location`` and ``scale`` are 0 and 1, and the logarithm of its deviation.
        """
        vectors, of_sets = self.graphs(graphs), self.sets(sets)
        return self._scores(vectors[of_graph], of_sets[of_set]), self.level(of_sets)

    @torch.no_grad()
    def predict(self, graphs: Graphs, sets: Sets, scores: bool = False) -> Tensor:
        """(n, t) float32: accuracy in % of each of n architectures on each of t sets, or their scores.

        Several draws of one data set's images as the sets give a mean and a spread.
        """
        of_sets = self.sets(sets)
        table = self.score_all(graphs, of_sets)
        if scores:
            return table
        mean, log_deviation = self.level(of_sets).unbind(dim=1)
        accuracies: Tensor = self.location + self.scale * mean + log_deviation.exp() * table
        return accuracies

    def score_all(self, graphs: Graphs, of_sets: Tensor) -> Tensor:
        """(n, t) float32: scores of n graphs on t sets, whose (t, hidden) vectors ``sets`` has made."""
        vectors = self.graphs(graphs)
        return torch.stack([self._scores(vectors, one.expand(len(vectors), -1)) for one in of_sets], dim=1)

    def _scores(self, of_graphs: Tensor, of_sets: Tensor) -> Tensor:
        return self.score(torch.cat([of_graphs, of_sets], dim=1))[:, 0]  # type: ignore[no-any-return]
