"""All proxies of networks as users write them: a score, or a reason."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from surronas.proxies import Proxy, get_proxy, list_proxies
from surronas.proxies.probe import NotApplicable, Probe

SINGLE = [name for name in list_proxies() if isinstance(get_proxy(name), Proxy)]


class Attention(nn.Module):
    """A transformer's layer."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = self.qkv(self.first(x)).view(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, c))
        return x + self.mlp(self.second(x))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 12, 4, stride=4)
        self.positions = nn.Parameter(torch.randn(1, 4, 12))
        self.layers = nn.Sequential(*[Attention(12, 3) for _ in range(3)])
        self.classifier = nn.Linear(12, 4)

    def forward(self, x):
        tokens = self.patches(x).flatten(2).transpose(1, 2) + self.positions
        return self.classifier(self.layers(tokens).mean(1))


class TorchsOwn(nn.Module):
    """With torch's layer, whose attention is one function."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 12, 4, stride=4)
        self.layers = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(12, 3, 24, dropout=0.0, batch_first=True), 2, enable_nested_tensor=False
        )
        self.classifier = nn.Linear(12, 4)

    def forward(self, x):
        return self.classifier(self.layers(self.patches(x).flatten(2).transpose(1, 2)).mean(1))


class InPlace(nn.Module):
    """Residual blocks that add in place."""

    def __init__(self, norm, activation):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.first, self.second = nn.Conv2d(6, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.norms = nn.ModuleList([norm(6) for _ in range(3)])
        self.activation = activation
        self.classifier = nn.Linear(6, 4)

    def forward(self, x):
        x = self.activation(self.norms[0](self.stem(x)))
        for convolution, norm in ((self.first, self.norms[1]), (self.second, self.norms[2])):
            y = norm(convolution(x))
            y += x
            x = self.activation(y)
        return self.classifier(F.adaptive_avg_pool2d(x, 1).flatten(1))


def no_norm(_):
    return nn.Identity()


def group_norm(channels):
    return nn.GroupNorm(2, channels)


BATCH_NORM_AND_RELU = InPlace(nn.BatchNorm2d, nn.ReLU(inplace=True))
NETWORKS = {
    "residual": (BATCH_NORM_AND_RELU, set()),
    "no norm": (InPlace(no_norm, nn.ReLU()), {"zen"}),
    "group norm, GELU": (InPlace(group_norm, nn.GELU()), {"zen"}),
    "no ReLU": (InPlace(nn.BatchNorm2d, torch.tanh), {"nwot", "swap", "te_regions"}),
    "transformer": (Transformer(), {"zen", "gennas"}),
    "torch's transformer": (TorchsOwn(), {"zen", "gennas"}),
}


def probe_of(network):
    torch.manual_seed(0)
    return Probe(network, torch.randn(16, 3, 8, 8), torch.arange(16) % 4, seed=0)


@pytest.mark.parametrize("kind", NETWORKS)
def test_each_gives_a_finite_score_or_says_why_not(kind):
    network, without = NETWORKS[kind]
    of = probe_of(network)
    reasons = {}
    for name in SINGLE:
        try:
            assert np.isfinite(get_proxy(name).measure(of)), name
        except NotApplicable as reason:
            reasons[name] = str(reason)
    assert set(reasons) == without, reasons
    assert all(len(reason) > 20 for reason in reasons.values())


def test_layers_that_are_torchs_own_are_counted():
    assert get_proxy("layers").measure(probe_of(TorchsOwn())) == 1 + 2 * 4 + 1


def test_adding_in_place_changes_no_score():
    """What is heard of a convolution stays what it gave."""

    class Anew(InPlace):
        def forward(self, x):
            x = F.relu(self.norms[0](self.stem(x)))
            x = F.relu(x + self.norms[1](self.first(x)))
            x = F.relu(x + self.norms[2](self.second(x)))
            return self.classifier(x.mean((2, 3)))

    anew = Anew(nn.BatchNorm2d, None)
    anew.load_state_dict(BATCH_NORM_AND_RELU.state_dict(), strict=True)
    for name in ("fisher", "meco", "nwot", "swap", "jacov", "synflow", "vkdnw"):
        expected = get_proxy(name).measure(probe_of(anew))
        assert get_proxy(name).measure(probe_of(BATCH_NORM_AND_RELU)) == pytest.approx(expected, rel=1e-3), name
