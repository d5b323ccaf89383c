"""Training the weights of a supernet, step by step, in one process or several.

What learns is up to the caller, so that the supernet's own training, fine-tuning and the training of one network from
scratch are the same steps. The contract:

- ``Trainer(supernet, images, recipe)`` starts from the weights that the supernet has, and trains these in place.
- ``subnets(step)`` names the architectures of a step. The first learns the labels, the others learn its outputs. It
  must give the same answer for the same step in every process and after a resumption, so what is random in it follows
  from the step's number. By default it is ``Sandwich``.
- ``augment(images, generator)`` changes a batch, (n, c, h, w) uint8 to the same, and draws from the generator only.
- Channels are sorted by importance when the recipe's warm-up ends; a recipe without a warm-up never sorts.
- Parameters that no subnet of a step uses, and those with ``requires_grad=False``, stay as they are.
- ``result()`` is a copy with the averaged weights. Batch-norm statistics belong to no subnet: calibrate before use.

A single network from scratch is a supernet that holds nothing larger, and is all that learns::

    supernet = SuperNet(space, images.n_classes, normalization=images.normalization, largest=x)
    trainer = Trainer(supernet, images, Recipe(warmup_epochs=0, epochs=5), subnets=lambda step: [x])
    while trainer.step < trainer.n_steps:
        trainer.run_step()
    network = trainer.result().extract(x)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from math import cos, pi
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from surronas.datasets.images import ImageData
from surronas.exceptions import InvalidInputError
from surronas.supernet.augment import crop_and_flip
from surronas.supernet.muon import Muon
from surronas.supernet.network import SuperNet
from surronas.supernet.processes import rank, sum_over_processes, world_size
from surronas.supernet.recipe import Recipe
from surronas.supernet.sandwich import Sandwich, Subnets
from surronas.supernet.sorting import sort_channels

__all__ = ["Augment", "Trainer"]

Augment = Callable[[Tensor, Generator], Tensor]

_OTHERS = 5.0  # times the learning rate have biases, batch norms, depthwise kernels and the classifier


class Trainer:
    """A training that can stop after any step and go on from there.

    What is random in a step (images, crops, subnets) follows from seed, epoch and step alone, so that a checkpoint
    needs no random states, and a resumed training gives the losses of one that was never interrupted. Of several
    processes each takes its share of a batch; their weights stay the same.

    Parameters
    ----------
    supernet : SuperNet
        Trained in place, from the weights it has.
    images : ImageData
        Square, with the supernet's channels and classes; only the training split is used.
    recipe : Recipe
    subnets : callable, optional
        What learns in a step; ``Sandwich`` by default.
    augment : callable, optional
        What happens to a batch; crops, and mirror images where the recipe flips, by default.

    Attributes
    ----------
    step : int
        Steps done, of ``n_steps``.
    losses : list of tuple of float
        Of each step: the losses of its subnets, in their order, on this process's share of the batch.
    seconds : float
        CPU time of the steps, of all processes together.

    Raises
    ------
    InvalidInputError
        When the images do not fit the supernet, or are too few for the batches and processes.
    """

    def __init__(
        self,
        supernet: SuperNet,
        images: ImageData,
        recipe: Recipe,
        *,
        subnets: Subnets | None = None,
        augment: Augment | None = None,
    ) -> None:
        self.rank, self.world = rank(), world_size()
        _check(supernet, images, recipe, self.world)
        self.supernet, self.recipe = supernet.train(), recipe
        pixels, labels = images.split("train")
        self.images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        self.labels = torch.from_numpy(labels)
        self.subnets = subnets or Sandwich(supernet.space, recipe, self.warmup_steps)
        self.augment = augment or partial(crop_and_flip, flip=recipe.flip)
        self.average = {name: part.detach().clone() for name, part in supernet.named_parameters()}
        self.dtype = torch.bfloat16 if recipe.bfloat16 else torch.float32
        self.optimizer: torch.optim.Optimizer = Muon(_groups(supernet, recipe), recipe.momentum, self.dtype)
        self.step, self.seconds = 0, 0.0
        self.losses: list[tuple[float, ...]] = []

    @property
    def steps_per_epoch(self) -> int:
        return max(1, len(self.labels) // self.recipe.batch_size)

    @property
    def warmup_steps(self) -> int:
        return self.recipe.warmup_epochs * self.steps_per_epoch

    @property
    def n_steps(self) -> int:
        return self.recipe.epochs * self.steps_per_epoch

    def run_step(self) -> tuple[float, ...]:
        """One step; the losses of its subnets, in their order."""
        began = time.process_time()
        recipe = self.recipe
        if self.step == self.warmup_steps > 0:
            self._sort()
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * _schedule(self.step / self.n_steps)
        images, labels = self._batch()
        self.optimizer.zero_grad()
        losses, teacher = [], None
        for x in self.subnets(self.step):
            logits = self.supernet(self.supernet.inputs(images, x, self.dtype), x)
            if teacher is None:
                loss = F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
                teacher = logits.detach().softmax(1)
            else:
                loss = F.cross_entropy(logits, teacher)
            loss.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        self._share_gradients()
        nn.utils.clip_grad_norm_(self.supernet.parameters(), recipe.clip)
        self.optimizer.step()
        self._update_average()
        self.step += 1
        self.losses.append(tuple(float(loss) for loss in losses))
        seconds = torch.tensor(time.process_time() - began, dtype=torch.float64)
        self.seconds += float(sum_over_processes(seconds))
        return self.losses[-1]

    def result(self) -> SuperNet:
        """A supernet with the averaged weights, ready for evaluation but for its batch-norm statistics."""
        of = self.supernet
        supernet = SuperNet(of.space, of.num_classes, of.in_channels, largest=of.largest)
        supernet.load_state_dict(of.state_dict() | self.average)
        return supernet.eval()

    def _batch(self) -> tuple[Tensor, Tensor]:
        epoch, place = divmod(self.step, self.steps_per_epoch)
        order = np.random.default_rng((self.recipe.seed, epoch)).permutation(len(self.labels))
        size = self.recipe.batch_size
        rows = torch.from_numpy(order[place * size : (place + 1) * size][self.rank :: self.world])
        seeds = np.random.default_rng((self.recipe.seed, self.step, self.rank))
        generator = torch.Generator().manual_seed(int(seeds.integers(2**63)))
        return self.augment(self.images[rows], generator), self.labels[rows]

    def _sort(self) -> None:
        """Channels by importance; momentum and average, which know the old order, start anew."""
        sort_channels(self.supernet)
        self.optimizer.state.clear()
        for name, part in self.supernet.named_parameters():
            self.average[name].copy_(part.detach())

    def _share_gradients(self) -> None:
        """The mean over the processes of each gradient, in one message."""
        if self.world == 1:
            return
        gradients = [p.grad for p in self.supernet.parameters() if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        sum_over_processes(flat)
        flat /= self.world
        for gradient, mean in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        for name, part in self.supernet.named_parameters():
            self.average[name].lerp_(part, 1 - decay)


def _groups(supernet: SuperNet, recipe: Recipe) -> list[dict[str, Any]]:
    """Dense convolutions, whose updates are orthogonalised; other weights; what does not decay."""
    weights = [part for part in supernet.network.parameters() if part.ndim > 1]
    matrices = [part for part in weights if part.ndim == 4 and part.shape[1] > 1]  # not depthwise, nor the classifier
    others = [part for part in weights if not (part.ndim == 4 and part.shape[1] > 1)]
    undecayed = [*(part for part in supernet.network.parameters() if part.ndim == 1), *supernet.kernels.values()]
    peak, decay = recipe.learning_rate, recipe.weight_decay
    return [
        {"params": matrices, "orthogonal": True, "peak": peak, "weight_decay": decay},
        {"params": others, "peak": _OTHERS * peak, "weight_decay": decay},
        {"params": undecayed, "peak": _OTHERS * peak},
    ]


def _schedule(done: float) -> float:
    """Share of the peak learning rate: a linear rise over a twentieth, then half a cosine."""
    return done / 0.05 if done < 0.05 else (1 + cos(pi * (done - 0.05) / 0.95)) / 2


def _check(supernet: SuperNet, images: ImageData, recipe: Recipe, world: int) -> None:
    _, height, width, channels = images.images.shape
    if height != width or channels != supernet.in_channels:
        raise InvalidInputError(
            f"The 'images' of a training must be square, with {supernet.in_channels} channels. "
            f"Got {height}x{width} pixels with {channels}."
        )
    if images.n_classes != supernet.num_classes:
        raise InvalidInputError(
            f"The 'images' of a training must have the supernet's {supernet.num_classes} classes. "
            f"Got {images.n_classes}."
        )
    if recipe.batch_size % world:
        raise InvalidInputError(
            f"The 'batch_size' of a training must be a multiple of the {world} processes. Got {recipe.batch_size}."
        )
    n = min(len(images.indices["train"]), recipe.batch_size)
    if n < 2 * world:
        raise InvalidInputError(
            f"A training needs 2 images a process and step, for the batch norms. Got {n} for {world} processes."
        )
