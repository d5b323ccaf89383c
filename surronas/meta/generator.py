"""Architectures for a data set: a variational autoencoder of graphs whose prior follows from the set's vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from surronas.meta.decoder import GraphDecoder
from surronas.meta.graph_encoder import GraphEncoder
from surronas.meta.graphs import Graphs

__all__ = ["GraphGenerator"]

_FIRST_LOG_RATIO = -8.0  # of the variance of z before training, given the graph, to that without it


class GraphGenerator(nn.Module):
    """Prior p(z | images), graph encoder q(z | graph, images), decoder p(graph | z).

    Images come as the vectors that the meta predictor's set encoder makes of them. MetaD2A (Lee et al., 2021,
    arXiv:2107.00860) trains a second set encoder with the decoder: so little of a graph's likelihood depends on the
    images that one here came to say the same of all of them. MetaD2A draws z from the prior alone, for training too. A
    z that has seen the graph lets the decoder say which of a task's many good architectures it writes; it is kept near
    what the prior expects, in units of that one's spread, and is centred on it.

    Parameters
    ----------
    n_types, n_vertices : int
        Of a ``GraphCode``.
    latent : int, default=56
    hidden : int, default=128
        Also of a set's vector.
    """

    def __init__(self, n_types: int, n_vertices: int, latent: int = 56, hidden: int = 128) -> None:
        super().__init__()
        self.prior = nn.Linear(hidden, 2 * latent)
        self.graphs = GraphEncoder(n_types, n_vertices, hidden, hidden)
        last = nn.Linear(2 * hidden, 2 * latent)
        with torch.no_grad():  # a z that is mostly noise is soon ignored, and then nothing is learnt through it
            last.bias[latent:] = _FIRST_LOG_RATIO
        self.posterior = nn.Sequential(nn.Linear(hidden + 2 * latent, 2 * hidden), nn.ReLU(), last)
        self.decoder = GraphDecoder(n_types, n_vertices, latent, hidden)

    def loss(
        self, graphs: Graphs, of_sets: Tensor, rows: Tensor, generator: torch.Generator, beta: float | Tensor
    ) -> Tensor:
        """-log p(graph | z) + beta KL(q || p), mean over the graphs.

        Parameters
        ----------
        graphs : n graphs
        of_sets : (t, hidden) float32
            Vectors of t sets of images.
        rows : (n,) int64
            The set that each graph belongs to.
        generator : torch.Generator
            Of the noise in z.
        beta : float or (n,) tensor
            0 for a graph that is only to be reconstructed, which says nothing of what is good on its set.
        """
        prior = self._prior(of_sets, rows)
        mean, log_variance = self._posterior(graphs, prior)
        z = mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=generator)
        log_ratio = log_variance - prior[1]
        divergence = 0.5 * (log_ratio.exp() + (mean - prior[0]).square() / prior[1].exp() - 1 - log_ratio).sum(dim=1)
        return (beta * divergence - self.decoder.log_likelihood(z, graphs)).mean()

    @torch.no_grad()
    def sample(self, of_sets: Tensor, n: int, generator: torch.Generator) -> Graphs:
        """n graphs for each of t sets, the first set's first: t n graphs, not all of which need be valid.

        What is drawn is z, which says all of a graph; types and edges are the likeliest.
        """
        mean, log_variance = self._prior(of_sets, torch.arange(len(of_sets)).repeat_interleave(n))
        z = mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=generator)
        return self.decoder.write(z)

    @torch.no_grad()
    def reconstruct(self, graphs: Graphs, of_sets: Tensor, rows: Tensor) -> Graphs:
        """What the decoder writes of the mean z of each graph; arguments as of ``loss``."""
        mean, _ = self._posterior(graphs, self._prior(of_sets, rows))
        return self.decoder.write(mean)

    def _prior(self, of_sets: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of z for each row's set."""
        mean, log_variance = self.prior(of_sets[rows]).chunk(2, dim=1)
        return mean, log_variance.clamp(-8, 8)

    def _posterior(self, graphs: Graphs, prior: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        mean, log_variance = prior
        shift, log_ratio = self.posterior(torch.cat([self.graphs(graphs), mean, log_variance], dim=1)).chunk(2, dim=1)
        return mean + shift * (log_variance / 2).exp(), log_variance + log_ratio.clamp(-16, 4)
