"""What a benchmark found: a tidy frame, and the tables, tests, checks and page made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from surronas.benchmark.checks import Finding, run_checks
from surronas.benchmark.page import Section, render
from surronas.benchmark.protocol import Protocol
from surronas.benchmark.scores import SCORES, Score
from surronas.benchmark.statistics import cliques, friedman, mean_ranks, nemenyi_distance, pairwise_wilcoxon
from surronas.datasets.table import Target
from surronas.exceptions import UnknownNameError
from surronas.io import write_atomic

__all__ = ["RankTest", "Report"]


@dataclass(frozen=True)
class RankTest:
    """Friedman's test over all predictors, with Nemenyi's critical difference of their mean ranks.

    Attributes
    ----------
    p_value : float
        That all rank the same; NaN for fewer than three predictors or two cells.
    distance : float
        Mean ranks further apart than this differ at the 5 % level.
    cliques : list of list of str
        The largest groups of predictors that do not.
    """

    p_value: float
    distance: float
    cliques: list[list[str]]


@dataclass(frozen=True)
class Report:
    """The result of `surronas.evaluate`.

    Attributes
    ----------
    frame : DataFrame
        One row a cell: ``predictor``, ``n_train``, ``repeat``, ``seed``, ``n_test``; the scores (see
        ``surronas.benchmark.scores.SCORES``; NaN where undefined); ``chosen``, what the selection settled on;
        ``n_duplicates``, the test rows isomorphic to a training row; ``size_tau``, Kendall's tau of the
        parameter count on the same test rows; ``warnings`` and ``error``, texts or missing.
    target, test_target : Target
    protocol : Protocol
    provenance : dict
        Data, settings, versions, machine.
    """

    frame: pd.DataFrame
    target: Target
    test_target: Target
    protocol: Protocol
    provenance: dict[str, Any]

    @property
    def predictors(self) -> list[str]:
        """The names of what was compared, in the order given."""
        return list(self.frame["predictor"].unique())

    @property
    def sizes(self) -> list[int]:
        """The numbers of training architectures, in the order given."""
        return [int(n) for n in self.frame["n_train"].unique()]

    def summary(self, metric: str = "kendall_tau") -> pd.DataFrame:
        """Mean, standard deviation and standard error of a score over the repeats.

        Returns
        -------
        DataFrame
            A row a predictor and number of training architectures: ``predictor``, ``n_train``, ``n`` (repeats
            with that score), ``mean``, ``std``, ``sem``.
        """
        _score(metric)
        groups = self.frame.groupby(["predictor", "n_train"], sort=False)[metric]
        return groups.agg(n="count", mean="mean", std="std", sem="sem").reset_index()

    def ranking(self, metric: str = "kendall_tau") -> pd.DataFrame:
        """The predictors by mean rank over all cells, best first.

        Returns
        -------
        DataFrame
            Index ``predictor``; ``mean_rank`` (1 = best; a cell without a score ranks last), ``mean`` of the
            score, ``mean_regret`` (how far behind the best of each cell on average), ``n_missing`` cells.
        """
        losses = self.losses(metric)
        columns = {
            "mean_rank": mean_ranks(losses),
            "mean": self.frame.groupby("predictor")[metric].mean(),
            "mean_regret": losses.sub(losses.min(axis=1), axis=0).mean(),
            "n_missing": losses.isna().sum(),
        }
        return pd.DataFrame(columns).rename_axis("predictor").sort_values("mean_rank", kind="stable")

    def significance(self, metric: str = "kendall_tau", n_train: int | None = None) -> pd.DataFrame:
        """Paired two-sided Wilcoxon tests of every two predictors, Holm-corrected.

        Parameters
        ----------
        metric : str, default="kendall_tau"
        n_train : int, optional
            Only the cells of that size; all cells by default.

        Returns
        -------
        DataFrame
            A row a pair: ``a``, ``b``, ``n_pairs``, ``difference`` (mean score of a less that of b; for the
            coverage, of its distance from 90 %), ``p_value``, ``p_holm``.
        """
        table = pairwise_wilcoxon(self.losses(metric, n_train))
        return table.assign(difference=-table["difference"]) if _score(metric).better == "high" else table

    def rank_test(self, metric: str = "kendall_tau") -> RankTest:
        """Whether the predictors' ranks differ at all, and by how much mean ranks must differ."""
        losses = self.losses(metric)
        distance = nemenyi_distance(losses.shape[1], len(losses)) if losses.shape[1] > 1 else float("nan")
        return RankTest(friedman(losses), distance, cliques(mean_ranks(losses), distance))

    def losses(self, metric: str = "kendall_tau", n_train: int | None = None) -> pd.DataFrame:
        """A score turned so that lower is better: a row a cell (n_train, repeat), a column a predictor."""
        score = _score(metric)
        frame = self.frame if n_train is None else self.frame[self.frame["n_train"] == n_train]
        wide = frame.pivot(index=["n_train", "repeat"], columns="predictor", values=metric)
        return score.loss(wide[self.predictors].rename_axis(columns=None))

    def headline(self) -> str:
        """The result in one sentence."""
        ranking = self.ranking()
        first, mean = ranking.index[0], ranking["mean"]
        if pd.isna(mean.iloc[0]):
            return "No predictor has a Kendall τ in any cell."
        if ranking["mean"].notna().sum() == 1:
            return f"{first} has a mean Kendall τ of {mean.iloc[0]:.3f} over {len(self.losses())} cells."
        second = ranking.index[1]
        test = pairwise_wilcoxon(self.losses()[[second, first]]).iloc[0]
        figures = f"mean Kendall τ {mean.iloc[0]:.3f} against {mean.iloc[1]:.3f} over {test['n_pairs']} cells"
        place = f"{first} ranks first of {len(ranking)} predictors"
        if test["p_value"] < 0.05 and test["difference"] > 0:
            return f"{place}, ahead of {second}: {figures} (p = {test['p_value']:.2g})."
        return f"{place}, but its lead on {second} may be chance: {figures}."

    def checks(self) -> list[Finding]:
        """What a careful reader would object to, gravest first, each with advice."""
        return run_checks(self)

    def to_html(self, path: str | Path, sections: Sequence[Section] = ()) -> Path:
        """Write the report as one self-contained page, which needs no network.

        Parameters
        ----------
        path : path
        sections : sequence of Section
            Further sections, shown first.
        """
        write_atomic(path, render(self, sections).encode())
        return Path(path)


def _score(metric: str) -> Score:
    if metric not in SCORES:
        raise UnknownNameError.of("metric", metric, SCORES)
    return SCORES[metric]
