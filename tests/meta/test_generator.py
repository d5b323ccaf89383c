"""The generator as a whole: it learns by heart what it is given little of, and gives it back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from surronas.meta.generator import GraphGenerator
from surronas.meta.graphs import graph_code
from surronas.spaces import get_space
from surronas.spaces.mbconv import MBConv, Stage

SMALL = MBConv(
    [Stage(True, 8, 2, (1, 2), (3,), (1, 2)), Stage(False, 16, 1, (1, 2), (3, 5), (1, 2))],
    resolutions=(8, 16),
    widths=(0.5, 1.0),
    stem=16,
    features=16,
)


@pytest.fixture(scope="module", params=["nasbench201", "chain"])
def overfit(request):
    """A generator trained on twelve architectures, six for each of two sets."""
    torch.manual_seed(0)
    space = SMALL if request.param == "chain" else get_space("nasbench201")
    code = graph_code(space)
    X = space.canonical(space.sample(12, random_state=0))
    of_sets = torch.randn(2, 48)
    rows = torch.arange(2).repeat_interleave(6)
    graphs = code.write(X)
    model = GraphGenerator(code.n_types, code.n_vertices, latent=8, hidden=48)
    optimizer = torch.optim.Adam(model.parameters(), 8e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0.05, total_iters=260)
    generator = torch.Generator().manual_seed(0)
    for _ in range(260):
        optimizer.zero_grad()
        loss = model.loss(graphs, of_sets, rows, generator, beta=0.2)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2)
        optimizer.step()
        schedule.step()
    return model.eval(), code, X, graphs, of_sets, rows


def test_what_it_learnt_is_reconstructed(overfit):
    model, code, X, graphs, of_sets, rows = overfit
    again, valid = code.read(model.reconstruct(graphs, of_sets, rows))
    assert valid.mean() >= 0.95
    assert (again == X).all(axis=1).mean() >= 0.95


def test_samples_are_architectures_of_the_right_set(overfit):
    """Most are valid; those of the own set's six come much more often than those of the other's."""
    model, code, X, _, of_sets, _ = overfit
    drawn, valid = code.read(model.sample(of_sets, 100, torch.Generator().manual_seed(1)))
    assert valid.mean() > 0.5
    known = (drawn[:, None] == X[None]).all(axis=2).reshape(2, 100, 2, 6).any(axis=3).mean(axis=1)  # (drawn for, of)
    own, other = known.diagonal().mean(), (known[0, 1] + known[1, 0]) / 2
    assert own > 0.2
    assert own > 2 * other
    assert len(np.unique(drawn[valid], axis=0)) > 6


def test_the_same_seed_gives_the_same_graphs(overfit):
    model, *_, of_sets, _ = overfit
    one, same, other = (model.sample(of_sets, 20, torch.Generator().manual_seed(seed)).types for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_the_loss_is_likelihood_and_divergence(overfit):
    """The divergence against torch.distributions, the whole with the noise drawn again."""
    model, _, _, graphs, of_sets, rows = overfit
    prior = model._prior(of_sets, rows)
    posterior = model._posterior(graphs, prior)
    p, q = (torch.distributions.Normal(mean, (log_variance / 2).exp()) for mean, log_variance in (prior, posterior))
    divergence = torch.distributions.kl_divergence(q, p).sum(1)
    noise = torch.randn(q.mean.shape, generator=torch.Generator().manual_seed(5))
    expected = 0.1 * divergence - model.decoder.log_likelihood(q.mean + q.stddev * noise, graphs)
    loss = model.loss(graphs, of_sets, rows, torch.Generator().manual_seed(5), beta=0.1)
    torch.testing.assert_close(loss, expected.mean())
