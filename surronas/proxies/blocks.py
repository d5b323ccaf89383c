"""The blocks that a network consists of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from torch import Tensor, nn

__all__ = ["heard", "in_blocks"]

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def in_blocks(network: nn.Module) -> list[nn.Module]:
    """Its parts as their author put one after the other: stem, cells, residual blocks, transformer's layers.

    What has more than half of the network's weights is no block but what blocks are in, and so are torch's containers
    of modules that themselves have parts. A block has weights of two or more dimensions.
    """
    total = _n_weights(network)

    def parts(module: nn.Module) -> Iterator[nn.Module]:
        children = list(module.children())
        whole = 2 * _n_weights(module) > total
        if children and (whole or (type(module) in _CONTAINERS and any(list(c.children()) for c in children))):
            for child in children:
                yield from parts(child)
        elif _n_weights(module):
            yield module

    return list(dict.fromkeys(parts(network)))


@contextmanager
def heard(modules: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """The outputs of these modules, as they come."""
    outputs: list[Tensor] = []

    def hear(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            outputs.append(output)

    with ExitStack() as stack:
        for module in modules:
            stack.callback(module.register_forward_hook(hear).remove)
        yield outputs


def _n_weights(module: nn.Module) -> int:
    return sum(part.ndim > 1 for part in module.parameters())
