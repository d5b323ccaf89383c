"""How long networks take on this machine, so measured that its drift does not favour any of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, repeat
from math import ceil
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from surronas.exceptions import InvalidInputError
from surronas.spaces.networks.folding import deployed

__all__ = ["Reference", "Shape", "bar", "latency_columns", "measure_latency"]

Shape = tuple[int, int, int]
Job = tuple[nn.Module, Tensor]

BLOCK = 16  # networks measured in turn: oneDNN keeps 1,024 compiled kernels, about 40 a network
_UNDISTURBED = 10  # percentile of the reference's samples that is its own time: most may be disturbed


@dataclass
class Reference:
    """A network that is measured before and after every sample, and what it takes undisturbed.

    A sample around which it takes longer, or less, is divided by that ratio. Given to several calls of
    ``measure_latency``, it makes their times comparable.

    Parameters
    ----------
    network : torch.nn.Module
    image_shape : (channels, height, width)
    seconds : dict of int to float
        Batch size -> seconds; what is missing is entered by the first block: the tenth percentile of its means around
        a sample.
    """

    network: nn.Module
    image_shape: Shape
    seconds: dict[int, float] = field(default_factory=dict)


def measure_latency(
    networks: nn.Module | Iterable[nn.Module],
    batch_sizes: Sequence[int] = (1, 64),
    *,
    image_shapes: Iterable[Shape] | None = None,
    n_rounds: int = 9,
    min_seconds: float = 0.02,
    n_threads: int = 1,
    random_state: int = 0,
    reference: Reference | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Milliseconds that networks take for a batch on this CPU.

    Measured is torch's eager forward pass, in float32, of the network in evaluation mode with its batch norms folded
    into the convolutions, weights and images channels last, in ``inference_mode``: from normalised images in memory to
    logits. Nothing else should run meanwhile.

    Networks are measured in blocks of 16. All of a block are warmed up; then come ``n_rounds`` rounds, in each of which
    every network is sampled once, one batch size after the other, in a new random order. A sample is an untimed call,
    for the caches, and as many timed ones as take ``min_seconds``.

    On shared machines a neighbour on the same core makes everything half as slow again, for seconds or minutes; a
    median would be that of either state. So the reference network is sampled between each two, at the same batch size,
    and what disturbs both is taken out: a sample counts as its ratio to the mean of the reference's just before and
    just after it, times what the reference takes undisturbed. The latency is the median of these.

    Parameters
    ----------
    networks : torch.nn.Module or iterable of torch.nn.Module
        Any that map a batch of images to a tensor. They are copied; no more than a block is held at a time, so a
        generator may give thousands.
    batch_sizes : sequence of int, default=(1, 64)
    image_shapes : iterable of (channels, height, width), optional
        One a network; by default three channels and its ``resolution``.
    n_rounds : int, default=9
    min_seconds : float, default=0.02
        What a sample takes at least.
    n_threads : int, default=1
        Of torch; the number it had is restored.
    random_state : int, default=0
        Of orders and pixels.
    reference : Reference, optional
        By default that network of the first block which takes the median time for the largest batch: what slows a small
        one does not slow a large one by quite as much.
    progress : bool, default=False

    Returns
    -------
    DataFrame, one row a network
        ``latency_ms`` and ``latency_spread_ms`` for batch size 1, ``latency_64_ms`` and ``latency_64_spread_ms`` for 64
        and so on: the median over the rounds, and their interquartile range.

    Raises
    ------
    InvalidInputError
    """
    for name, value in (("n_rounds", n_rounds), ("n_threads", n_threads), *(("batch_sizes", b) for b in batch_sizes)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise InvalidInputError(f"The '{name}' parameter of measure_latency takes positive ints. Got {value!r}.")
    if not batch_sizes or len(set(batch_sizes)) < len(batch_sizes):
        raise InvalidInputError(
            "The 'batch_sizes' parameter of measure_latency must name different ones, at least one. "
            f"Got {tuple(batch_sizes)!r}."
        )
    networks = [networks] if isinstance(networks, nn.Module) else networks
    n_before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        shaped = _with_shapes(networks, image_shapes)
        rng = np.random.default_rng(random_state)
        blocks = []
        total = next((len(given) for given in (networks, image_shapes) if isinstance(given, Sequence)), None)
        with bar(progress) as shown, torch.inference_mode():
            task = shown.add_task("latency", total=total)
            while block := list(islice(shaped, BLOCK)):
                reference = reference or Reference(*_middle(block, max(batch_sizes)))
                blocks.append(_measure_block(block, batch_sizes, n_rounds, min_seconds, rng, reference))
                shown.advance(task, len(block))
    finally:
        torch.set_num_threads(n_before)
    samples = 1000 * np.concatenate(blocks) if blocks else np.empty((0, len(batch_sizes), n_rounds))
    low, middle, high = np.percentile(samples, (25, 50, 75), axis=2)
    columns: dict[str, NDArray[np.float64]] = {}
    for j, size in enumerate(batch_sizes):
        latency, spread = latency_columns(size)
        columns |= {latency: middle[:, j], spread: (high - low)[:, j]}
    return pd.DataFrame(columns)


def latency_columns(batch_size: int) -> tuple[str, str]:
    """Names of the latency's column and of its spread's.

    Examples
    --------
    >>> latency_columns(1), latency_columns(64)
    (('latency_ms', 'latency_spread_ms'), ('latency_64_ms', 'latency_64_spread_ms'))
    """
    stem = "latency" if batch_size == 1 else f"latency_{batch_size}"
    return f"{stem}_ms", f"{stem}_spread_ms"


def _with_shapes(networks: Iterable[nn.Module], shapes: Iterable[Shape] | None) -> Iterator[tuple[nn.Module, Shape]]:
    each: Iterable[Shape | None] = repeat(None) if shapes is None else shapes
    for row, (network, shape) in enumerate(zip(networks, each, strict=shapes is not None)):
        side: Any = getattr(network, "resolution", None)
        if shape is None and side is None:
            raise InvalidInputError(
                f"The 'image_shapes' parameter of measure_latency is needed: network {row} has no 'resolution'."
            )
        yield network, shape or (3, side, side)


def _middle(block: list[tuple[nn.Module, Shape]], batch_size: int) -> tuple[nn.Module, Shape]:
    """The network that takes the median time."""
    jobs = [_job(deployed(network), torch.zeros(batch_size, *shape)) for network, shape in block]
    middle: int = np.argsort([_sample(job, 1) for job in jobs])[len(block) // 2]
    return block[middle]


def _measure_block(
    block: list[tuple[nn.Module, Shape]],
    batch_sizes: Sequence[int],
    n_rounds: int,
    min_seconds: float,
    rng: np.random.Generator,
    reference: Reference,
) -> NDArray[np.float64]:
    """(networks, batch sizes, rounds) seconds a call, as if the reference were undisturbed all the time."""
    copies = [(deployed(network), shape) for network, shape in (*block, (reference.network, reference.image_shape))]
    jobs: list[list[Job]] = []
    for size in batch_sizes:
        draws = (torch.from_numpy(rng.standard_normal((size, *shape), dtype=np.float32)) for _, shape in copies)
        jobs.append([_job(copy, pixels) for (copy, _), pixels in zip(copies, draws, strict=True)])
    n_calls = [[max(1, ceil(min_seconds / _sample(job, 1))) for job in of_size] for of_size in jobs]
    samples, around = np.empty((2, len(block), len(batch_sizes), n_rounds))
    for turn in range(n_rounds):
        for k in rng.permutation(len(batch_sizes)):
            order = rng.permutation(len(block))
            beside = [_sample(jobs[k][-1], n_calls[k][-1])]
            for j in order:
                samples[j, k, turn] = _sample(jobs[k][j], n_calls[k][j])
                beside.append(_sample(jobs[k][-1], n_calls[k][-1]))
            around[order, k, turn] = (np.array(beside[:-1]) + beside[1:]) / 2
    for k, size in enumerate(batch_sizes):
        reference.seconds.setdefault(size, float(np.percentile(around[:, k], _UNDISTURBED)))
    undisturbed = np.array([reference.seconds[size] for size in batch_sizes])
    corrected: NDArray[np.float64] = samples / around * undisturbed[:, None]
    return corrected


def _job(network: nn.Module, images: Tensor) -> Job:
    return network, images.contiguous(memory_format=torch.channels_last)


def _sample(job: Job, n_calls: int) -> float:
    """Seconds a call, after one that warms up."""
    network, images = job
    network(images)
    began = perf_counter()
    for _ in range(n_calls):
        network(images)
    return (perf_counter() - began) / n_calls


def bar(show: bool) -> Progress:
    """Done, total, time so far, time to go."""
    text = TextColumn("[progress.description]{task.description}")
    return Progress(
        text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(), disable=not show
    )
