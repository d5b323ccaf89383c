"""Each proxy against a slow reading of its paper's definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from surronas.proxies import Proxy, get_proxy, list_proxies
from surronas.proxies.probe import NotApplicable, Probe
from surronas.spaces import get_space

SINGLE = [name for name in list_proxies() if isinstance(get_proxy(name), Proxy)]


def weighted(network):
    return [part for part in network.modules() if isinstance(part, (nn.Conv2d, nn.Linear))]


def backward(probe):
    probe.network.zero_grad()
    F.cross_entropy(probe.network(probe.images), probe.labels).backward()


@pytest.mark.parametrize("name", SINGLE)
def test_layers_may_be_functions_and_may_work_in_place(score, functions, name):
    expected = score(name)
    assert np.isfinite(expected)
    assert score(name, inplace=True) == pytest.approx(expected, rel=1e-9)
    assert score(name, functions) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", SINGLE)
def test_a_score_is_the_same_whoever_was_asked_before_and_leaves_the_weights(probe, name):
    shared = probe()
    before = {key: part.clone() for key, part in shared.network.named_parameters()}
    alone = get_proxy(name).measure(probe())
    for other in SINGLE:
        get_proxy(other).measure(shared)
    assert get_proxy(name).measure(shared) == pytest.approx(alone, rel=1e-12)
    assert all(torch.equal(part, before[key]) for key, part in shared.network.named_parameters())


@pytest.mark.parametrize("name", SINGLE)
def test_it_says_what_it_is(name):
    proxy = get_proxy(name)
    assert proxy.name == name
    assert len(proxy.description) > 10


def test_sizes():
    space = get_space("nasbench201")
    x = space.sample(1, 0)[0]
    cost = space.cost([x], channels=4, cells=1, resolution=8).iloc[0]
    of = Probe(space.build(x, channels=4, cells=1), torch.randn(3, 3, 8, 8), torch.zeros(3, dtype=torch.int64), seed=0)
    assert get_proxy("params").measure(of) == cost["params"]
    assert get_proxy("madds").measure(of) == cost["madds"]
    assert get_proxy("layers").measure(of) == len(weighted(of.network))


def test_l2_and_gradient_norms(probe):
    of = probe()
    layers = weighted(of.network)
    assert get_proxy("l2_norm").measure(of) == pytest.approx(sum(np.linalg.norm(p.weight.detach()) for p in layers))
    backward(of)
    assert get_proxy("grad_norm").measure(of) == pytest.approx(sum(np.linalg.norm(p.weight.grad) for p in layers))


def test_snip_and_plain_are_gradients_by_masks(probe):
    of = probe()
    masks = {name: torch.ones_like(w, requires_grad=True) for name, w in of.weights.items()}
    parts = dict(of.network.named_parameters())
    masked = {name: w.detach() * masks[name] if name in masks else w.detach() for name, w in parts.items()}
    loss = F.cross_entropy(torch.func.functional_call(of.network, masked, (of.images,)), of.labels)
    gradients = torch.autograd.grad(loss, list(masks.values()))
    assert get_proxy("snip").measure(of) == pytest.approx(sum(float(g.abs().sum()) for g in gradients))
    assert get_proxy("plain").measure(of) == pytest.approx(sum(float(g.sum()) for g in gradients), abs=1e-9)


def test_grasp_is_minus_w_times_hessian_times_gradient(probe):
    """The Hessian's product by a central difference along the gradient."""
    of = probe()
    backward(of)
    weights = list(of.weights.values())
    start, direction = [w.detach().clone() for w in weights], [w.grad.clone() for w in weights]
    step, ends = 1e-5, []
    for sign in (1, -1):
        for w, s, d in zip(weights, start, direction, strict=True):
            w.data = s + sign * step * d
        backward(of)
        ends.append([w.grad.clone() for w in weights])
    for w, s in zip(weights, start, strict=True):
        w.data = s
    products = [(plus - minus) / (2 * step) for plus, minus in zip(*ends, strict=True)]
    expected = -sum(float((s * p).sum()) for s, p in zip(start, products, strict=True))
    assert get_proxy("grasp").measure(of) == pytest.approx(expected, rel=1e-4)


def test_fisher_gives_each_weight_the_mean_square_of_its_channel(probe):
    of = probe()
    heard = []
    handles = [
        part.register_forward_hook(lambda m, x, y: (y.retain_grad(), heard.append(y))[0])
        for part in weighted(of.network)
    ]
    backward(of)
    for handle in handles:
        handle.remove()
    total = 0.0
    for part, output in zip(weighted(of.network), heard, strict=True):
        for channel in range(output.shape[1]):
            sums = [float((output[i, channel] * output.grad[i, channel]).detach().sum()) for i in range(len(output))]
            total += part.weight[channel].numel() * np.mean(np.square(sums)) / 2
    assert get_proxy("fisher").measure(of) == pytest.approx(total)


