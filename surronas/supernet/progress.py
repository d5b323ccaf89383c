"""How far a training is: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from surronas.supernet.training import Trainer

__all__ = ["training_progress"]

_RECENT = 50  # steps that speed and losses are the mean of
_SECONDS = 60.0  # between lines


@contextmanager
def training_progress(trainer: Trainer, show: bool, console: Console | None = None) -> Iterator[Callable[[], None]]:
    """What to call after each step.

    Parameters
    ----------
    trainer : Trainer
    show : bool
        False shows nothing.
    console : Console, optional
        Standard output by default.
    """
    console = console or Console(highlight=False, soft_wrap=True)
    times = [time.monotonic()]
    printed = -float("inf")

    def line() -> str:
        nonlocal times
        times = [*times[-_RECENT:], time.monotonic()]
        return describe(trainer, (len(times) - 1) / max(times[-1] - times[0], 1e-9))

    if not show:
        yield lambda: None
    elif console.is_terminal:
        with Progress(BarColumn(), TextColumn("{task.description}"), console=console) as bar:
            task = bar.add_task("", total=trainer.n_steps, completed=trainer.step)
            yield lambda: bar.update(task, completed=trainer.step, description=line())
    else:

        def print_line() -> None:
            nonlocal printed
            text = line()
            if time.monotonic() - printed >= _SECONDS or trainer.step == trainer.n_steps:
                printed = time.monotonic()
                console.print(text, markup=False)

        yield print_line


def describe(trainer: Trainer, speed: float) -> str:
    """One line: epoch, mean recent losses of the largest, the smallest and the other subnets, speed, remaining time."""
    recent = trainer.losses[-_RECENT:]
    named = {
        "largest": [losses[0] for losses in recent],
        "smallest": [losses[1] for losses in recent if len(losses) > 1],
        "random": [loss for losses in recent for loss in losses[2:]],
    }
    losses = "  ".join(f"{name} {np.mean(values):.3f}" for name, values in named.items() if values)
    left = timedelta(seconds=round((trainer.n_steps - trainer.step) / speed))
    return (
        f"epoch {trainer.step / trainer.steps_per_epoch:.2f}/{trainer.recipe.epochs}  {losses}  "
        f"{speed:.2f} steps/s  {left} left  {trainer.seconds / 3600:.2f} CPU-h"
    )
