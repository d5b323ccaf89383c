"""Syne Tune: a searcher that surrogates drive, and benchmark tables as black boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from syne_tune.blackbox_repository.blackbox import Blackbox
from syne_tune.config_space import choice, ordinal, randint
from syne_tune.optimizer.schedulers.searchers.searcher import BaseSearcher

from surronas.adapters.loop import ask_tell
from surronas.datasets.table import BenchmarkTable
from surronas.exceptions import InvalidInputError
from surronas.search.objectives import FloatArray
from surronas.spaces import Gene, SearchSpace, resolve_space
from surronas.spaces.base import IntArray

__all__ = ["SurrogateSearcher", "TableBlackbox", "config_space", "from_config", "to_config"]


def config_space(space: SearchSpace | str) -> dict[str, Any]:
    """A search space as Syne Tune's: each gene a choice, an ordered one an ordinal.

    Examples
    --------
    >>> config_space("nasbench201")["op_0_1"].categories
    ['none', 'skip_connect', 'nor_conv_1x1', 'nor_conv_3x3', 'avg_pool_3x3']
    """
    space = resolve_space(space, None)
    return {
        gene.name: ordinal(_choices(gene), kind="equal") if gene.ordered else choice(_choices(gene))
        for gene in space.genes
    }


def to_config(space: SearchSpace, x: Any) -> dict[str, Any]:
    """(n_genes,) genotype -> configuration; a gene that is not expressed has its first choice."""
    return {gene.name: _choices(gene)[code] for gene, code in zip(space.genes, np.asarray(x).tolist(), strict=True)}


def from_config(space: SearchSpace, config: dict[str, Any]) -> IntArray:
    """Configuration -> (n_genes,) canonical genotype, without what is no gene; a missing one has its first choice."""
    values = ((_choices(gene), config.get(gene.name)) for gene in space.genes)
    x = [0 if value is None else choices.index(value) for choices, value in values]
    return np.asarray(space.canonical(space.parse([x]))[0])


class SurrogateSearcher(BaseSearcher):  # type: ignore[misc]
    """Suggests the architecture of greatest expected gain by surrogates of all metrics.

    For ``SingleFidelityScheduler`` and ``SingleObjectiveScheduler``, with any number of metrics and workers: what is
    being evaluated is not suggested again. It is resumed as Syne Tune resumes a scheduler, by dill.

    Parameters
    ----------
    space : SearchSpace, str
        The scheduler's ``config_space`` is ``config_space(space)``, and may have more parameters that are constants.
    n_metrics : int, default=1
    n_initial : int, default=20
        Suggestions of a space-filling design, before surrogates choose.
    cost : callable, optional
        (k, n_genes) genotypes -> DataFrame or dict of columns ``metric0``, ``metric1``, ...: metrics that are known
        without evaluating; negated, where the scheduler maximises.
    pool : (n, n_genes) int array, optional
        The only architectures that can be evaluated.
    points_to_evaluate : list of dict, optional
        Configurations to suggest first.
    random_seed : int, default=0
    **options
        Of ``NAT``: ``predictor``, ``encoder``, ``exploration``, ``n_jobs``, ...
    """

    def __init__(
        self,
        space: SearchSpace | str,
        n_metrics: int = 1,
        *,
        n_initial: int = 20,
        cost: Callable[[IntArray], Any] | None = None,
        pool: Any = None,
        points_to_evaluate: list[dict[str, Any]] | None = None,
        random_seed: int = 0,
        **options: Any,
    ) -> None:
        self.space = resolve_space(space, None)
        super().__init__(config_space(self.space), points_to_evaluate, random_seed)
        metrics = {f"metric{i}": False for i in range(n_metrics)}  # schedulers negate what they maximise
        self.search = ask_tell(
            self.space, metrics, cost=cost, pool=pool, n_initial=n_initial, random_state=random_seed, **options
        )
        self._design: list[IntArray] = []

    def suggest(self, **kwargs: Any) -> dict[str, Any] | None:
        given: dict[str, Any] | None = self._next_points_to_evaluate()
        if given is not None:
            return given
        if not hasattr(self.search, "archive_"):
            self._design = list(self.search.ask())
        archs = [self._design.pop(0)] if self._design else self.search.ask(1)
        return to_config(self.space, archs[0]) if len(archs) else None

    def on_trial_complete(self, trial_id: int, config: dict[str, Any], metrics: Any) -> None:
        self.search.tell([from_config(self.space, config)], np.reshape(metrics, (1, -1)))


class TableBlackbox(Blackbox):  # type: ignore[misc]
    """A benchmark table as Syne Tune's black box, for its simulator and any of its schedulers.

    A configuration is looked up by its architecture, so that genes that are not expressed do not matter. Where all
    targets have runs, the seeds are theirs, and the fidelities their epochs; else there is one of each.

    Parameters
    ----------
    table : BenchmarkTable
    targets : sequence of str
        The objectives, in their own units and directions: the scheduler is told which way is better.
    seconds : str or float, default=1.0
        What an epoch (with a single fidelity: the evaluation) takes: a target's name, or the same for all. The
        objective ``elapsed_time`` is its sum over epochs.

    Raises
    ------
    UnknownNameError
        For a target that is not the table's.
    InvalidInputError
        For an architecture that is not in the table.

    Examples
    --------
    >>> import surronas as sn
    >>> table = sn.load_benchmark("analog_nasbench")
    >>> box = TableBlackbox(table, ["baseline_accuracy"])
    >>> value = box(to_config(table.space, table.archs[7]), fidelity=1)["baseline_accuracy"]
    >>> bool(value == table.targets["baseline_accuracy"][7])
    True
    """

    def __init__(self, table: BenchmarkTable, targets: Sequence[str], seconds: str | float = 1.0) -> None:
        self.table = table
        keys, first = np.unique(table.space.key(table.archs), return_index=True)
        self._row_of = dict(zip(keys.tolist(), first.tolist(), strict=True))
        self.values, self.epochs = _runs(table, [table.target(name).name for name in targets])
        spent = table.targets[table.target(seconds).name] if isinstance(seconds, str) else seconds
        each = np.broadcast_to(np.asarray(spent, dtype=np.float64), len(table))
        elapsed = each[:, None, None] * np.arange(1, len(self.epochs) + 1)
        shape = self.values.shape[:3]
        self.values = np.concatenate([self.values, np.broadcast_to(elapsed, shape)[..., None]], axis=3)
        super().__init__(
            config_space(table.space),
            {"epoch": randint(int(self.epochs.min()), int(self.epochs.max()))},
            [*targets, "elapsed_time"],
        )

    @property
    def fidelity_values(self) -> IntArray:
        return self.epochs

    @property
    def num_seeds(self) -> int:
        return int(self.values.shape[1])

    def _objective_function(
        self, configuration: dict[str, Any], fidelity: dict[str, Any] | None = None, seed: int | None = None
    ) -> Any:
        arch = from_config(self.table.space, configuration)
        row = self._row_of.get(self.table.space.key(arch[None]).tolist()[0])
        if row is None:
            raise InvalidInputError(f"The configuration {configuration} is not in the table {self.table.name!r}.")
        curve = self.values[row, np.random.randint(self.num_seeds) if seed is None else seed]
        if fidelity is None:
            return curve
        at = np.flatnonzero(self.epochs == next(iter(fidelity.values())))[0]
        return dict(zip(self.objectives_names, curve[at].tolist(), strict=True))

    def hyperparameter_objectives_values(self, predict_curves: bool = False) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Configurations and their values, as Syne Tune's own surrogates learn from them."""
        space, (n, seeds, epochs, objectives) = self.table.space, self.values.shape
        X = pd.DataFrame([to_config(space, x) for x in space.canonical(self.table.archs)])
        if predict_curves:
            flat = self.values.transpose(1, 0, 2, 3).reshape(seeds * n, epochs * objectives)
            return pd.concat([X] * seeds, ignore_index=True), pd.DataFrame(flat)
        parts = [X.assign(epoch=epoch) for epoch in self.epochs for _ in range(seeds)]
        flat = self.values.transpose(2, 1, 0, 3).reshape(-1, objectives)
        return pd.concat(parts, ignore_index=True), pd.DataFrame(flat, columns=self.objectives_names)


def _runs(table: BenchmarkTable, targets: list[str]) -> tuple[FloatArray, IntArray]:
    """(n, seeds, epochs, targets) values, and the epochs."""
    runs = [table.runs.get(name) for name in targets]
    axes = [{} if run is None else dict(run.axes) for run in runs]
    if runs and axes[0] and all(a == axes[0] for a in axes) and set(axes[0]) <= {"seed", "epoch"}:
        values = np.stack([run.values for run in runs if run is not None], axis=-1)
        if list(axes[0]) == ["epoch", "seed"]:
            values = values.swapaxes(1, 2)
        seeds, epochs = (len(axes[0].get(axis, (1,))) for axis in ("seed", "epoch"))
        values = values.reshape(len(table), seeds, epochs, len(targets))
        return values, np.asarray(axes[0].get("epoch", (1,)), dtype=np.int64)
    return table.targets[targets].to_numpy()[:, None, None, :], np.array([1])


def _choices(gene: Gene) -> list[Any]:
    """A gene's choices, all of one type as Syne Tune casts them: strings, where they are not numbers of one type."""
    plain = [c.item() if isinstance(c, np.generic) else c for c in gene.choices]
    return plain if {*map(type, plain)} in ({int}, {float}) else [str(c) for c in plain]
