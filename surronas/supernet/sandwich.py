"""What learns in a step of a supernet's training."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from surronas.spaces.base import IntArray
from surronas.spaces.mbconv import MBConv
from surronas.supernet.recipe import Recipe

__all__ = ["Sandwich", "Subnets"]

Subnets = Callable[[int], Iterable[Any]]
"""Number of a step -> its subnets, the teacher first; ``training`` says more."""


class Sandwich:
    """The largest network alone while it warms up; then the largest, the smallest and random ones.

    Parameters
    ----------
    space : MBConv
    recipe : Recipe
    warmup_steps : int
    """

    def __init__(self, space: MBConv, recipe: Recipe, warmup_steps: int) -> None:
        self.space, self.recipe, self.warmup_steps = space, recipe, warmup_steps

    def __call__(self, step: int) -> list[IntArray]:
        if step < self.warmup_steps:
            return [self.space.largest()]
        seed = np.random.default_rng((self.recipe.seed, step)).integers(2**32)
        random = self.space.sample(self.recipe.n_random, int(seed), unique=False)
        return [self.space.largest(), self.space.smallest(), *random]
