"""One network on one batch, and the passes that proxies share."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from surronas.exceptions import SurronasError
from surronas.proxies.blocks import heard, in_blocks
from surronas.proxies.recorder import Recorder

__all__ = ["NotApplicable", "Probe"]

_SINGLES = 16


class NotApplicable(SurronasError):
    """A proxy is not defined for the network; the text says why."""


class Probe:
    """A freshly initialised network and a batch of images.

    Each pass is made when the first proxy asks for it, also within ``torch.no_grad``, and serves all: one forward pass,
    the gradient of the loss, that of the logits, forward passes of single images. Batch norms use the statistics of
    what passes.

    Parameters
    ----------
    network : nn.Module
        (n, c, h, w) -> (n, n_classes) logits. It is left in training mode; its weights stay as they are, with channels
        last in memory, which is twice as fast on CPUs.
    images : (n, c, h, w) float
    labels : (n,) int64
    seed : int
        Of what proxies draw.

    Attributes
    ----------
    weights : dict of str to Parameter
        Those with two or more dimensions, which are what most proxies sum over: no biases, no batch norms.
    """

    def __init__(self, network: nn.Module, images: Tensor, labels: Tensor, seed: int) -> None:
        self.network = network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.images, self.labels, self.seed = images.contiguous(memory_format=torch.channels_last), labels, seed
        self.weights = {name: part for name, part in network.named_parameters() if part.ndim > 1}

    @property
    def generator(self) -> torch.Generator:
        """A new one, which every proxy that draws begins with."""
        return torch.Generator().manual_seed(self.seed)

    @cached_property
    @torch.enable_grad()
    def inputs(self) -> Tensor:
        """The images, to be differentiated by."""
        return self.images.clone().requires_grad_()

    @cached_property
    @torch.enable_grad()
    def logits(self) -> Tensor:
        """(n, n_classes), with the graph that later passes go back through."""
        self._gates: list[Tensor] = []
        self._maps: list[tuple[int, Tensor]] = []
        recorder = Recorder(
            gate=lambda x: self._gates.append(codes(x)),
            linear=lambda weight, output: self._maps.append((weight[0].numel(), output)),
        )
        with recorder, heard(in_blocks(self.network)) as self._features:
            logits: Tensor = self.network(self.inputs)
        if logits.ndim != 2 or len(logits) != len(self.images):
            raise NotApplicable(f"the network gives {tuple(logits.shape)} for {len(self.images)} images, no logits")
        if not logits.isfinite().all():
            raise NotApplicable("the network's outputs are not finite")
        return logits

    @property
    def gates(self) -> list[Tensor]:
        """Of each activation of ReLU's family, (n, elements) bool: where its input is positive."""
        _ = self.logits
        return self._gates

    @property
    def maps(self) -> list[Tensor]:
        """The output of each convolution and linear layer."""
        _ = self.logits
        return [output for _, output in self._maps]

    @property
    def fans(self) -> list[int]:
        """How many weights a channel of each of ``maps`` is made by."""
        _ = self.logits
        return [fan for fan, _ in self._maps]

    @property
    def features(self) -> list[Tensor]:
        """The outputs of the network's blocks (``in_blocks``) that are maps (n, c, h, w) or tokens (n, t, c)."""
        _ = self.logits
        return [output for output in self._features if output.ndim in (3, 4)]

    @cached_property
    @torch.enable_grad()
    def loss(self) -> Tensor:
        """Cross-entropy."""
        return F.cross_entropy(self.logits, self.labels)

    @cached_property
    @torch.enable_grad()
    def _loss_gradients(self) -> tuple[dict[str, Tensor], list[Tensor | None]]:
        parts = list(self.weights.values())
        found = torch.autograd.grad(self.loss, [*parts, *self.maps], retain_graph=True, allow_unused=True)
        own = dict(zip(self.weights, found, strict=False))
        return {name: g for name, g in own.items() if g is not None}, list(found[len(parts) :])

    @property
    def gradients(self) -> dict[str, Tensor]:
        """Of the loss by each weight that takes part."""
        return self._loss_gradients[0]

    @property
    def map_gradients(self) -> list[Tensor | None]:
        """Of the loss by each of ``maps``."""
        return self._loss_gradients[1]

    @cached_property
    @torch.enable_grad()
    def jacobian(self) -> Tensor:
        """(n, c * h * w) gradient of each image's summed logits by its pixels."""
        (gradient,) = torch.autograd.grad(self.logits.sum(), self.inputs, retain_graph=True)
        return gradient.flatten(1)

    @cached_property
    @torch.enable_grad()
    def singles(self) -> list[Tensor]:
        """Of each of the first 16 images the logits (1, n_classes) where it passes alone, with the graph."""
        try:
            return [self.network(image[None]) for image in self.images[:_SINGLES]]
        except ValueError as error:  # what torch's batch norms raise
            raise NotApplicable(f"images do not pass one at a time: {error}") from error

    @torch.enable_grad()
    def loss_of(self, rows: slice) -> Tensor:
        """Cross-entropy on these images alone; a pass of its own."""
        return F.cross_entropy(self.network(self.images[rows]), self.labels[rows])

    def gradients_of(self, number: Tensor, create_graph: bool = False) -> dict[str, Tensor]:
        """By each weight that takes part."""
        weights = list(self.weights.values())
        found = torch.autograd.grad(number, weights, retain_graph=True, create_graph=create_graph, allow_unused=True)
        return {name: g for name, g in zip(self.weights, found, strict=True) if g is not None}


def codes(x: Tensor) -> Tensor:
    """(n, elements) bool: where they are positive, in the order of the memory."""
    on = x.detach() > 0
    if on.ndim == 4 and on.is_contiguous(memory_format=torch.channels_last):
        on = on.movedim(1, -1)
    return on.flatten(1)
