"""The supernet: one set of weights, of which every architecture of its space uses a part."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from surronas.datasets.images import Normalization
from surronas.spaces.mbconv import MBConv
from surronas.spaces.mbconv_network import MBConvNetwork

__all__ = ["SuperNet"]


class SuperNet(nn.Module):
    """All networks of a space in the weights of the largest (Cai et al., 2020, arXiv:1908.09791).

    A subnet's parameters are views of the supernet's: the leading channels, and of a larger kernel the centre, times a
    learnt matrix. It computes what the space's own network computes with these parameters, so there is one definition
    of the network, and an extracted subnet gives the same outputs.

    Parameters
    ----------
    space : MBConv
    num_classes : int
    in_channels : int, default=3
    normalization : Normalization, optional
        Of the pixels, by channel, for pixels 0 to 1; what ``inputs`` uses. By default mean 0, deviation 1.
    largest : (n_genes,) int, optional
        The largest architecture that it holds; by default the space's. With any other it is what a single network is
        trained as from scratch: nothing larger is in it, and nothing of it is shared while only ``largest`` is used.

    Attributes
    ----------
    network : MBConvNetwork
        The network of ``largest``, whose parameters are the shared ones.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        space: MBConv,
        num_classes: int,
        in_channels: int = 3,
        normalization: Normalization | None = None,
        largest: Any = None,
    ) -> None:
        super().__init__()
        self.space, self.num_classes, self.in_channels = space, num_classes, in_channels
        self.largest = space.largest() if largest is None else largest
        self.network = space.build(self.largest, num_classes, in_channels)
        self.kernels = nn.ParameterDict()
        for name, choices in space.kernels().items():
            for side in choices[:-1]:
                self.kernels[f"{name}_to{side}"] = nn.Parameter(torch.eye(side * side))
        mean, std = normalization or (torch.zeros(in_channels), torch.ones(in_channels))
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32).clone())
        self.register_buffer("std", torch.as_tensor(std, dtype=torch.float32).clone())
        self._skeletons = lru_cache(maxsize=64)(self._skeleton)

    def forward(self, images: Tensor, x: Any) -> Tensor:
        """Logits of the subnet ``x``.

        Parameters
        ----------
        images : (n, in_channels, r, r) float
            As ``inputs`` gives them. What dtype they have, the subnet computes in.
        x : (n_genes,) int

        Returns
        -------
        (n, num_classes) float32
        """
        skeleton = self._skeletons(tuple(int(gene) for gene in x))
        skeleton.train(self.training)
        return functional_call(skeleton, self._parts(skeleton), (images,))  # type: ignore[no-any-return]

    def extract(self, x: Any) -> MBConvNetwork:
        """The subnet ``x`` as a network of its own, with copies of its weights and batch-norm statistics.

        It is in the mode (training or evaluation) that the supernet is in.
        """
        network = self.space.build(x, self.num_classes, self.in_channels)
        network.load_state_dict({name: part.detach().clone() for name, part in self._parts(network).items()})
        return network.train(self.training)

    def inputs(self, images: Tensor, x: Any, dtype: torch.dtype = torch.float32) -> Tensor:
        """Images as the subnet ``x`` takes them: of its resolution (bilinear, antialiased), normalised, channels last.

        Parameters
        ----------
        images : (n, in_channels, h, w) uint8
        x : (n_genes,) int
        dtype : torch.dtype
        """
        side = int(self.space.shapes([x]).resolution[0, 0])
        if images.shape[2:] != (side, side):
            images = F.interpolate(images, size=(side, side), mode="bilinear", antialias=True)
        scale, shift = 1 / (255 * self.std), -self.mean / self.std
        pixels = images.float() * scale[:, None, None] + shift[:, None, None]
        return pixels.to(dtype, memory_format=torch.channels_last)

    def _skeleton(self, x: tuple[int, ...]) -> MBConvNetwork:
        """The subnet's network without weights; training leaves batch-norm statistics alone, which belong to none."""
        with torch.device("meta"):
            skeleton = self.space.build(x, self.num_classes, self.in_channels)
        for part in skeleton.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = 0.0
        return skeleton

    def _parts(self, network: MBConvNetwork) -> dict[str, Tensor]:
        """Views of the shared parameters and buffers, in the shapes that the network has."""
        shared = dict(self.network.named_parameters()) | dict(self.network.named_buffers())
        parts = {}
        for name, own in (*network.named_parameters(), *network.named_buffers()):
            whole = shared[name]
            view = whole[tuple(slice(size) for size in own.shape[:2])]
            if own.ndim == 4 and own.shape[-1] < whole.shape[-1]:
                view = self._smaller_kernel(view, own.shape[-1], name.split(".")[1])
            parts[name] = view
        return parts

    def _smaller_kernel(self, weight: Tensor, side: int, block: str) -> Tensor:
        """The k x k kernels made from larger ones, size by size: the centre as a vector, times the block's matrix."""
        while weight.shape[-1] > side:
            sides = sorted(int(key.rpartition("_to")[2]) for key in self.kernels if key.startswith(f"{block}_to"))
            to = max(s for s in sides if s < weight.shape[-1])
            cut = (weight.shape[-1] - to) // 2
            centre = weight[:, :, cut : cut + to, cut : cut + to].flatten(2)
            weight = (centre @ self.kernels[f"{block}_to{to}"]).unflatten(2, (to, to))
        return weight
