"""Proxies of what blocks give, against their definitions written out with numpy; which blocks there are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from surronas.proxies import get_proxy
from surronas.proxies.blocks import in_blocks
from surronas.proxies.probe import NotApplicable, Probe
from surronas.spaces import get_space


class Residual(nn.Module):
    def __init__(self, channels, stride=1):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, stride, 1), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1)
        )
        self.pool = nn.AvgPool2d(stride)

    def forward(self, x):
        return self.pool(x) + self.body(x)


class Stages(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.ReLU())
        self.trunk = nn.Sequential(Residual(5), Residual(5, 2), nn.Sequential(nn.BatchNorm2d(5), nn.ReLU()))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(5, 4)

    def forward(self, x):
        return self.classifier(self.pool(self.trunk(self.stem(x))).flatten(1))


@pytest.fixture
def staged():
    torch.manual_seed(0)
    network = Stages().double()
    return Probe(network, torch.randn(6, 3, 8, 8, dtype=torch.float64), torch.arange(6) % 4, seed=0)


def features_of(network, images):
    stem = network.stem(images)
    first = network.trunk[0](stem)
    return [stem, first, network.trunk[1](first)]


def test_blocks_are_those_of_the_author(staged):
    network = staged.network
    assert in_blocks(network) == [network.stem, network.trunk[0], network.trunk[1], network.classifier]
    assert len(staged.features) == 3
    for heard, expected in zip(staged.features, features_of(network, staged.images), strict=True):
        assert torch.allclose(heard, expected)


def test_blocks_of_spaces_are_stem_cells_and_reductions():
    space = get_space("nasbench201")
    of = space.build("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|", channels=4, cells=2)
    assert len(in_blocks(of)) == 1 + 2 + 1 + 2 + 1 + 2 + 1  # the last is the classifier


def entropies(features):
    values = []
    for feature in features:
        rows = feature.detach().movedim(1, -1).reshape(-1, feature.shape[1]).numpy()
        variances = np.linalg.eigvalsh(np.cov(rows.T))
        shares = variances / variances.sum()
        values.append(-np.sum(shares * np.log(shares)))
    return np.array(values)


def test_expressivity_and_progressivity(staged):
    expected = entropies(features_of(staged.network, staged.images))
    assert get_proxy("az_expressivity").measure(staged) == pytest.approx(expected.sum())
    assert get_proxy("az_progressivity").measure(staged) == pytest.approx(np.diff(expected).min())


def test_trainability(staged):
    """Place by place; where the resolution halves, four pixels of five channels face each pixel of the output."""
    features = features_of(staged.network, staged.images)
    rng, scores = np.random.default_rng(0), []
    for start, end in pairwise(features):
        signs = torch.tensor(2.0 * rng.integers(2, size=end.shape, dtype=np.int8) - 1, dtype=torch.float64)
        back = torch.autograd.grad(end, start, signs, retain_graph=True)[0]
        n, channels, height, width = end.shape
        fold = start.shape[2] // height
        total = np.zeros((channels * fold * fold, channels))
        for i in range(n):
            for row in range(height):
                for column in range(width):
                    patch = back[i, :, row * fold : (row + 1) * fold, column * fold : (column + 1) * fold]
                    total += np.outer(patch.reshape(-1).numpy(), signs[i, :, row, column].numpy())
        largest = np.linalg.norm(total / (n * height * width), ord=2)
        scores.append(2 - largest - 1 / (largest + 1e-6))
    assert get_proxy("az_trainability").measure(staged) == pytest.approx(np.mean(scores))


def test_meco(staged):
    network, image = staged.network, staged.images[:1]
    maps = []
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            part.register_forward_hook(lambda m, x, y: maps.append(y[0].detach().flatten(1).numpy()))
    network(image)
    expected = sum(np.linalg.eigvalsh(np.corrcoef(m)).min() for m in maps)
    assert len(maps) == 5
    assert get_proxy("meco").measure(staged) == pytest.approx(expected)


def test_gennas_is_the_error_that_sgd_leaves(staged, monkeypatch):
    """Without a step it is that of the heads alone; with steps it is less; twice the same."""
    from surronas.proxies import gennas

    measure = get_proxy("gennas").measure
    monkeypatch.setattr(gennas, "_STEPS", 40)
    after = measure(staged)
    assert measure(staged) == after
    monkeypatch.setattr(gennas, "_STEPS", 0)
    before = measure(staged)
    assert after < before - 0.1
    expected = 0.0
    with torch.no_grad():
        features = features_of(staged.network, staged.images)[1:]
    for stage, maps in enumerate(features, start=1):
        signals = gennas._signals(staged.images, stage, torch.Generator().manual_seed(0))
        small = torch.nn.functional.interpolate(maps, 8)  # which norms in evaluation leave as they are
        given = (1 + float(small.square().sum(1).mean())) / (3 * maps.shape[1])  # by uniform weights
        expected += (float(signals.square().mean()) + given) * stage / 2
    assert before == pytest.approx(expected, rel=0.1)


def test_signals_are_sums_of_waves_signs_and_pixels():
    from surronas.proxies.gennas import _signals

    images = torch.randn(4, 3, 8, 8)
    first, second, third = (_signals(images, kind, torch.Generator().manual_seed(kind)) for kind in range(3))
    assert first.shape == second.shape == third.shape == (4, 64, 8, 8)
    assert first.abs().max() <= 3
    assert float(first.square().mean()) == pytest.approx(0.5 + 0.5 + 1, abs=0.1)
    unlike = [float(torch.corrcoef(torch.stack([s[0].flatten(), s[1].flatten()]))[0, 1]) for s in (first, third)]
    assert max(map(abs, unlike)) < 0.2  # each image has its own


def test_a_network_of_one_block_has_no_blocks_to_compare(probe):
    of = probe(lambda: nn.Sequential(nn.Flatten(), nn.Linear(147, 4)))
    for name in ("az_expressivity", "az_progressivity", "az_trainability"):
        with pytest.raises(NotApplicable, match="no two blocks"):
            get_proxy(name).measure(of)
    with pytest.raises(NotApplicable, match="no convolution"):
        get_proxy("meco").measure(of)
    with pytest.raises(NotApplicable, match="no blocks that give maps"):
        get_proxy("gennas").measure(of)
