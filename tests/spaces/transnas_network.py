"""TransNAS-Bench-101's classification networks from their official strings, to count what a pass through them costs."""

from __future__ import annotations

import torch
from torch import nn


def conv(c_in, c_out, kernel, stride=1):
    layer = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), layer, nn.BatchNorm2d(c_out))


class Reduce(nn.Module):
    """Two 1x1 convolutions at positions one apart, each for half of the channels."""

    def __init__(self, c_in, c_out):
        super().__init__()
        self.halves = nn.ModuleList(nn.Conv2d(c_in, c_out // 2, 1, 2, bias=False) for _ in range(2))
        self.norm = nn.BatchNorm2d(c_out)

    def forward(self, x):
        shifted = nn.functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        return self.norm(torch.cat([half(y) for half, y in zip(self.halves, (x, shifted), strict=True)], dim=1))


class Zero(nn.Module):
    def __init__(self, c_out, stride):
        super().__init__()
        self.c_out, self.stride = c_out, stride

    def forward(self, x):
        return torch.zeros_like(x[:, :1, :: self.stride, :: self.stride]).repeat(1, self.c_out, 1, 1)


class Cell(nn.Module):
    def __init__(self, code, c_in, c_out, stride):
        super().__init__()
        self.edges = nn.ModuleDict()
        for j, digits in enumerate(code.split("_"), start=1):
            for i, digit in enumerate(digits):
                c, s = (c_in, stride) if i == 0 else (c_out, 1)
                skip = nn.Identity() if c == c_out and s == 1 else Reduce(c, c_out)
                kernel = {"2": 1, "3": 3}.get(digit)
                op = conv(c, c_out, kernel, s) if kernel else {"0": Zero(c_out, s), "1": skip}[digit]
                self.edges[f"{i}{j}"] = op

    def forward(self, x):
        nodes = [x]
        for j in (1, 2, 3):
            nodes.append(sum(self.edges[f"{i}{j}"](nodes[i]) for i in range(j)))
        return nodes[-1]


class Block(nn.Module):
    def __init__(self, _, c_in, c_out, stride):
        super().__init__()
        self.body = nn.Sequential(conv(c_in, c_out, 3, stride), conv(c_out, c_out, 3))
        changes = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))
        self.shortcut = changes if stride > 1 or c_in != c_out else nn.Identity()

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


def counted(name, num_classes, resolution):
    """Parameters and multiply-adds of the network of an official string, layer by layer while it runs without data."""
    with torch.device("meta"):
        return _counted(name, num_classes, resolution)


def _counted(name, num_classes, resolution):
    channels, modules, code = name.split("-")
    c, part = int(channels), Block if code == "basic" else Cell
    layers = [nn.Conv2d(3, c // 2, 3, 2, 1, bias=False), nn.BatchNorm2d(c // 2), conv(c // 2, c, 3, 2)]
    for module in map(int, modules):
        c_out = 2 * c if module in (2, 4) else c
        layers += [part(code, c, c_out, 2 if module in (3, 4) else 1), part(code, c_out, c_out, 1)]
        c = c_out
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, num_classes)]
    net = nn.Sequential(*layers).eval()
    madds = []
    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(lambda m, _, y: madds.append(m.weight.numel() * y[0, 0].numel()))
    with torch.no_grad():
        net(torch.empty(1, 3, resolution, resolution))
    return [sum(p.numel() for p in net.parameters()), sum(madds)]
