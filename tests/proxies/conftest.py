from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from surronas.proxies import gennas, get_proxy
from surronas.proxies.probe import Probe


class Modules(nn.Module):
    """A residual network of modules, in double precision."""

    def __init__(self, norm=True, inplace=False):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.first = nn.BatchNorm2d(6) if norm else nn.Identity()
        self.relu = nn.ReLU(inplace=inplace)
        self.body = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.second = nn.BatchNorm2d(6) if norm else nn.Identity()
        self.last = nn.ReLU(inplace=inplace)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(6, 4)

    def forward(self, x):
        x = self.relu(self.first(self.stem(x)))
        x = self.last(x + self.second(self.body(x)))
        return self.classifier(self.pool(x).flatten(1))


class Functions(Modules):
    """The same, of functions."""

    def forward(self, x):
        x = torch.relu_(self.first(self.stem(x)))
        x = F.relu(x + self.second(self.body(x)), inplace=True)
        return F.linear(x.mean((2, 3)), self.classifier.weight, self.classifier.bias)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    """GenNAS trains: its hundred steps are for those who ask for it."""
    assert gennas._STEPS == 100
    monkeypatch.setattr(gennas, "_STEPS", 4)


@pytest.fixture
def probe():
    """A network of some kind on twelve images."""

    def make(kind=Modules, **options):
        torch.manual_seed(0)
        network = kind(**options).double()
        images = torch.randn(12, 3, 7, 7, dtype=torch.float64)
        return Probe(network, images, torch.arange(12) % 4, seed=0)

    return make


@pytest.fixture
def score(probe):
    return lambda name, kind=Modules, **options: get_proxy(name).measure(probe(kind, **options))


@pytest.fixture
def functions():
    return Functions
