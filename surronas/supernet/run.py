"""A whole training in a folder: continued where it stopped, whatever stopped it."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType

import pandas as pd
import torch

from surronas.datasets.images import ImageData
from surronas.exceptions import InvalidInputError, SurronasWarning
from surronas.io import alone_in, remove_unfinished, write_atomic
from surronas.spaces.mbconv import MBConv
from surronas.supernet.card import training_card
from surronas.supernet.checkpoint import Checkpoint
from surronas.supernet.images import prepare_images
from surronas.supernet.machine import has_bfloat16, keep_freed_memory
from surronas.supernet.network import SuperNet
from surronas.supernet.processes import process_group, rank, sum_over_processes, world_size
from surronas.supernet.progress import training_progress
from surronas.supernet.recipe import Recipe
from surronas.supernet.training import Trainer
from surronas.supernet.weights import save_supernet

__all__ = ["run_steps", "run_training", "train"]

CHECKPOINT, LOSSES, RESULT = "checkpoint.pt", "losses.csv", "supernet.safetensors"

_SECONDS = 60.0  # between checkpoints, or more where writing one takes long
_SHARE = 0.01  # of the time that may go to checkpoints


def train(
    images: ImageData,
    folder: str | os.PathLike[str],
    *,
    space: MBConv | None = None,
    recipe: Recipe | None = None,
    progress: bool = False,
) -> SuperNet:
    """Train a supernet, or go on with its training.

    The folder gets ``checkpoint.pt``, about every minute, ``losses.csv`` (step, epoch, and the losses of the largest,
    the smallest and the random subnets, these averaged) and at the end ``supernet.safetensors``, which
    ``load_supernet`` reads. The same call on a folder with a checkpoint goes on where it stopped, and ends with the
    weights, bit for bit, that it would have without the stop, on the same machine with the same number of threads. On a
    finished folder it returns the result at once. An interrupt (SIGINT, SIGTERM) ends it after the step, with a
    checkpoint; of a single process, a second SIGINT at once.

    Started by torchrun, the processes share each batch, over gloo; only the first writes and speaks.

    Memory that is freed stays with the process from then on, where malloc is glibc's: 10 to 15 % faster.

    Parameters
    ----------
    images : ImageData
        Square. Grey images get three equal channels, and all are resized to the space's largest resolution.
    folder : path-like
        Made where it is missing.
    space : MBConv, optional
        ``MBConv()`` by default.
    recipe : Recipe, optional
        ``Recipe()`` by default.
    progress : bool, default=False
        Show epoch, losses, speed and time left: a bar on a terminal, elsewhere a line a minute.

    Returns
    -------
    SuperNet
        With the averaged weights, in evaluation mode. No subnet is calibrated.

    Raises
    ------
    InvalidInputError
        When the images do not fit, the folder holds another training, or another process trains in it.
    InvalidFileError
        When the folder's checkpoint is damaged.
    KeyboardInterrupt
        When it was interrupted.
    SurronasError
        When another process of this training has ended.
    """
    space, recipe = space or MBConv(), recipe or Recipe()
    images = prepare_images(images, space)
    keep_freed_memory()
    with process_group():
        torch.manual_seed(recipe.seed)
        supernet = SuperNet(space, images.n_classes, normalization=images.normalization)
        return run_training(Trainer(supernet, images, recipe), images, folder, progress)


def run_training(
    trainer: Trainer,
    images: ImageData,
    folder: str | os.PathLike[str],
    progress: bool = False,
    origin: str | None = None,
) -> SuperNet:
    """A training in a folder, begun or continued, as ``train`` describes it.

    Parameters
    ----------
    trainer : Trainer
        At its first step.
    images : ImageData
        What it trains on.
    folder : path-like
    progress : bool, default=False
    origin : str, optional
        What tells the weights that it begins with from others; a folder whose training began with others is refused.
    """
    folder = Path(folder)
    checkpoint = Checkpoint(folder / CHECKPOINT, trainer, images, origin)

    def save() -> None:
        checkpoint.save()
        _write_losses(trainer, folder)

    with _ready(folder, trainer.recipe) if rank() == 0 else nullcontext():
        checkpoint.restore()
        run_steps(trainer, save, progress)
        result = trainer.result()
        if rank() == 0 and not (folder / RESULT).exists():
            _write_losses(trainer, folder)
            save_supernet(folder / RESULT, result, training_card(trainer, images))
    return result


def run_steps(trainer: Trainer, save: Callable[[], None] | None = None, progress: bool = False) -> None:
    """The steps that are left.

    Parameters
    ----------
    trainer : Trainer
    save : callable, optional
        Called in process 0 about every minute, at the end, and before an interrupt ends the steps.
    progress : bool, default=False

    Raises
    ------
    KeyboardInterrupt
        After the step in which SIGINT or SIGTERM came, in every process.
    """
    due = time.monotonic() + _SECONDS
    with _interrupts() as interrupted, training_progress(trainer, progress and trainer.rank == 0) as show:
        while trainer.step < trainer.n_steps:
            trainer.run_step()
            show()
            stop = bool(sum_over_processes(torch.tensor(interrupted())))  # all after the same step, or none
            began = time.monotonic()
            if save and trainer.rank == 0 and (began >= due or stop or trainer.step == trainer.n_steps):
                save()
                due = time.monotonic() + max(_SECONDS, (time.monotonic() - began) / _SHARE)
            if stop:
                raise KeyboardInterrupt


@contextmanager
def _interrupts() -> Iterator[Callable[[], int]]:
    """How often SIGINT or SIGTERM came, which wait for the end of the step; alone, the second SIGINT does not."""
    count = 0

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if world_size() == 1:  # torchrun passes on the SIGINT that a terminal has sent to all
            signal.signal(signal.SIGINT, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread():  # which alone may set handlers
        yield lambda: 0
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: count
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _ready(folder: Path, recipe: Recipe) -> Iterator[None]:
    """The folder, for this training alone."""
    if (folder / RESULT).exists() and not (folder / CHECKPOINT).exists():
        raise InvalidInputError(
            f"The folder {folder} holds a {RESULT} without the {CHECKPOINT} of its training. Choose another folder."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInputError(f"The 'folder' of a training cannot be made: {error}.") from error
    if recipe.bfloat16 and not has_bfloat16():
        warnings.warn(
            "This CPU has no instructions for bfloat16, which makes it slower than float32 here: consider "
            "Recipe(bfloat16=False), or --float32.",
            SurronasWarning,
            stacklevel=4,
        )
    with alone_in(folder):
        for name in (CHECKPOINT, LOSSES, RESULT):
            remove_unfinished(folder / name)
        yield


def _write_losses(trainer: Trainer, folder: Path) -> None:
    rows = [
        (step, step / trainer.steps_per_epoch, *losses[:2], *([None] * (2 - len(losses[:2]))), _mean(losses[2:]))
        for step, losses in enumerate(trainer.losses, start=1)
    ]
    frame = pd.DataFrame(rows, columns=["step", "epoch", "largest", "smallest", "random"])
    write_atomic(folder / LOSSES, frame.to_csv(index=False, float_format="%.5g").encode())


def _mean(losses: tuple[float, ...]) -> float | None:
    return sum(losses) / len(losses) if losses else None
