"""One network on one batch, and the passes that proxies share."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from surronas.exceptions import SurronasError
from surronas.proxies.recorder import Recorder

__all__ = ["NotApplicable", "Probe"]


class NotApplicable(SurronasError):
    """A proxy is not defined for the network; the text says why."""


class Probe:
    """A freshly initialised network and a batch of images.

    Each pass is made when the first proxy asks for it, also within ``torch.no_grad``, and serves all: one forward pass,
    the gradient of the loss, that of the logits. Batch norms use the batch's own statistics.

    Parameters
    ----------
    network : nn.Module
        (n, c, h, w) -> (n, n_classes) logits. It is left in training mode; its weights stay as they are.
    images : (n, c, h, w) float
    labels : (n,) int64
    seed : int
        Of what proxies draw.
    second_order : bool, default=False
        Whether the gradient of the loss will itself be differentiated.

    Attributes
    ----------
    weights : dict of str to Parameter
        Those with two or more dimensions, which are what most proxies sum over: no biases, no batch norms.
    """

    def __init__(
        self, network: nn.Module, images: Tensor, labels: Tensor, seed: int, second_order: bool = False
    ) -> None:
        self.network, self.images, self.labels = network.train(), images, labels
        self.seed, self.second_order = seed, second_order
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
        self._maps: list[Tensor] = []
        with Recorder(
            gate=lambda x: self._gates.append(x.detach() > 0),
            linear=lambda weight, output: self._maps.append(output),
        ):
            logits: Tensor = self.network(self.inputs)
        if logits.ndim != 2 or len(logits) != len(self.images):
            raise NotApplicable(f"the network gives {tuple(logits.shape)} for {len(self.images)} images, no logits")
        if not logits.isfinite().all():
            raise NotApplicable("the network's outputs are not finite")
        return logits

    @cached_property
    def gates(self) -> list[Tensor]:
        """Of each activation of ReLU's family, (n, ...) bool: where its input is positive."""
        _ = self.logits
        return self._gates

    @cached_property
    def maps(self) -> list[Tensor]:
        """The output of each convolution and linear layer."""
        _ = self.logits
        return self._maps

    @cached_property
    @torch.enable_grad()
    def loss(self) -> Tensor:
        """Cross-entropy."""
        return F.cross_entropy(self.logits, self.labels)

    @cached_property
    @torch.enable_grad()
    def _loss_gradients(self) -> tuple[dict[str, Tensor], list[Tensor | None]]:
        parts = list(self.weights.values())
        found = torch.autograd.grad(
            self.loss, [*parts, *self.maps], create_graph=self.second_order, retain_graph=True, allow_unused=True
        )
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
