"""Optuna: search spaces in its trials, and a sampler that surrogates drive."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from optuna import Study, Trial, TrialPruned
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from surronas.adapters.loop import ask_tell
from surronas.search.search import Proposal
from surronas.spaces import Gene, SearchSpace, resolve_space
from surronas.spaces.base import IntArray

__all__ = ["SurrogateSampler", "suggest"]

_ASKED, _MEMORY = "surronas:asked", "surronas:surrogates"
_CHOOSING = timedelta(minutes=10)


def suggest(trial: Trial, space: SearchSpace | str) -> IntArray:
    """Let a trial choose an architecture: one categorical parameter a gene, for the genes that are expressed.

    Parameters
    ----------
    trial : Trial
    space : SearchSpace, str

    Returns
    -------
    (n_genes,) int64, inactive genes 0

    Raises
    ------
    TrialPruned
        When the sampler's choices are no architecture of the space.
    """
    space = resolve_space(space, None)
    x = np.zeros((1, space.n_genes), dtype=np.int64)
    for i, gene in enumerate(space.genes):
        if space.active(x)[0, i]:
            choices = _choices(gene)
            x[0, i] = choices.index(trial.suggest_categorical(gene.name, choices))
    if not space.is_valid(x)[0]:
        raise TrialPruned(f"{x[0].tolist()} is no architecture of the space {space.name!r}. {space.rule}")
    return np.asarray(x[0])


class SurrogateSampler(BaseSampler):
    """Samples the architecture of greatest expected gain by surrogates of all objectives.

    Everything it knows is in the study's storage. So a study goes on where it stopped, with the same choices as without
    the stop, and any number of workers, threads or machines share one storage: what others are evaluating is not
    sampled again, and who chooses at the same time takes the next best.

    A trial that failed or was pruned is not sampled again. Parameters that are no genes are sampled at random, and so
    is everything when all architectures are known.

    Parameters
    ----------
    space : SearchSpace, str
        Parameters of its genes' names choose the architecture, as ``suggest`` has it.
    n_initial : int, default=20
        Trials of a space-filling design, before surrogates choose.
    cost : callable, optional
        (k, n_genes) genotypes -> DataFrame or dict of columns: objectives that are known without evaluating, by the
        study's ``metric_names``, or ``value0``, ``value1``, ...
    pool : (n, n_genes) int array, optional
        The only architectures that can be evaluated.
    seed : int, default=0
    **options
        Of ``NAT``: ``predictor``, ``encoder``, ``exploration``, ``n_jobs``, ...

    Examples
    --------
    >>> import optuna
    >>> import surronas as sn
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> table = sn.load_benchmark("analog_nasbench")
    >>> accuracy = dict(zip(table.space.key(table.archs), table.targets["baseline_accuracy"]))
    >>> def objective(trial):
    ...     return accuracy[table.space.key([suggest(trial, table.space)])[0]]
    >>> sampler = SurrogateSampler(table.space, n_initial=8, predictor="linear")
    >>> study = optuna.create_study(sampler=sampler, direction="maximize")
    >>> study.optimize(objective, n_trials=12)
    >>> len(study.trials)
    12
    """

    def __init__(
        self,
        space: SearchSpace | str,
        *,
        n_initial: int = 20,
        cost: Callable[[IntArray], Any] | None = None,
        pool: Any = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        self.space = resolve_space(space, None)
        self.n_initial, self.cost, self.pool, self.seed, self.options = n_initial, cost, pool, seed, options
        self._random = RandomSampler(seed)

    def reseed_rng(self) -> None:
        self._random.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {gene.name: CategoricalDistribution(_choices(gene)) for gene in self.space.genes}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if "fixed_params" in trial.system_attrs:  # enqueued by the user
            return {}
        archs, memory = self._propose(study, trial)
        if not len(archs):
            return {}
        self._note(study, trial, _ASKED, archs[-1].tolist())
        if memory is not None:
            self._note(study, trial, _MEMORY, memory)
        on = self.space.active(archs)[-1]
        genes = zip(self.space.genes, archs[-1].tolist(), on, strict=True)
        return {gene.name: _choices(gene)[code] for gene, code, expressed in genes if expressed}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def _propose(self, study: Study, trial: FrozenTrial) -> tuple[IntArray, dict[str, Any] | None]:
        """Architectures, of which the last is this trial's and the others are left to those who choose just now."""
        archs, values, pending, n = [], [], [], 1
        memory = None
        for other in study.get_trials(deepcopy=False):
            x = self._arch(other)
            memory = other.system_attrs.get(_MEMORY, memory)
            if other.state is TrialState.RUNNING and x is not None:
                pending.append(x)
            elif other.state is TrialState.RUNNING:
                started = other.datetime_start or datetime.now()
                n += other.number < trial.number and datetime.now() - started < _CHOOSING
            elif other.state.is_finished() and x is not None:
                archs.append(x)
                values.append(other.values if other.state is TrialState.COMPLETE else [np.nan] * len(study.directions))

        names = study.metric_names or [f"value{i}" for i in range(len(study.directions))]
        maximize = [direction is StudyDirection.MAXIMIZE for direction in study.directions]
        targets = dict(zip(names, maximize, strict=True))
        shared = {"cost": self.cost, "pool": self.pool, "random_state": self.seed, **self.options}
        search = ask_tell(self.space, targets, n_initial=1, **shared)
        search._start()
        if archs:
            search.tell(self._batch(archs), np.array(values, dtype=np.float64))
        if pending:
            search._expect(Proposal(self._batch(pending), None, {"by": "others"}))
        search.iteration_ = len(archs)
        if len(archs) + len(pending) < self.n_initial:
            design = search.unseen(ask_tell(self.space, targets, n_initial=self.n_initial, **shared).ask())
            if len(design) >= n:
                return design[:n], None
        search.decisions_.append({} if memory is None else {"surrogates": memory})
        return search.ask(n), search.decisions_[-1].get("surrogates")

    def _arch(self, trial: FrozenTrial) -> IntArray | None:
        """The architecture of a trial, or None where it has none (yet)."""
        x = np.zeros((1, self.space.n_genes), dtype=np.int64)
        for i, gene in enumerate(self.space.genes):
            if self.space.active(x)[0, i]:
                choices = _choices(gene)
                if gene.name not in trial.params or trial.params[gene.name] not in choices:
                    asked = trial.system_attrs.get(_ASKED)
                    return None if asked is None else np.array(asked, dtype=np.int64)
                x[0, i] = choices.index(trial.params[gene.name])
        return x[0] if self.space.is_valid(x)[0] else None

    def _batch(self, archs: list[IntArray]) -> IntArray:
        return self.space.canonical(np.array(archs, dtype=np.int64).reshape(-1, self.space.n_genes))

    def _note(self, study: Study, trial: FrozenTrial, name: str, value: Any) -> None:
        study._storage.set_trial_system_attr(trial._trial_id, name, value)


def _choices(gene: Gene) -> tuple[Any, ...]:
    """A gene's choices as a storage can keep them; ``str`` stands for what it cannot."""
    plain = (c.item() if isinstance(c, np.generic) else c for c in gene.choices)
    return tuple(c if c is None or isinstance(c, (bool, int, float, str)) else str(c) for c in plain)
