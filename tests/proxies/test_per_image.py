"""Proxies of gradients image by image or batch by batch, against one backward pass for each."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from surronas.proxies import get_proxy
from surronas.proxies.probe import NotApplicable


def weight_gradients(network, number):
    weights = [part for part in network.parameters() if part.ndim > 1]
    return [g.numpy() for g in torch.autograd.grad(number, weights, retain_graph=True)]


def loss(of, rows):
    return F.cross_entropy(of.network(of.images[rows]), of.labels[rows])


def test_zico(probe):
    of = probe()
    halves = [weight_gradients(of.network, loss(of, rows)) for rows in ([0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11])]
    expected = 0.0
    for first, second in zip(*halves, strict=True):
        mean = (np.abs(first) + np.abs(second)) / 2
        deviation = np.abs(first - second) / 2
        expected += np.log(np.sum(mean / deviation))
    assert get_proxy("zico").measure(of) == pytest.approx(expected)


def test_zico_of_equal_halves(probe):
    of = probe()
    of.images[6:], of.labels = of.images[:6].clone(), of.labels[:6].repeat(2)
    with pytest.raises(NotApplicable, match="same gradients"):
        get_proxy("zico").measure(of)


def test_gradsign(probe):
    of = probe()
    signs = [[np.sign(g) for g in weight_gradients(of.network, loss(of, [i]))] for i in range(12)]
    expected = sum(np.abs(sum(of_layer)).sum() for of_layer in zip(*signs, strict=True))
    assert get_proxy("gradsign").measure(of) == expected


def test_te_ntk(probe):
    of = probe()
    rows = [
        np.concatenate([g.ravel() for g in weight_gradients(of.network, of.network(of.images[[i]]).sum())])
        for i in range(12)
    ]
    kernel = [[np.dot(a, b) for b in rows] for a in rows]
    assert get_proxy("te_ntk").measure(of) == pytest.approx(np.linalg.cond(kernel), rel=1e-6)


def test_te_ntk_of_equal_images(probe):
    """Its smallest eigenvalue is nought but for rounding, of either sign."""
    of = probe(lambda: nn.Sequential(nn.Flatten(), nn.Linear(147, 4)))
    of.images[1] = of.images[0]
    try:
        score = get_proxy("te_ntk").measure(of)
    except NotApplicable:
        score = np.inf
    assert score > 1e12


def test_te_regions_of_one_layer(probe):
    """Its activations are linear along the line, so that each changes at most once."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(147, 40), nn.ReLU(), nn.Linear(40, 4))
    of = probe(lambda: network)
    ends = network[1](network[0](of.images[:2])) > 0
    assert get_proxy("te_regions").measure(of) == 1 + int((ends[0] != ends[1]).sum())


def entropy_of_fisher(network, images):
    """Each image by itself, each class, each layer: the whole gradient, of which the first entry is taken."""
    products = []
    for image in images:
        logits = network(image[None])[0]
        jacobian = np.array([[g.ravel()[0] for g in weight_gradients(network, logit)] for logit in logits])
        p = logits.softmax(0).detach().numpy()
        products.append(jacobian.T @ (np.diag(p) - np.outer(p, p)) @ jacobian)
    deciles = np.quantile(np.linalg.eigvalsh(np.mean(products, axis=0)), np.arange(1, 10) / 10)
    shares = deciles / deciles.sum()
    return -np.sum(shares * np.log(shares))


def test_vkdnw(probe):
    of = probe()
    score = get_proxy("vkdnw").measure(of)

    def keep(norm, inputs, output):
        norm.running_mean, norm.running_var = inputs[0].mean((0, 2, 3)), inputs[0].var((0, 2, 3), correction=0)

    for norm in (of.network.first, of.network.second):
        norm.register_forward_hook(keep)
    with torch.no_grad():
        of.network(of.images)
    assert score == pytest.approx(3 + entropy_of_fisher(frozen(of.network), of.images), rel=1e-6)


def frozen(network):
    for norm in (network.first, network.second):
        norm._forward_hooks.clear()
    return network.eval()


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 6, 3, stride=2, padding=1, groups=3),
        nn.Conv2d(3, 6, 3, dilation=2, bias=False),
        nn.Conv2d(3, 6, (1, 3), padding=(0, 1)),
    ],
)
def test_vkdnw_knows_the_first_weight_of_any_convolution(probe, layer):
    network = nn.Sequential(layer, nn.ReLU(), nn.Flatten(), nn.LazyLinear(4)).double()
    network(torch.zeros(1, 3, 7, 7, dtype=torch.float64))
    of = probe(lambda: network)
    assert get_proxy("vkdnw").measure(of) == pytest.approx(2 + entropy_of_fisher(network, of.images), rel=1e-6)
