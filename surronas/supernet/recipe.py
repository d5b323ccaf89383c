"""How a supernet is trained."""

from __future__ import annotations

from dataclasses import dataclass

from surronas.exceptions import InvalidInputError
from surronas.settings import check_settings

__all__ = ["ADAPTATION", "Recipe"]

_RANGES = {
    "warmup_epochs": "[0, inf)",
    "epochs": "[1, inf)",
    "n_random": "[0, inf)",
    "batch_size": "[2, inf)",
    "learning_rate": "(0, inf)",
    "momentum": "(0, 1)",
    "weight_decay": "[0, inf)",
    "label_smoothing": "[0, 1)",
    "clip": "(0, inf]",
    "ema": "[0, 1)",
    "seed": "[0, 9223372036854775808)",
}


@dataclass(frozen=True)
class Recipe:
    """The settings of a training.

    First the largest network alone, then, its channels sorted, the sandwich of BigNAS (Yu et al., 2020,
    arXiv:2003.11142) on each batch: the largest network learns the labels, the smallest and some random ones learn the
    largest's outputs.

    Parameters
    ----------
    warmup_epochs : int
        Epochs of the largest network alone.
    epochs : int
        All epochs, those included.
    n_random : int
        Random subnets a batch.
    batch_size : int
        Of all processes together.
    learning_rate : float
        Its peak: it rises linearly over the first twentieth of the steps and falls by a cosine to 0. It is that of
        dense convolutions, whose updates are orthogonalised (``Muon``); all else has five times as much.
    momentum, weight_decay : float
        A weight shrinks by learning rate times decay a step; batch norms and biases do not.
    label_smoothing : float
    clip : float
        Greatest norm of the gradient.
    ema : float
        Decay, a step, of the averaged weights, which are the result.
    flip : bool
        Mirror images left to right; not for digits.
    bfloat16 : bool
        Compute in bfloat16; the weights stay float32. Several times as fast as float32 where the CPU has instructions
        for it, slower where it has none.
    seed : int

    Raises
    ------
    InvalidInputError
        Naming the setting that cannot be.

    Examples
    --------
    >>> Recipe(epochs=2)
    Traceback (most recent call last):
    ...
    surronas.exceptions.InvalidInputError: The 'warmup_epochs' of a Recipe must be at most its epochs, 2. Got 3.
    """

    warmup_epochs: int = 3
    epochs: int = 24
    n_random: int = 1
    batch_size: int = 128
    learning_rate: float = 0.02
    momentum: float = 0.9
    weight_decay: float = 0.005
    label_smoothing: float = 0.0
    clip: float = 2.0
    ema: float = 0.998
    flip: bool = True
    bfloat16: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self, _RANGES)
        if self.warmup_epochs > self.epochs:
            raise InvalidInputError(
                f"The 'warmup_epochs' of a Recipe must be at most its epochs, {self.epochs}. Got {self.warmup_epochs}."
            )


ADAPTATION = Recipe(warmup_epochs=0, epochs=10, n_random=1, batch_size=64, learning_rate=0.02, ema=0.99, flip=False)
"""Fine-tuning a trained supernet on some thousand images; ``dataclasses.replace(ADAPTATION, epochs=20)`` changes it."""
