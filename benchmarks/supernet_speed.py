"""What the choice of the supernet's blocks rests on: how long their parts take on this machine, each beside a peer.

Forward and backward of batches in one thread, unless a row says otherwise; the variants of a question take turns, so
that a machine that slows down slows all of them. The first variant of each question is what the supernet does.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pages import markdown
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F

from surronas.spaces.mbconv import MBConv, Stage
from surronas.spaces.networks.mbconv_layers import Conv2d
from surronas.supernet.machine import keep_freed_memory
from surronas.supernet.network import SuperNet

Run = Callable[[], Any]
Row = tuple[str, str, float, float, float]
TITLE = ("question", "variant", "ms", "quartiles", "times the first")
PAGE = Path(__file__).parents[1] / "docs" / "supernet-speed.md"
BATCH = 128


def timed(question: str, variants: dict[str, Run], repeats: int) -> Iterator[Row]:
    """Median milliseconds of each variant, the distance of its quartiles, its ratio to the first one's."""
    for run in variants.values():
        run(), run()  # oneDNN compiles its kernels
    times = np.empty((repeats, len(variants)))
    for row in times:
        for i, run in enumerate(variants.values()):
            began = time.perf_counter()
            run()
            row[i] = 1000 * (time.perf_counter() - began)
    low, medians, high = np.percentile(times, [25, 50, 75], axis=0)
    for name, median, spread in zip(variants, medians, high - low, strict=True):
        yield question, name, median, spread, median / medians[0]


def batch(channels: int, side: int, dtype: torch.dtype = torch.bfloat16, layout: Any = torch.channels_last) -> Tensor:
    return torch.randn(BATCH, channels, side, side).to(dtype, memory_format=layout).requires_grad_()


def both_ways(network: Run, images: Tensor) -> Run:
    return lambda: network(images).sum().backward()


def block(fused: bool, channels: int, expand: int, kernel: int = 3) -> nn.Module:
    """A block with a shortcut, as the networks have it."""
    stage = Stage(fused, channels, 1, depths=(2,), kernels=(kernel,), expands=(expand,))
    space = MBConv([stage], resolutions=(16, 32), widths=(1.0,), stem=8, features=8)
    return space.build(space.smallest()).blocks["stage1_block2"]


class SqueezeExcite(nn.Module):
    """Channels weighted by what all pixels say (Hu et al., 2018, arXiv:1709.01507)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce, self.expand = Conv2d(channels, channels // 4, 1), Conv2d(channels // 4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        weights = self.expand(F.relu(self.reduce(F.adaptive_avg_pool2d(x, 1))))
        return x * F.hardsigmoid(weights)


def with_squeeze(plain: nn.Module) -> nn.Module:
    plain.depthwise.activation = nn.Sequential(
        plain.depthwise.activation, SqueezeExcite(plain.depthwise.norm.num_features)
    )
    return plain


def blocks(repeats: int) -> Iterator[Row]:
    for place, side, channels in (("early", 16, 48), ("late", 4, 128)):
        variants = {
            f"{name}, expansion {expand}": both_ways(block(fused, channels, expand), batch(channels, side))
            for name, fused, expand in (("fused", True, 2), ("depthwise", False, 2), ("depthwise", False, 4))
        }
        ordered = variants if place == "early" else dict(sorted(variants.items()))
        yield from timed(f"{place} block: {channels} channels, {side}x{side}", ordered, repeats)
    for place, side, channels in (("early", 16, 48), ("late", 4, 128)):
        variants = {
            "without": both_ways(block(False, channels, 3), batch(channels, side)),
            "with squeeze-and-excitation": both_ways(with_squeeze(block(False, channels, 3)), batch(channels, side)),
        }
        yield from timed(f"{place} depthwise block, attention", variants, repeats)


def depthwise_gradient(repeats: int) -> Iterator[Row]:
    for kernel, stride in ((3, 1), (5, 1), (3, 2)):
        conv, images = Conv2d(288, 288, kernel, stride, kernel // 2, groups=288, bias=False), batch(288, 8)

        def onednn(x: Tensor, conv: Conv2d = conv) -> Tensor:
            return F.conv2d(x, conv.weight.to(x.dtype), None, conv.stride, conv.padding, groups=288)

        variants = {
            "by dense groups of 16": both_ways(conv, images),
            "oneDNN's": both_ways(onednn, images),
            "oneDNN's in float32": both_ways(onednn, images.detach().float().requires_grad_()),
        }
        yield from timed(f"depthwise gradient: {kernel}x{kernel}, stride {stride}", variants, repeats)


def layouts(repeats: int) -> Iterator[Row]:
    space = MBConv()
    for name, x in (("smallest", space.smallest()), ("largest", space.largest())):
        network = space.build(x)
        variants = {
            f"{str(dtype)[6:]}, {'channels last' if layout == torch.channels_last else 'contiguous'}": both_ways(
                network, batch(3, network.resolution, dtype, layout)
            )
            for dtype in (torch.bfloat16, torch.float32)
            for layout in (torch.channels_last, torch.contiguous_format)
        }
        yield from timed(f"{name} network, batch {BATCH}", variants, max(3, repeats // 3))


def compilation(repeats: int) -> Iterator[Row]:
    """The smallest subnet's inference; torch.compile wants a C++ compiler."""
    question = "torch.compile, inference of the smallest"
    if not any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))):
        yield f"{question}: no C++ compiler here", "eager", np.nan, np.nan, np.nan
        return
    space = MBConv()
    network = SuperNet(space, 10).eval().extract(space.smallest())
    images = batch(3, network.resolution, torch.float32).detach()
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = torch.compile(network)
        began = time.perf_counter()
        try:
            compiled(images)
        except Exception as error:  # noqa: BLE001  a compiler may fail in any way, and that is a finding
            yield f"{question}: {type(error).__name__}", "compiled", np.nan, np.nan, np.nan
            return
        seconds = time.perf_counter() - began
        variants = {"eager": lambda: network(images), f"compiled in {seconds:.0f} s": lambda: compiled(images)}
        yield from timed(f"{question}, batch {BATCH}, float32", variants, 2 * repeats)


