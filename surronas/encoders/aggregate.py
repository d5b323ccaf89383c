"""What untrained networks say together, as one feature."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri
from scipy.stats import rankdata

from surronas.encoders import register_encoder
from surronas.encoders.base import Blocks
from surronas.encoders.zero_cost import ZeroCost
from surronas.proxies import get_proxy, list_proxies
from surronas.spaces.base import IntArray

_COSTS = ("params", "madds")
_N_PRICED, _N_SCORED = 2048, 32
_LEAST_AGREEMENT = 0.2
# Behind a batch norm the loss does not feel how long weights are, so the size of their gradients says little of the
# network: with these five the aggregate has tau .45 and .16 on nasbench101 and nasbench301, without them .51 and .31.
_OF_GRADIENTS = ("fisher", "grad_norm", "grasp", "plain", "snip")


@register_encoder("aggregate")
class Aggregate(ZeroCost):
    """One feature that orders a space without a label: the sum of the logarithms of several scores' ranks.

    The scores are zero-cost proxies or, where none are given, the space's analytic costs, and larger means better:
    those registered with ``maximize=False`` count negated, names that are not registered as they are. A rank is the
    share of a population that scores no more: of the known architectures or, where scores are computed, of 32 drawn
    from the space (2,048 for costs); the logarithm asks that no score be bad. Left out are sizes of gradients
    (fisher, grad_norm, grasp, plain, snip) and then, one by one, what ranks unlike the rest of the population's
    scores (mean Spearman below 0.2), unless nothing else would be left. A missing score counts as the median. No
    column where there is neither a score nor a cost.

    The feature block is named ``prior``, which the predictor ``residual`` starts from.

    Parameters
    ----------
    proxies, scores, space
        As of ``ZeroCost``; both None means the costs.

    Attributes
    ----------
    parts_ : list of str
        The scores that count.

    References
    ----------
    Lee and Ham (2024), AZ-NAS, arXiv:2403.19232 (logarithms of ranks).

    Examples
    --------
    >>> encoder = Aggregate(space="nats_size").fit([[0, 0, 0, 0, 0]])
    >>> small, large = encoder.transform([[0, 0, 0, 0, 0], [7, 7, 7, 7, 7]])[:, 0]
    >>> encoder.parts_, bool(small < large < 0)
    (['params', 'madds'], True)
    """

    @property
    def parts_(self) -> list[str]:
        return [self._columns[i] for i in self._population[0]] if self._columns else []

    def _fit(self, C: IntArray) -> None:
        self._drawn: tuple[list[int], NDArray[np.float64]] | None = None
        if self.proxies is not None or self.scores is not None:
            super()._fit(C)
        else:
            self.scorer_ = None
            self._columns = list(_COSTS) if self.space_.has_cost else []
        registered = list_proxies()
        better = [name not in registered or get_proxy(name).maximize for name in self._columns]
        self._signs = np.where(better, 1.0, -1.0)

    def _names(self) -> list[str]:
        return ["aggregate"] if self._columns else []

    def _blocks(self) -> Blocks:
        return (("prior", (len(self._feature_names),)),)

    def _encode(self, C: IntArray) -> NDArray[np.float64]:
        if not self._columns:
            return np.empty((len(C), 0))
        parts, population = self._population
        values = self._values(C)
        logs = [log_ndtr(_normal_scores(values[:, i], population[:, i])) for i in parts]
        return np.asarray(np.sum(logs, axis=0)[:, None])

    def _values(self, C: IntArray) -> NDArray[np.float64]:
        """The scores, larger for better networks, on a logarithmic scale; NaN where missing."""
        costs = self.proxies is None and self.scores is None
        values = self.space_.cost(C)[self._columns].to_numpy(dtype=np.float64) if costs else self._look_up(C)
        return np.arcsinh(values) * self._signs

    @property
    def _population(self) -> tuple[list[int], NDArray[np.float64]]:
        """Which scores count, and those of the architectures that ranks are among."""
        if self._drawn is None:
            if self.scores is not None:
                values = np.arcsinh(self._known.to_numpy()) * self._signs
            else:
                n = _N_PRICED if self.scorer_ is None else _N_SCORED
                values = self._values(self.space_.canonical(self.space_.sample(n, 0, unique=False)))
            self._drawn = _agreeing(values, self._columns), values
        return self._drawn


def _agreeing(values: NDArray[np.float64], names: list[str]) -> list[int]:
    """The columns that count."""
    varied = [i for i in range(len(names)) if len(np.unique(values[np.isfinite(values[:, i]), i])) > 1]
    parts = [i for i in varied if names[i] not in _OF_GRADIENTS] or varied
    ranks = rankdata(np.where(np.isnan(values), -np.inf, values), axis=0)
    while len(parts) > 2:
        agreement = (np.corrcoef(ranks[:, parts].T).sum(axis=1) - 1) / (len(parts) - 1)
        if agreement.min() >= _LEAST_AGREEMENT:
            break
        del parts[int(agreement.argmin())]
    return parts or [0]


def _normal_scores(values: NDArray[np.float64], population: NDArray[np.float64]) -> NDArray[np.float64]:
    """The normal scores of values among a population: linear between its members, of unit slope beyond them."""
    known = population[np.isfinite(population)]
    if not len(known):
        return np.zeros(len(values))
    places, first = np.unique(known, return_index=True)
    scores = ndtri((rankdata(known)[first] - 0.5) / len(known))
    spread = known.std() or 1.0
    beyond = np.minimum(values - places[0], 0) + np.maximum(values - places[-1], 0)
    return np.asarray(np.nan_to_num(np.interp(values, places, scores) + beyond / spread, nan=0.0))