def test_synflow_of_networks_without_batch_norms(score, probe):
    """With identities in their place; a path at a time for linear layers alone."""
    assert score("synflow") == pytest.approx(score("synflow", norm=False))
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(147, 5, bias=False), nn.ReLU(), nn.Linear(5, 4, bias=False)
    ).double()
    first, second = (part.weight.detach().abs().numpy() for part in (network[1], network[3]))
    paths = float((second @ first).sum())
    of = probe(lambda: network)
    assert get_proxy("synflow").measure(of) == pytest.approx(np.log(2 * paths))  # each path goes through both layers


def jacobians(of):
    rows = []
    for i in range(len(of.images)):
        images = of.images.clone().requires_grad_()
        logits = of.network(images)
        rows.append(torch.autograd.grad(logits.sum(), images)[0][i].flatten().numpy())
    return np.stack(rows)


def test_jacov_and_epe_nas(probe):
    of = probe()
    rows = jacobians(of)
    values = np.linalg.eigvals(np.corrcoef(rows)).real
    assert get_proxy("jacov").measure(of) == pytest.approx(
        -np.sum(np.log(values + 1e-5) + 1 / (values + 1e-5)), rel=1e-6
    )
    of_classes = [np.log(np.abs(np.corrcoef(rows[label::4])) + 1e-5).sum() for label in range(4)]
    assert get_proxy("epe_nas").measure(of) == pytest.approx(np.abs(of_classes).sum(), rel=1e-6)


def codes(of):
    heard = []
    handles = [
        part.register_forward_hook(lambda m, x, y: heard.append(y > 0)) for part in (of.network.relu, of.network.last)
    ]
    of.network(of.images)
    for handle in handles:
        handle.remove()
    return torch.cat([code.flatten(1) for code in heard], dim=1).numpy()


def test_nwot_is_the_determinant_of_agreements(probe):
    of = probe()
    code = codes(of)
    agreements = [[np.sum(a == b) for b in code] for a in code]
    assert get_proxy("nwot").measure(of) == pytest.approx(np.linalg.slogdet(np.array(agreements, dtype=float))[1])


def test_swap_counts_different_patterns(probe):
    of = probe()
    assert get_proxy("swap").measure(of) == len(set(map(bytes, codes(of).T.astype(np.uint8))))


def test_zen_of_one_layer(probe):
    """Written out: the batch norm takes the scale away, which its variance gives back."""
    network = nn.Sequential(nn.Conv2d(3, 5, 1, bias=False), nn.BatchNorm2d(5), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network.append(nn.Linear(5, 4))
    of = probe(lambda: network)
    draw = torch.Generator().manual_seed(0)
    kernel = torch.empty(5, 3, 1, 1, dtype=torch.float64).normal_(generator=draw)
    torch.empty(4, 5, dtype=torch.float64).normal_(generator=draw)  # the classifier
    x, y = (torch.randn((16, 3, 7, 7), generator=draw, dtype=torch.float64) for _ in range(2))
    before, after = (torch.einsum("oi,nihw->nohw", kernel[:, :, 0, 0], z).numpy() for z in (x, x + 0.01 * y))

    def normed(z):
        return (z - z.mean((0, 2, 3), keepdims=True)) / np.sqrt(z.var((0, 2, 3), keepdims=True) + 1e-5)

    moved = np.abs(normed(before) - normed(after)).sum((1, 2, 3)).mean()
    scale = np.sqrt(after.transpose(1, 0, 2, 3).reshape(5, -1).var(axis=1, ddof=1).mean())
    assert get_proxy("zen").measure(of) == pytest.approx(np.log(moved) + np.log(scale))


def test_zen_does_not_depend_on_the_weights(probe):
    of = probe()
    before = get_proxy("zen").measure(of)
    of.network.body.weight.data *= 3
    assert get_proxy("zen").measure(of) == before


@pytest.mark.parametrize(
    ("name", "network", "reason"),
    [
        ("nwot", nn.Sequential(nn.Flatten(), nn.Linear(147, 4)), "no activation of ReLU's family"),
        ("swap", nn.Sequential(nn.Flatten(), nn.Linear(147, 4), nn.Tanh()), "no activation of ReLU's family"),
        ("zen", nn.Sequential(nn.Flatten(), nn.Linear(147, 4)), "no batch norm"),
        ("zen", nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(147, 4)), "no pooling of whole maps"),
        ("snip", nn.Conv2d(3, 4, 1), "no logits"),
        ("nwot", nn.Sequential(nn.Flatten(), nn.Linear(147, 64), nn.Hardswish(), nn.Linear(64, 4)), None),
    ],
)
def test_where_it_is_not_defined_it_says_why(probe, name, network, reason):
    of = probe(lambda: network)
    if reason is None:
        assert np.isfinite(get_proxy(name).measure(of))
    else:
        with pytest.raises(NotApplicable, match=reason):
            get_proxy(name).measure(of)


def test_equal_images_have_no_determinant(probe):
    of = probe()
    of.images[1] = of.images[0]
    with pytest.raises(NotApplicable, match="same activations"):
        get_proxy("nwot").measure(of)


def test_a_network_whose_outputs_explode_has_no_score(probe):
    of = probe()
    of.network.classifier.bias.data.fill_(torch.nan)
    with pytest.raises(NotApplicable, match="not finite"):
        get_proxy("snip").measure(of)
