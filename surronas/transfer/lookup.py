"""Latency look-up tables of this machine, from measurements of blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surronas.datasets.latency_table import LatencyTable
from surronas.exceptions import InvalidInputError
from surronas.spaces import SearchSpace, resolve_space
from surronas.transfer.latency import latency_columns, measure_latency

__all__ = ["measure_blocks"]

_N_DRAWN = 10_000


def measure_blocks(
    space: SearchSpace | str,
    archs: Any = None,
    *,
    batch_size: int = 1,
    network_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> LatencyTable:
    """Measure each block that networks of a space consist of on this machine's CPU.

    A network's latency is nearly the sum of its blocks': a few hundred measurements stand for millions of networks.
    What the sum lacks (additions, what blocks do to each other's caches) a surrogate with the table as its ``source``
    learns from a few networks that are measured whole.

    Parameters
    ----------
    space : SearchSpace or str
        One whose ``blocks`` name the blocks and whose ``block`` builds one: "mbconv", "nasbench201".
    archs : n architectures in any form the space reads, optional
        Whose blocks are measured; by default those of 10,000 drawn ones, which are all blocks of these two spaces.
    batch_size : int, default=1
    network_options : mapping, optional
        Of the space's ``blocks``: "num_classes", and "resolution" where it is no gene.
    **options
        Of ``measure_latency``.

    Returns
    -------
    LatencyTable
        Its ``latency(X)`` adds up milliseconds.

    Raises
    ------
    InvalidInputError
        For a space that does not build its blocks.

    References
    ----------
    Cai et al. (2019), ProxylessNAS, ICLR, arXiv:1812.00332.

    Examples
    --------
    ``measure_blocks("mbconv").latency(archs)``
    """
    space = resolve_space(space)
    if not hasattr(space, "block"):
        raise InvalidInputError(
            f"The 'space' parameter of measure_blocks must be one that builds its blocks. Got {space!r}."
        )
    X = space.sample(_N_DRAWN, 0, unique=False) if archs is None else space.parse(archs)
    names, _ = space.blocks(X, **(network_options or {}))  # type: ignore[attr-defined]
    parts = [space.block(name) for name in names]
    networks, shapes = [part for part, _ in parts], [shape for _, shape in parts]
    frame = measure_latency(networks, (batch_size,), image_shapes=shapes, **options)
    return LatencyTable(space, dict(zip(names, frame[latency_columns(batch_size)[0]], strict=True)), "of this machine")
