"""Zero-cost proxies as features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.encoders import register_encoder
from surronas.encoders.base import Encoder
from surronas.exceptions import InvalidInputError
from surronas.proxies.scorer import Scorer, noise_scorer
from surronas.spaces import SearchSpace
from surronas.spaces.base import IntArray

_N_REFERENCE = 16


@register_encoder("zero_cost")
class ZeroCost(Encoder):
    """Scores of zero-cost proxies on a logarithmic scale, and the share of them that is missing.

    The scale is arcsinh, about linear from -1 to 1 and logarithmic beyond, with either sign. A missing score is
    replaced by the median over the known scores or, where none are given, over sixteen architectures of the space,
    which are then scored for it. No columns where nothing is known and the space defines no networks.

    Parameters
    ----------
    proxies : Scorer, str or sequence of str, optional
        Names, ``"cheap"`` or ``"all"`` are computed on a batch of noise, a ``Scorer``'s on its images; one network
        of each isomorphism class, once in a process. Instead of an aggregate, its parts. None means ``"cheap"``, or,
        where scores are given, all of theirs.
    scores : DataFrame, optional
        Known ones, published or cached: a row an architecture, a column a proxy, NaN where one failed. The index holds
        the architectures in any form the space reads. Rows of isomorphic architectures are averaged. An architecture
        that is not among them is computed if ``proxies`` is a ``Scorer``, else missing: scores of another origin are of
        another scale.
    space : SearchSpace, str or None, default=None

    Examples
    --------
    >>> known = pd.DataFrame({"synflow": [20.0, 60.0]}, index=["8:8:8:8:8", "64:64:64:64:64"])
    >>> encoder = ZeroCost(scores=known, space="nats_size").fit([[0, 0, 0, 0, 0]])
    >>> encoder.transform([[7, 7, 7, 7, 7], [0, 0, 0, 0, 1]]).round(2)  # the second is unknown
    array([[4.79, 0.  ],
           [4.38, 1.  ]])
    """

    def __init__(
        self,
        proxies: Scorer | str | Sequence[str] | None = None,
        scores: pd.DataFrame | None = None,
        space: SearchSpace | str | None = None,
    ) -> None:
        super().__init__(space)
        self.proxies = proxies
        self.scores = scores

    @property
    def seconds_(self) -> float:
        if self.scorer_ is not None:
            return self.scorer_.mean_seconds(self.space_)
        return 0.0 if self.scores is None else float(self.scores.attrs.get("seconds", np.nan))

    def _fit(self, C: IntArray) -> None:
        self._reference: NDArray[np.float64] | None = None
        self.scorer_ = self._scorer() if self.space_.has_network else None
        if self.scores is None:
            self._columns = list(self.scorer_.measured) if self.scorer_ else []
            self._known = pd.DataFrame(columns=self._columns, dtype=np.float64)
            return
        chosen = [self.proxies] if isinstance(self.proxies, str) else self.proxies
        chosen = chosen.measured if isinstance(chosen, Scorer) else chosen
        self._columns = list(self.scores.columns if chosen is None else chosen)
        foreign = [name for name in self._columns if name not in self.scores.columns]
        if foreign:
            raise InvalidInputError(f"The 'scores' must have a column for the proxy {foreign[0]!r}.")
        self._known = self._by_class(self.scores[self._columns])

    def _scorer(self) -> Scorer | None:
        if isinstance(self.proxies, Scorer):
            return self.proxies
        if self.scores is not None:
            return None
        named = self.proxies if isinstance(self.proxies, str) else tuple(self.proxies or ())
        return noise_scorer(named or "cheap")

    def _by_class(self, scores: pd.DataFrame) -> pd.DataFrame:
        """The mean scores of each isomorphism class, by its rank."""
        values = scores.astype(np.float64)
        if not values.columns.is_unique or np.isinf(values).any(axis=None):
            raise InvalidInputError("The 'scores' must be finite or missing, in columns of different names.")
        return values.groupby(self._rank(self.space_.canonical(read_index(scores, self.space_)))).mean()

    def _rank(self, C: IntArray) -> NDArray[Any]:
        return self.space_.rank(self.space_.representatives(C))

    def _names(self) -> list[str]:
        return [*self._columns, "missing"] if self._columns else []

    def _encode(self, C: IntArray) -> NDArray[np.float64]:
        if not self._columns:
            return np.empty((len(C), 0))
        values = self._look_up(C)
        missing = np.isnan(values)
        if missing.any():
            values = np.where(missing, self._medians(), values)
        return np.column_stack([np.arcsinh(values), missing.mean(axis=1)])

    def _look_up(self, C: IntArray) -> NDArray[np.float64]:
        rank = self._rank(C)
        values = np.array(self._known.reindex(rank))
        unknown = ~np.isin(rank, self._known.index)
        if self.scorer_ is not None and unknown.any():
            representatives = self.space_.representatives(C[unknown])
            values[unknown] = self.scorer_.score(representatives, self.space_)[self._columns]
        return values

    def _medians(self) -> NDArray[np.float64]:
        """What stands for missing scores; 0 for a proxy that is always missing."""
        if self._reference is None:
            known = self._known.to_numpy()
            if not len(known):
                known = self._look_up(self.space_.canonical(self.space_.sample(_N_REFERENCE, 0, unique=False)))
            self._reference = pd.DataFrame(known).median().fillna(0.0).to_numpy()
        return self._reference

    def to_state(self, space: SearchSpace) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """What ``from_state`` makes an encoder of the same features of: JSON-able settings, and arrays."""
        state: dict[str, Any] = {"proxies": None, "scorer": None, "scores": None}
        arrays: dict[str, NDArray[Any]] = {}
        if isinstance(self.proxies, Scorer):
            state["scorer"], arrays = self.proxies.to_state()
        elif self.proxies is not None:
            state["proxies"] = self.proxies if isinstance(self.proxies, str) else list(self.proxies)
        if self.scores is not None:
            state["scores"] = [str(name) for name in self.scores.columns]
            arrays["archs"] = read_index(self.scores, space)
            arrays["scores"] = self.scores.to_numpy(dtype=np.float64)
        return state, arrays

    @classmethod
    def from_state(
        cls, state: dict[str, Any], arrays: Mapping[str, NDArray[Any]], regressors: Mapping[str, Any]
    ) -> ZeroCost:
        proxies = state["proxies"] if state["scorer"] is None else Scorer.from_state(state["scorer"], arrays)
        if state["scores"] is None:
            return cls(proxies)
        index = pd.MultiIndex.from_arrays(list(arrays["archs"].T))
        return cls(proxies, pd.DataFrame(arrays["scores"], index=index, columns=state["scores"]))


def read_index(scores: pd.DataFrame, space: SearchSpace) -> IntArray:
    """(n, n_genes) the architectures that a frame of scores is of."""
    try:
        return space.parse(list(scores.index))
    except InvalidInputError as error:
        raise InvalidInputError(f"The index of 'scores' must hold the architectures. {error}") from error
