"""NASLib: surrogates behind the interface of its predictors. NASLib itself is not imported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.special import ndtri

from surronas.api import fit_predictor
from surronas.exceptions import InvalidInputError
from surronas.predictors.base import FloatArray
from surronas.spaces import SearchSpace, get_space, list_spaces
from surronas.spaces.base import IntArray

__all__ = ["SurrogatePredictor", "from_naslib"]

# What NASLib calls a space otherwise.
_SPACES = {
    "nasbench301": "darts",
    "transbench101": "transnasbench101_micro",
    "transbench101_micro": "transnasbench101_micro",
    "transbench101_macro": "transnasbench101_macro",
}


def from_naslib(archs: Iterable[Any], space: SearchSpace) -> IntArray:
    """NASLib's architectures -> (n, n_genes) int64 genotypes.

    Parameters
    ----------
    archs : iterable of its ``Graph`` objects, or of what their ``get_hash`` gives
        NAS-Bench-201's tuples of operations, NAS-Bench-101's matrices with operations, DARTS's compact form,
        TransNAS-Bench-101's digits.
    space : SearchSpace

    Examples
    --------
    >>> space = get_space("nasbench201")
    >>> space.format(from_naslib([(2, 1, 0, 1, 1, 4)], space))
    ['|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|avg_pool_3x3~2|']
    """
    hashes = [arch.get_hash() if hasattr(arch, "get_hash") else arch for arch in archs]
    # NAS-Bench-201's tuples have the length of genotypes, so that only the space's own reader tells them apart.
    read = getattr(space, "from_naslib", space.parse)
    return np.asarray(read(hashes) if hashes else np.empty((0, space.n_genes)), dtype=np.int64)


class SurrogatePredictor:
    """``fit_predictor`` as a predictor of NASLib's, for its ``PredictorEvaluator`` and predictor-based optimisers.

    Parameters
    ----------
    ss_type : str, optional
        NASLib's name of the space, which its evaluator sets by ``set_ss_type``.
    encoding_type : ignored
        NASLib's encodings are not used; ``encoder`` names the library's own.
    space : SearchSpace or str, optional
        By default what ``ss_type`` means.
    members : int, default=0
        0: ``query`` gives predictions, (n,). Else (members, n), as NASLib's ensembles do: their mean and standard
        deviation are the surrogate's, so that acquisition functions for ensembles see its uncertainty.
    predictor, encoder, random_state, n_jobs : as ``fit_predictor``

    Attributes
    ----------
    surrogate_ : Surrogate
        Since ``fit``.

    Examples
    --------
    >>> import surronas as sn
    >>> table = sn.load_benchmark("analog_nasbench")
    >>> train, test = table.split(60, random_state=0)
    >>> xtrain, xtest = (list(map(tuple, table.space.to_naslib(table.archs[rows]).tolist())) for rows in (train, test))
    >>> predictor = SurrogatePredictor("nasbench201", predictor="linear")
    >>> predictor.fit(xtrain, table.targets["baseline_accuracy"][train])
    >>> predictor.query(xtest[:4]).shape
    (4,)
    """

    def __init__(
        self,
        ss_type: str | None = None,
        encoding_type: Any = None,
        *,
        space: SearchSpace | str | None = None,
        members: int = 0,
        predictor: Any = "auto",
        encoder: Any = "auto",
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        if isinstance(members, bool) or not isinstance(members, int) or members < 0 or members == 1:
            raise InvalidInputError(f"The 'members' must be 0 or at least 2. Got {members!r} instead.")
        self.ss_type, self.encoding_type, self.given = ss_type, encoding_type, space
        self.members, self.random_state, self.n_jobs = members, random_state, n_jobs
        self.default_hyperparams = {"predictor": predictor, "encoder": encoder}
        self.hyperparams = dict(self.default_hyperparams)

    @property
    def space(self) -> SearchSpace:
        """The space that ``ss_type`` means."""
        space = self.ss_type if self.given is None else self.given
        if space is None:
            raise InvalidInputError("The search space is not known: give 'space', or let 'set_ss_type' say it.")
        if isinstance(space, SearchSpace):
            return space
        return get_space(space if space in list_spaces() else _SPACES.get(space, space))

    def set_ss_type(self, ss_type: str) -> None:
        self.ss_type = ss_type

    def pre_process(self) -> None:
        """Before any architecture is known: nothing to do."""

    def pre_compute(self, xtrain: Any, xtest: Any, unlabeled: Any = None) -> None:
        """Before several fits on parts of ``xtrain``: nothing to do."""

    def set_pre_computations(self, **kwargs: Any) -> None:
        """What an optimiser has computed beforehand is not used."""

    def fit(self, xtrain: Any, ytrain: Any, info: Any = None) -> None:
        """Fit the best surrogate.

        Parameters
        ----------
        xtrain : n architectures of NASLib's
        ytrain : (n,) numbers
        info : ignored
        """
        space = self.space
        y = np.asarray(ytrain, dtype=np.float64)
        self.surrogate_ = fit_predictor(
            from_naslib(xtrain, space),
            y,
            space=space,
            random_state=self.random_state,
            n_jobs=self.n_jobs,
            **self.hyperparams,
        )

    def query(self, xtest: Any, info: Any = None) -> FloatArray:
        """Predictions (n,), or (members, n)."""
        mean, std = self.surrogate_.predict(from_naslib(xtest, self.space), return_std=True)
        if not self.members:
            return np.asarray(mean)
        normal = ndtri((np.arange(self.members) + 0.5) / self.members)
        return np.asarray(mean + std * (normal / normal.std())[:, None])

    def get_data_reqs(self) -> dict[str, Any]:
        """Architectures and their accuracies are all that it needs."""
        return {
            "requires_partial_lc": False,
            "metric": None,
            "requires_hyperparameters": False,
            "hyperparams": {},
            "unlabeled": False,
            "unlabeled_factor": 0,
        }

    def set_hyperparams(self, hyperparams: dict[str, Any] | None) -> None:
        """``predictor`` and ``encoder``, as ``fit_predictor`` takes them."""
        self.hyperparams = self.default_hyperparams | (hyperparams or {})

    def get_hyperparams(self) -> dict[str, Any]:
        """As NASLib writes them to its results: words."""
        return {name: value if isinstance(value, str) else repr(value) for name, value in self.hyperparams.items()}

    def reset_hyperparams(self) -> None:
        self.hyperparams = dict(self.default_hyperparams)

    def set_random_hyperparams(self) -> dict[str, Any]:
        """Nothing is left to chance: adaptive switching chooses by cross-validation."""
        self.reset_hyperparams()
        return self.get_hyperparams()

    def get_hpo_wrapper(self) -> bool:
        """No: the evaluator need not tune what tunes itself."""
        return False
