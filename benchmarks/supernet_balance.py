"""The last epochs of the shipped supernet: for the subnets that the extremes' updates had left behind.

In a sandwich the largest and the smallest subnet learn in every step, always at the greatest and the least resolution.
After 24 epochs random subnets *at these resolutions* were worse than they should be: width 0.8 had 84.8 % at 32 pixels,
but 86.4 % at 28 (five structures, 2,500 validation images). Here the smallest learns in every third step only, and of
the two random ones in each step the first is drawn at the extremes' resolutions, or next to the greatest. It can be
started by torchrun, and goes on where it stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

import surronas as sn
from surronas.spaces.mbconv import MBConv
from surronas.supernet.adaptation import fine_tune
from surronas.supernet.processes import process_group
from surronas.supernet.recipe import Recipe
from surronas.supernet.weights import load_supernet, read_card

SHARES = {0: 0.35, -2: 0.2, -1: 0.45}  # of the first random subnet's resolutions
SEED = 7


class Balanced:
    """Step -> the largest subnet, two random ones, and in every third step the smallest."""

    def __init__(self, space: MBConv) -> None:
        self.space = space
        self.shares = np.zeros(len(space.resolutions))
        for place, share in SHARES.items():
            self.shares[place] += share

    def __call__(self, step: int) -> list[Any]:
        rng = np.random.default_rng((SEED, step))
        first, second = self.space.sample(2, int(rng.integers(2**32)), unique=False)
        first[0] = rng.choice(len(self.shares), p=self.shares)
        return [self.space.largest(), first, second, *([self.space.smallest()] if step % 3 == 0 else [])]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trained", type=Path, help="supernet.safetensors of a training")
    parser.add_argument("--images", help="what it was trained on; by default as its card says")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    supernet = load_supernet(args.trained)
    images = sn.load_images(args.images or read_card(args.trained)["images"]["name"])
    recipe = Recipe(warmup_epochs=0, epochs=args.epochs, learning_rate=args.learning_rate)
    with process_group():
        fine_tune(supernet, images, recipe=recipe, subnets=Balanced(supernet.space), folder=args.out, progress=True)
