"""Seconds that proxies take for networks of NAS-Bench-201: each alone, and all on shared passes.

Batches of 64 images of 32x32, one thread a network. On two cores two networks are scored at a time: the time a network
takes there is about half of what is printed. Run it with nothing else running.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import pandas as pd
import torch
from rich import print as show
from rich.progress import track

from surronas.proxies import Scorer, get_proxy
from surronas.proxies.measure import measure
from surronas.proxies.scorer import CHEAP
from surronas.spaces import get_space


def seconds(arch: Sequence[int], names: Sequence[str]) -> float:
    """Of one network's proxies on shared passes, without building it."""
    space, rng = get_space("nasbench201"), torch.Generator().manual_seed(0)
    images, labels = torch.randn(64, 3, 32, 32, generator=rng), torch.arange(64) % 10
    found = measure(lambda: space.build(arch), images, labels, [get_proxy(name) for name in names], seed=0)
    return sum(time for name, time in found.seconds.items() if name != "build")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=7, help="random networks, of which the median is shown")
    args = parser.parse_args()
    names = Scorer("all").measured
    space = get_space("nasbench201")
    archs = space.representatives(space.canonical(space.sample(args.n, random_state=0, unique=True)))
    seconds(archs[0], names)  # what torch does only once
    rows = []
    for arch in track(archs.tolist(), description="Networks"):
        alone = {name: seconds(arch, [name]) for name in names}
        rows.append(
            {
                **alone,
                "one at a time": sum(alone.values()),
                "all, shared": seconds(arch, names),
                "cheap, shared": seconds(arch, CHEAP),
            }
        )
    frame = pd.DataFrame(rows)
    for name, time in frame.median().items():
        show(f"{name:<16} {time:7.3f} s")
    ratios = frame["one at a time"] / frame["all, shared"]
    show(f"shared passes save {ratios.median():.1f}x (median of {args.n} networks; at least {ratios.min():.1f}x)")


if __name__ == "__main__":
    main()
