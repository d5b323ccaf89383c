"""How a MetaD2A is trained. Light to import, for the command line."""

from __future__ import annotations

from dataclasses import dataclass

from surronas.settings import check_settings

__all__ = ["MetaRecipe"]

_COUNTS = ("predictor_steps", "generator_steps", "views", "hidden", "latent", "every", "patience")
_RANGES = {
    **dict.fromkeys(_COUNTS, "[1, inf)"),
    "graphs": "[2, inf)",
    **dict.fromkeys(("predictor_learning_rate", "generator_learning_rate"), "(0, inf)"),
    "beta": "[0, inf)",
    "seed": "[0, 4294967296)",
}


@dataclass(frozen=True)
class MetaRecipe:
    """How a MetaD2A is trained.

    Parameters
    ----------
    predictor_steps, generator_steps : int
        At most; early stopping may end them sooner.
    predictor_learning_rate, generator_learning_rate : float
        Their peaks.
    views : int
        Of a step of the predictor: all their tasks and architectures.
    graphs : int
        Of a step of the generator; as many again are only reconstructed.
    beta : float
        Of the generator's divergence; it rises to this over the first steps.
    hidden, latent : int
        Widths of the networks.
    every, patience : int
        Steps between two looks at what is kept out, and looks without progress that end the training.
    seed : int

    Raises
    ------
    InvalidInputError
        Naming the setting that cannot be.
    """

    predictor_steps: int = 3000
    generator_steps: int = 3000
    predictor_learning_rate: float = 1e-3
    generator_learning_rate: float = 3e-3
    views: int = 4
    graphs: int = 64
    beta: float = 1.0
    hidden: int = 128
    latent: int = 56
    every: int = 50
    patience: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self, _RANGES)
