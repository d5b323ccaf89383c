"""Hyper-parameters of one candidate by Optuna, judged by out-of-fold predictions."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from sklearn.base import clone
from sklearn.utils import check_random_state

from surronas.encoders.base import Encoder
from surronas.encoders.features import encode
from surronas.exceptions import FitError, InvalidInputError
from surronas.predictors import Predictor
from surronas.selection.budget import check_time_budget
from surronas.selection.candidates import Candidate, resolve_candidates
from surronas.selection.cross_validation import predict_folds, split_folds
from surronas.selection.targets import TargetScores, check_targets
from surronas.selection.trials import Trial
from surronas.spaces import SearchSpace, resolve_space
from surronas.spaces.base import IntArray, RandomState

__all__ = ["TunedCandidate", "tune"]

_DONE = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class TunedCandidate:
    """What ``tune`` found; printed, it says whether that is better than the default.

    Attributes
    ----------
    predictor : Predictor
        Unfitted, with the best parameters, or as it was given where tuning did not beat it.
    encoder : str
    params : dict
        Those that were set; empty where tuning did not beat the default.
    score, default_score : float
        Kendall's tau of the out-of-fold predictions of ``predictor`` and of the predictor as it was given, on the same
        folds, which no trial of the study saw. The rows are those that were tuned on: an honest score of either needs
        others.
    study : optuna.Study
        Its values are of other folds, and those of its best trial are too good: it was chosen by them.
    """

    predictor: Predictor
    encoder: str
    params: dict[str, Any]
    score: float
    default_score: float
    study: optuna.Study

    def __str__(self) -> str:
        if not self.params:
            return f"tuning did not beat the default, out-of-fold tau {self.default_score:.3f}"
        values = ", ".join(f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value!r}"
                           for name, value in self.params.items())  # fmt: skip
        return f"{values}: out-of-fold tau {self.score:.3f}, the default's {self.default_score:.3f}"


def tune(
    archs: Any,
    y: Any,
    *,
    predictor: str | Predictor,
    encoder: str = "auto",
    space: SearchSpace | str | None = None,
    param_distributions: Mapping[str, BaseDistribution] | None = None,
    n_trials: int = 50,
    time_budget: float | None = None,
    storage: str | os.PathLike[str] | BaseStorage | None = None,
    n_folds: int = 5,
    encoders: Mapping[str, Encoder] | None = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
) -> TunedCandidate:
    """Tune a predictor's hyper-parameters on one encoding.

    A tree-structured Parzen estimator looks for the greatest Kendall's tau of out-of-fold predictions. The best trial
    is then held against the default on other folds of the same rows, since the best of many is partly the luckiest;
    unless it wins there, the default stays.

    Parameters
    ----------
    archs : n architectures in any form the space reads
        Labelled ones to be learnt from; what the surrogate is tested on must not be among them.
    y : (n,) array of finite numbers
    predictor : str or Predictor
        Its parameters as they are given are the default.
    encoder : str, default="auto"
        A name from ``list_encoders()``; ``+`` joins several. ``"auto"`` is the encoding that suits the space.
    space : SearchSpace, str or None, default=None
    param_distributions : mapping of str to optuna distribution, optional
        The parameters to tune; None for the ranges that the predictor's class has as ``tunable``.
    n_trials : int, default=50
        Altogether, with those that the storage has.
    time_budget : float or None, default=None
        Seconds after which no trial begins, nor one whose predicted end is later.
    storage : path, str, optuna storage or None, default=None
        A journal file, a database's URL such as ``"sqlite:///tuning.db"``, or a storage of Optuna's. A study of the
        same rows, folds, parameters and seed goes on where it was stopped, and ends as if it had not been; any others
        in the storage are left alone.
    n_folds : int, default=5
    encoders : mapping of str to Encoder, optional
        Unfitted encoders with parameters of their own, which ``encoder`` means by these names.
    random_state : int, RandomState or None, default=0
        Without a time budget it settles the result.
    n_jobs : int or None, default=None
        Folds are predicted in parallel through joblib; the result does not depend on it.

    Returns
    -------
    TunedCandidate
        ``fit_predictor(archs, y, predictor=tuned.predictor, encoder=tuned.encoder)`` fits it.

    Raises
    ------
    InvalidInputError
        For a predictor without parameters to tune, parameters that it has not, architectures, targets, numbers of
        trials or seconds that are none.
    FitError
        When the default itself cannot be fitted or ranks nothing.

    References
    ----------
    Akiba et al. (2019), Optuna: a next-generation hyperparameter optimization framework, arXiv:1907.10902.
    Bergstra et al. (2011), Algorithms for hyper-parameter optimization.

    Examples
    --------
    >>> import optuna
    >>> import surronas as sn
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> table = sn.load_benchmark("analog_nasbench")
    >>> train, _ = table.split(n_train=40, random_state=0)
    >>> y = table.targets["baseline_accuracy"].iloc[train]
    >>> tuned = tune(table.archs[train], y, predictor="rbf", encoder="one_hot", space=table.space, n_trials=4)
    >>> tuned.score >= tuned.default_score
    True
    """
    start = time.perf_counter()
    _check(predictor, encoder, n_trials, n_folds, time_budget)
    space = resolve_space(space, archs)
    X = space.canonical(space.parse(archs))
    z = TargetScores(check_targets(y, n=len(X))).scores
    default = resolve_candidates(predictor, encoder, space)[0]
    distributions = _distributions(default, param_distributions)

    rng = check_random_state(random_state)
    fold, other_fold = (split_folds(space, X, n_folds, rng) for _ in range(2))
    seed = int(rng.randint(2**31 - 1))
    fitted_encoder, F = encode(space, [default.encoder], X, encoders)[default.encoder]
    identity = joblib.hash((default.name, sorted(map(str, distributions.items())), F, z, fold, seed))
    study = optuna.create_study(
        storage=_storage(storage),
        study_name=f"{default.name} {identity}",
        direction="maximize",
        load_if_exists=True,
    )

    with joblib.Parallel(n_jobs=n_jobs) as parallel:

        def judge(params: Mapping[str, Any], fold: IntArray) -> tuple[float, str]:
            """Out-of-fold tau, and why it is none."""
            candidate = Candidate(default.encoder, clone(default.predictor).set_params(**params))
            trial = Trial(candidate, seed, fitted_encoder, F)
            predict_folds(parallel, [trial], np.unique(fold).tolist(), fold, z)
            score = trial.score(z)
            return score, "" if trial.ranks and np.isfinite(score) else trial.reason or trial.defect()

        def next_trial() -> None:
            trial = study.ask(distributions)
            try:
                score, defect = judge(trial.params, fold)
            except BaseException:  # an interrupt too: no trial is left running in a stored study
                study.tell(trial, state=TrialState.FAIL)
                raise
            if defect:
                trial.set_user_attr("defect", defect)
            study.tell(trial, None if defect else score, TrialState.PRUNED if defect else None)

        begun = time.perf_counter()
        default_score, defect = judge({}, other_fold)
        seconds = time.perf_counter() - begun
        if defect:
            raise FitError(f"The predictor to tune, {default.name}, cannot be judged: {defect}.")
        as_given = {name: default.predictor.get_params()[name] for name in distributions}
        if not study.get_trials(deepcopy=False) and _contain(distributions, as_given):
            study.enqueue_trial(as_given)
        _optimize(study, next_trial, n_trials, seed, seconds, np.inf if time_budget is None else start + time_budget)
        params, best_score = _best(study), default_score
        if params not in ({}, as_given):
            best_score, _ = judge(params, other_fold)
    if not best_score > default_score:
        params, best_score = {}, default_score
    tuned = clone(default.predictor).set_params(**params)
    return TunedCandidate(tuned, default.encoder, params, best_score, default_score, study)


def _check(predictor: Any, encoder: Any, n_trials: Any, n_folds: Any, time_budget: Any) -> None:
    if not isinstance(predictor, (str, Predictor)) or predictor == "auto":
        raise InvalidInputError(f"The 'predictor' parameter of tune must be one Predictor or name. Got {predictor!r}.")
    if not isinstance(encoder, str):
        raise InvalidInputError(f"The 'encoder' parameter of tune must be one name. Got {encoder!r}.")
    for name, value, least in (("n_trials", n_trials, 1), ("n_folds", n_folds, 2)):
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
            raise InvalidInputError(
                f"The {name!r} parameter must be an int of at least {least}. Got {value!r} instead."
            )
    if time_budget is not None:
        check_time_budget(time_budget)


def _optimize(
    study: optuna.Study,
    next_trial: Callable[[], None],
    n_trials: int,
    seed: int,
    longest: float,
    deadline: float,
) -> None:
    """Trials until there are enough or the next would end too late, with one more evaluation to come after them."""
    while (done := len(study.get_trials(deepcopy=False, states=_DONE))) < n_trials:
        begun = time.perf_counter()
        if begun + 2 * longest >= deadline:
            break
        # A sampler of its own for each trial: what a study that goes on samples does not depend on where it stopped.
        study.sampler = TPESampler(seed=(seed + done) % 2**32, constant_liar=False)
        next_trial()
        longest = max(longest, time.perf_counter() - begun)


def _best(study: optuna.Study) -> dict[str, Any]:
    """The parameters of the best trial, the first of equals; none where no trial has a value."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return dict(max(complete, key=lambda trial: trial.value or 0.0).params) if complete else {}