def worker(threads: int, keep: bool, steps: int) -> None:
    """Milliseconds an image of the largest subnet's training."""
    if keep:
        keep_freed_memory()
    torch.set_num_threads(threads)
    space = MBConv()
    supernet, x = SuperNet(space, 10).train(), space.largest()
    images = supernet.inputs(
        torch.randint(0, 256, (BATCH // 2 * threads, 3, 32, 32), dtype=torch.uint8), x, torch.bfloat16
    )
    times = []
    for _ in range(steps + 2):
        began = time.perf_counter()
        supernet(images, x).sum().backward()
        times.append(1000 * (time.perf_counter() - began))
    print(*times[2:])


def processes(repeats: int) -> Iterator[Row]:
    """A batch shared by processes, each a training step of its own; the slower one counts."""
    variants = {"two processes of one thread": (2, 1, 1), "one process of two threads": (1, 2, 1)}
    variants["two processes, malloc as it is"] = (2, 1, 0)
    first = None
    for name, (number, threads, keep) in variants.items():
        command = [sys.executable, __file__, "--worker", str(threads), str(keep), "--repeats", str(repeats)]
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(number)]
        times = np.array([process.communicate()[0].split() for process in started], dtype=float).max(axis=0)
        low, median, high = np.percentile(times, [25, 50, 75])
        first = first or median
        yield f"a batch of {BATCH} on two cores, largest", name, median, high - low, median / first


def shown(rows: list[Row]) -> list[tuple[str, ...]]:
    """Rows as text; a question is named once."""
    lines = []
    for i, (question, variant, *figures) in enumerate(rows):
        again = i > 0 and rows[i - 1][0] == question
        lines.append(("" if again else question, variant, *("" if np.isnan(v) else f"{v:.2f}" for v in figures)))
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--write", action="store_true", help=f"also write docs/{PAGE.name}")
    parser.add_argument("--worker", type=int, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        worker(given.worker[0], bool(given.worker[1]), given.repeats)
        sys.exit()
    keep_freed_memory()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    parts = (blocks, depthwise_gradient, layouts, compilation, processes)
    lines = shown([row for part in parts for row in part(given.repeats)])
    table = Table(*TITLE)
    for line in lines:
        table.add_row(*line)
    Console().print(table)
    if given.write:
        about = f"# Speed of the supernet's parts\n\n{__doc__}\n`python benchmarks/supernet_speed.py --write`"
        about += f", torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}.\n"
        PAGE.write_text("\n".join([about, markdown(pd.DataFrame(lines, columns=TITLE)), ""]))
