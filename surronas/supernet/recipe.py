"""How a supernet is trained."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Recipe"]


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
    largest_every : int
        After the warm-up the largest network learns in every so many steps, and only teaches in the others.
    batch_size : int
        Of all processes together.
    learning_rate : float
        Its peak: it rises linearly over the first twentieth of the steps and falls by a cosine to 0.
    momentum, weight_decay : float
        Of SGD with Nesterov momentum; batch norms and biases do not decay.
    label_smoothing : float
    clip : float
        Greatest norm of the gradient.
    ema : float
        Decay, a step, of the averaged weights, which are the result.
    flip : bool
        Mirror images left to right; not for digits.
    bfloat16 : bool
        Compute in bfloat16; the weights stay float32.
    seed : int
    """

    warmup_epochs: int = 3
    epochs: int = 25
    n_random: int = 2
    largest_every: int = 2
    batch_size: int = 128
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 3e-4
    label_smoothing: float = 0.0
    clip: float = 2.0
    ema: float = 0.998
    flip: bool = True
    bfloat16: bool = True
    seed: int = 0
