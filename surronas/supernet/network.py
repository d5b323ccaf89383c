"""The supernet: one set of weights, of which every architecture of its space uses a part."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from surronas.datasets.images import Normalization
from surronas.exceptions import InvalidInputError
from surronas.spaces.base import IntArray
from surronas.spaces.mbconv import MBConv
from surronas.spaces.networks.mbconv import MBConvNetwork

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
    kernels : ParameterDict
        The matrices: ``stage3_block1_to5``, (25, 25), makes 5 x 5 kernels of the next larger ones.

    Raises
    ------
    InvalidInputError
        When the normalisation is of other channels; here and in every method, when ``x`` is no architecture of the
        space or larger than ``largest``.
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
        self.largest: IntArray = space.largest() if largest is None else space.parse([largest])[0]
        self.network = space.build(self.largest, num_classes, in_channels)
        self.kernels = nn.ParameterDict()
        for name, choices in space.kernels().items():
            for side in choices[:-1]:
                self.kernels[f"{name}_to{side}"] = nn.Parameter(torch.eye(side * side))
        mean, std = normalization or (torch.zeros(in_channels), torch.ones(in_channels))
        for name, values in (("mean", mean), ("std", std)):
            if len(values) != in_channels:
                raise InvalidInputError(
                    f"The 'normalization' parameter of SuperNet must have a {name} for each of {in_channels} channels. "
                    f"Got {len(values)}."
                )
            self.register_buffer(name, torch.as_tensor(values, dtype=torch.float32).clone())

    def forward(self, images: Tensor, x: Any) -> Tensor:
        """Logits of the subnet ``x``; in training mode too they leave the shared batch-norm statistics alone.

        Parameters
        ----------
        images : (n, in_channels, r, r) float
            As ``inputs`` gives them. What dtype they have, the subnet computes in.
        x : (n_genes,) int

        Returns
        -------
        (n, num_classes) float32
        """
        genes = tuple(self.space.parse([x])[0].tolist())
        skeleton = _skeleton(self.space, self.num_classes, self.in_channels, genes).train(self.training)
        shape = (self.in_channels, skeleton.resolution, skeleton.resolution)
        if images.shape[1:] != shape or not images.is_floating_point():
            raise InvalidInputError(
                f"The 'images' must be float of shape (n, {', '.join(map(str, shape))}) for this architecture, as "
                f"'inputs' of the supernet gives them. Got {_described(images)}."
            )
        return functional_call(skeleton, self._parts(skeleton), (images,))  # type: ignore[no-any-return]

    def extract(self, x: Any) -> MBConvNetwork:
        """The subnet ``x`` as a network of its own, with copies of its weights and batch-norm statistics.

        It is in the mode (training or evaluation) that the supernet is in.
        """
        with torch.device("meta"):
            network = self.space.build(x, self.num_classes, self.in_channels)
        parts = self._parts(network)
        copies = {name: part.detach().clone(memory_format=torch.contiguous_format) for name, part in parts.items()}
        network.load_state_dict(copies, assign=True)
        return network.train(self.training)

    def inputs(self, images: Tensor, x: Any, dtype: torch.dtype = torch.float32) -> Tensor:
        """Images as the subnet ``x`` takes them: of its resolution (bilinear, antialiased), normalised, channels last.

        Parameters
        ----------
        images : (n, in_channels, h, w) uint8
        x : (n_genes,) int
        dtype : torch.dtype
        """
        if images.ndim != 4 or images.shape[1] != self.in_channels or images.dtype != torch.uint8:
            raise InvalidInputError(
                f"The 'images' parameter of inputs must be uint8 of shape (n, {self.in_channels}, h, w). "
                f"Got {_described(images)}."
            )
        side = int(self.space.shapes([x]).resolution[0, 0])
        if images.shape[2:] != (side, side):
            images = F.interpolate(images, size=(side, side), mode="bilinear", antialias=True)
        scale, shift = 1 / (255 * self.std), -self.mean / self.std
        pixels = images.float() * scale[:, None, None] + shift[:, None, None]
        return pixels.to(dtype, memory_format=torch.channels_last)

    def _parts(self, network: MBConvNetwork) -> dict[str, Tensor]:
        """Views of the shared parameters and buffers, in the shapes that the network has."""
        shared = dict(self.network.named_parameters()) | dict(self.network.named_buffers())
        parts = {}
        for name, own in (*network.named_parameters(), *network.named_buffers()):
            whole = shared.get(name)
            if whole is None or any(size > held for size, held in zip(own.shape, whole.shape, strict=True)):
                held = "nothing" if whole is None else tuple(whole.shape)
                raise InvalidInputError(
                    f"The 'x' parameter must be an architecture within the supernet's largest. "
                    f"Got one whose {name} is {tuple(own.shape)}; the supernet holds {held}."
                )
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


@lru_cache(maxsize=64)
def _skeleton(space: MBConv, num_classes: int, in_channels: int, x: tuple[int, ...]) -> MBConvNetwork:
    """A subnet's network without weights; training leaves batch-norm statistics alone, which belong to none."""
    with torch.device("meta"):
        skeleton = space.build(x, num_classes, in_channels)
    for part in skeleton.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 0.0
            part.num_batches_tracked = None
    return skeleton


def _described(images: Tensor) -> str:
    return f"{str(images.dtype).removeprefix('torch.')} of shape {tuple(images.shape)}"
