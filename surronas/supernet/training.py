"""Training a supernet: resumed exactly, by one process or by several that torchrun starts."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from math import cos, pi
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from surronas.datasets.images import ImageData
from surronas.io import write_atomic
from surronas.spaces.mbconv import MBConv
from surronas.supernet.augment import crop_and_flip
from surronas.supernet.network import SuperNet
from surronas.supernet.recipe import Recipe
from surronas.supernet.sorting import sort_channels

__all__ = ["Trainer"]


class Trainer:
    """A training that can stop after any step and go on from there.

    What is random in a step (images, crops, subnets) follows from seed, epoch and step alone, so that a checkpoint
    needs no random states, and a resumed training gives the losses of one that was never interrupted.

    Parameters
    ----------
    space : MBConv
    images : ImageData
        Square RGB images of at least the space's largest resolution; only the training split is used.
    recipe : Recipe
    """

    def __init__(self, space: MBConv, images: ImageData, recipe: Recipe) -> None:
        self.space, self.recipe = space, recipe
        pixels, labels = images.split("train")
        self.images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        self.labels = torch.from_numpy(labels)
        torch.manual_seed(recipe.seed)
        self.supernet = SuperNet(space, images.n_classes, self.images.shape[1], images.normalization).train()
        self.average = {name: part.detach().clone() for name, part in self.supernet.named_parameters()}
        decaying = [p for p in self.supernet.network.parameters() if p.ndim > 1]
        others = [p for p in self.supernet.network.parameters() if p.ndim == 1]
        self.optimizer = torch.optim.SGD(
            [
                {"params": decaying, "weight_decay": recipe.weight_decay},
                {"params": [*others, *self.supernet.kernels.values()], "weight_decay": 0.0},
            ],
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            nesterov=True,
        )
        self.step, self.seconds = 0, 0.0
        self.losses: list[tuple[float, ...]] = []
        several = distributed.is_initialized()
        self.rank, self.world = (distributed.get_rank(), distributed.get_world_size()) if several else (0, 1)

    @property
    def steps_per_epoch(self) -> int:
        return max(1, len(self.labels) // self.recipe.batch_size)

    @property
    def n_steps(self) -> int:
        return self.recipe.epochs * self.steps_per_epoch

    def run_step(self) -> tuple[float, ...]:
        """One step; the losses of its subnets: the largest, the smallest, the random ones."""
        began = time.process_time()
        recipe = self.recipe
        if self.step == recipe.warmup_epochs * self.steps_per_epoch:
            self._sort()
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate * _schedule(self.step / self.n_steps)
        images, labels = self._batch()
        dtype = torch.bfloat16 if recipe.bfloat16 else torch.float32
        self.optimizer.zero_grad()
        losses, teacher = [], None
        for x, learns in self._subnets():
            with torch.set_grad_enabled(learns):
                logits = self.supernet(self.supernet.inputs(images, x, dtype), x)
            if teacher is None:
                loss = F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
                teacher = logits.detach().softmax(1)
            else:
                loss = F.cross_entropy(logits, teacher)
            if learns:
                loss.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        self._share_gradients()
        nn.utils.clip_grad_norm_(self.supernet.parameters(), recipe.clip)
        self.optimizer.step()
        self._update_average()
        self.step += 1
        self.losses.append(tuple(float(loss) for loss in losses))
        self.seconds += time.process_time() - began
        return self.losses[-1]

    def _batch(self) -> tuple[Tensor, Tensor]:
        epoch, place = divmod(self.step, self.steps_per_epoch)
        order = np.random.default_rng((self.recipe.seed, epoch)).permutation(len(self.labels))
        size = self.recipe.batch_size
        rows = torch.from_numpy(order[place * size : (place + 1) * size][self.rank :: self.world])
        seeds = np.random.default_rng((self.recipe.seed, self.step, self.rank))
        generator = torch.Generator().manual_seed(int(seeds.integers(2**63)))
        return crop_and_flip(self.images[rows], generator, self.recipe.flip), self.labels[rows]

    def _subnets(self) -> Iterator[tuple[Any, bool]]:
        """The step's subnets, the teacher first, and whether each learns; the same in every process."""
        after_warmup = self.step - self.recipe.warmup_epochs * self.steps_per_epoch
        if after_warmup < 0:
            yield self.space.largest(), True
            return
        yield self.space.largest(), after_warmup % self.recipe.largest_every == 0
        yield self.space.smallest(), True
        seed = np.random.default_rng((self.recipe.seed, self.step)).integers(2**32)
        for x in self.space.sample(self.recipe.n_random, int(seed), unique=False):
            yield x, True

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
        distributed.all_reduce(flat)
        flat /= self.world
        for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        for name, part in self.supernet.named_parameters():
            self.average[name].lerp_(part, 1 - decay)

    # -- checkpoints ---------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Everything that the rest of the training depends on, in one file that is whole or absent."""
        names = {id(p): name for name, p in self.supernet.named_parameters()}
        momentum = {names[id(p)]: state["momentum_buffer"] for p, state in self.optimizer.state.items() if state}
        state = {
            "recipe": json.dumps(asdict(self.recipe)),
            "space": json.dumps(self.space.to_spec()),
            "world": self.world,
            "step": self.step,
            "seconds": self.seconds,
            "losses": self.losses,
            "supernet": self.supernet.state_dict(),
            "average": self.average,
            "momentum": momentum,
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomic(path, buffer.getvalue())

    def restore(self, path: str | os.PathLike[str]) -> None:
        """Go on where ``save`` left off."""
        state = torch.load(path, weights_only=True)
        self.step, self.seconds = state["step"], state["seconds"]
        self.losses = [tuple(losses) for losses in state["losses"]]
        self.supernet.load_state_dict(state["supernet"])
        self.average = state["average"]
        for name, part in self.supernet.named_parameters():
            if name in state["momentum"]:
                self.optimizer.state[part]["momentum_buffer"] = state["momentum"][name]

    def result(self) -> SuperNet:
        """The supernet with the averaged weights."""
        supernet = SuperNet(self.space, self.supernet.num_classes, self.supernet.in_channels)
        supernet.load_state_dict(self.supernet.state_dict() | self.average)
        return supernet.eval()


def _schedule(done: float) -> float:
    """Share of the peak learning rate: a linear rise over a twentieth, then half a cosine."""
    return done / 0.05 if done < 0.05 else (1 + cos(pi * (done - 0.05) / 0.95)) / 2