def _distributions(candidate: Candidate, given: Mapping[str, BaseDistribution] | None) -> dict[str, BaseDistribution]:
    """The ranges that are given or the predictor's own; errors name the predictor."""
    name = candidate.predictor_name
    if given is None:
        if not candidate.predictor.tunable:
            raise InvalidInputError(
                f"The predictor {name!r} declares no hyper-parameters to tune. Name some in 'param_distributions', or "
                "choose another predictor."
            )
        return {param: _distribution(**values) for param, values in candidate.predictor.tunable.items()}
    known = candidate.predictor.get_params()
    for param, distribution in given.items():
        if param not in known:
            raise InvalidInputError(
                f"The 'param_distributions' must name parameters of {name!r}, which are {sorted(known)}. Got {param!r}."
            )
        if not isinstance(distribution, BaseDistribution):
            raise InvalidInputError(
                f"The 'param_distributions' must be distributions of optuna.distributions. Got {distribution!r} "
                f"for {param!r}."
            )
    if not given:
        raise InvalidInputError("The 'param_distributions' must name at least one parameter. Got {}.")
    return dict(given)


def _distribution(**values: Any) -> BaseDistribution:
    """What ``Predictor.tunable`` says of a parameter as a distribution of Optuna's."""
    if "choices" in values:
        return CategoricalDistribution(**values)
    whole = isinstance(values["low"], int) and isinstance(values["high"], int)
    return IntDistribution(**values) if whole else FloatDistribution(**values)


def _contain(distributions: Mapping[str, BaseDistribution], params: dict[str, Any]) -> bool:
    try:
        optuna.trial.create_trial(params=params, distributions=dict(distributions), value=0.0)
    except (TypeError, ValueError):
        return False
    return True


def _storage(storage: str | os.PathLike[str] | BaseStorage | None) -> str | BaseStorage | None:
    """A path is a journal's; an URL and a storage are left to Optuna."""
    if storage is None or isinstance(storage, BaseStorage) or (isinstance(storage, str) and "://" in storage):
        return storage
    return JournalStorage(JournalFileBackend(os.fspath(storage)))
