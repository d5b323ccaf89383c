"""BoTorch: surrogates as its models, so that its acquisition functions run on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from gpytorch.distributions import MultivariateNormal
from torch import Tensor

from surronas.encoders.features import features_of_all
from surronas.predictors.base import FloatArray
from surronas.spaces import SearchSpace
from surronas.spaces.base import IntArray
from surronas.surrogate import Surrogate
from surronas.threads import quietly

__all__ = ["SurrogateModel", "choices"]

_JITTER = 1e-6  # the same architecture may be there twice
_LEAST = 1e-9  # less is no variance to gpytorch


def choices(space: SearchSpace, archs: Any = None) -> Tensor:
    """Architectures as the ``choices`` of ``optimize_acqf_discrete``.

    Parameters
    ----------
    space : SearchSpace
    archs : n architectures in any form the space reads, optional
        By default all of the space, each once.

    Returns
    -------
    (n, n_genes) float64 tensor of canonical genotypes
    """
    X = space.enumerate() if archs is None else space.parse(archs)
    return torch.from_numpy(space.unique(space.canonical(X)).astype(np.float64))


class SurrogateModel(Model):
    """A fitted surrogate as a BoTorch model of one output.

    Its posterior is normal: means and standard deviations are those of ``Surrogate.predict``; architectures vary
    together as the surrogate's Gaussian processes say, and independently in what its other members contribute. For
    several objectives there is BoTorch's ``ModelList``. Genes are no numbers, so there is nothing to take derivatives
    by: acquisition functions are optimised over ``choices``.

    Parameters
    ----------
    surrogate : Surrogate
        Of ``fit_predictor``; with ``predictor="gp"`` or ``"additive_gp"`` a Gaussian process throughout.
    maximize : bool, default=True
        Whether more of the target is better; else it is negated, as BoTorch maximises.

    Examples
    --------
    >>> import surronas as sn
    >>> from botorch.acquisition import LogExpectedImprovement
    >>> from botorch.optim import optimize_acqf_discrete
    >>> table = sn.load_benchmark("analog_nasbench")
    >>> train, _ = table.split(40, random_state=0)
    >>> y = table.targets["baseline_accuracy"].to_numpy()[train]
    >>> surrogate = sn.fit_predictor(table.archs[train], y, space=table.space, predictor="one_hot:gp", random_state=0)
    >>> gain = LogExpectedImprovement(SurrogateModel(surrogate), best_f=y.max())
    >>> best, value = optimize_acqf_discrete(gain, q=1, choices=choices(table.space, table.archs[:2000]))
    >>> best.shape
    torch.Size([1, 6])
    """

    def __init__(self, surrogate: Surrogate, maximize: bool = True) -> None:
        super().__init__()
        self.surrogate, self.maximize = surrogate, maximize

    @property
    def num_outputs(self) -> int:
        return 1

    @property
    def batch_shape(self) -> torch.Size:
        return torch.Size()

    def posterior(
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: Any = None,
    ) -> Any:
        """The joint posterior of architectures that are taken together.

        Parameters
        ----------
        X : (..., q, n_genes) tensor of genotypes
        observation_noise : bool, default=False
            True: of measurements, whose standard deviation is that of ``Surrogate.predict``. Else of what is measured.
        """
        space = self.surrogate.space
        groups = X.detach().cpu().numpy().reshape(-1, X.shape[-2], space.n_genes)
        flat = np.rint(groups).astype(np.int64).reshape(-1, space.n_genes)
        noise = observation_noise if isinstance(observation_noise, bool) else True
        mean, covariance = self._joint(space.canonical(space.parse(flat)), groups.shape[1], noise)
        q, batch = X.shape[-2], X.shape[:-2]
        posterior = GPyTorchPosterior(
            MultivariateNormal(
                torch.from_numpy(mean if self.maximize else -mean).to(X).reshape(*batch, q),
                torch.from_numpy(covariance).to(X).reshape(*batch, q, q),
            )
        )
        return posterior if posterior_transform is None else posterior_transform(posterior)

    def _joint(self, C: IntArray, q: int, noise: bool) -> tuple[FloatArray, FloatArray]:
        """(b * q, n_genes) canonical genotypes -> mean (b, q) and covariance (b, q, q), in the unit of the target."""
        switching = self.surrogate.switching
        forms = switching.space.representatives(C)
        F = features_of_all(switching.encoders_, forms)
        total = sum(weight for _, _, weight in switching.members_)
        parts = []
        with quietly():
            for candidate, model, weight in switching.members_:
                rows = F[candidate.encoder]
                within = model.predict_covariance(rows.reshape(-1, q, rows.shape[1]), noise)
                parts.append((weight / total, np.asarray(model.predict(rows)).reshape(-1, q), within))
        blended = sum(share * scores for share, scores, _ in parts)
        covariance = np.zeros((len(C) // q, q, q))
        for share, scores, within in parts:
            away = scores - blended
            covariance += share * (within + away[:, :, None] * away[:, None])
        covariance *= switching.conformal_.scale**2
        largest = np.diagonal(covariance, axis1=1, axis2=2).max(axis=1, initial=0)
        covariance += _JITTER * largest[:, None, None] * np.eye(q)
        # From scores to the target's unit: by the slope that Surrogate.predict has for its standard deviation.
        mean, spread = switching.predict_scores(C)
        inverse = switching.targets_.inverse
        slope = ((inverse(mean + spread) - inverse(mean - spread)) / (2 * spread)).reshape(-1, q)
        covariance *= slope[:, :, None] * slope[:, None]
        lacking = np.maximum(_LEAST - np.diagonal(covariance, axis1=1, axis2=2), 0)
        return inverse(mean).reshape(-1, q), covariance + lacking[:, :, None] * np.eye(q)
