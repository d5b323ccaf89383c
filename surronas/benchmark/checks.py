"""Coded checks: what a careful reader would object to, each with advice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from surronas.benchmark.statistics import pairwise_wilcoxon

if TYPE_CHECKING:
    from surronas.benchmark.report import Report

__all__ = ["CHECKS", "Check", "Finding", "run_checks"]

_AFFORDABLE = 10_000  # cells: beyond it a number says no more than that predictors are equal

SEVERITIES = ("error", "warning", "info")
COVERED = (0.87, 0.93)


@dataclass(frozen=True)
class Finding:
    """One objection: what was found, how grave it is, what to do."""

    code: str
    severity: str
    title: str
    detail: str
    advice: str

    def __str__(self) -> str:
        return f"{self.code} {self.severity}: {self.title}. {self.detail} {self.advice}"


@dataclass(frozen=True)
class Check:
    """A check; ``find`` yields the details of what it finds."""

    code: str
    severity: str
    title: str
    advice: str
    find: Callable[[Report], Iterator[str]]


CHECKS: dict[str, Check] = {}


def run_checks(report: Report) -> list[Finding]:
    """The findings of all checks, gravest first, then by code."""
    findings = [
        Finding(check.code, check.severity, check.title, detail, check.advice)
        for check in CHECKS.values()
        for detail in check.find(report)
    ]
    return sorted(findings, key=lambda finding: (SEVERITIES.index(finding.severity), finding.code))


def _check(code: str, severity: str, title: str, advice: str) -> Callable[[Callable[[Report], Iterator[str]]], None]:
    def register(find: Callable[[Report], Iterator[str]]) -> None:
        CHECKS[code] = Check(code, severity, title, advice, find)

    return register


@_check(
    "SNB001",
    "warning",
    "No better than the parameter count",
    "Give it more training architectures or richer features, or rank by size and save the fits.",
)
def _beaten_by_size(report: Report) -> Iterator[str]:
    for predictor, sizes in _by_predictor(report, ["kendall_tau", "size_tau"]):
        weak = sizes[sizes["kendall_tau"] <= sizes["size_tau"]]
        if len(weak):
            where = _join(f"{n} (τ {row.kendall_tau:.3f} against {row.size_tau:.3f})" for n, row in weak.iterrows())
            yield f"{predictor} at n = {where}."


@_check(
    "SNB002",
    "warning",
    "Test rows isomorphic to training rows",
    "Their values are nearly known already; use protocol='unique' for figures that are free of them.",
)
def _duplicates(report: Report) -> Iterator[str]:
    if report.protocol.test_on_training:
        return
    means = report.frame.groupby("n_train", sort=False)[["n_duplicates", "n_test"]].mean()
    means = means[means["n_duplicates"] > 0]
    if len(means):
        where = _join(
            f"{row.n_duplicates:,.0f} of {row.n_test:,.0f} ({_percent(row.n_duplicates / row.n_test)}) at n = {n}"
            for n, row in means.iterrows()
        )
        yield f"On average {where}."


@_check(
    "SNB003",
    "warning",
    "Coverage of the 90 % intervals is off",
    "Do not read these intervals as 90 %: too low means overconfident, too high means wider than needed.",
)
def _coverage_off(report: Report) -> Iterator[str]:
    for predictor, cells in report.frame.groupby("predictor", sort=False):
        groups = cells.groupby("n_train", sort=False)["coverage_90"]
        mean, repeats = groups.mean(), groups.count()
        # Two standard errors: of the repeats, or what calibrating on n architectures leaves to chance.
        by_chance = np.sqrt(0.09 / (mean.index.to_numpy() * repeats.clip(lower=1).to_numpy()))
        error = 2 * np.where(repeats >= 3, groups.sem(), by_chance)
        off = mean[(mean + error < COVERED[0]) | (mean - error > COVERED[1])]
        if len(off):
            yield f"{predictor}: {_join(f'{_percent(value)} at n = {n}' for n, value in off.items())}."


@_check(
    "SNB004",
    "warning",
    "Too few repeats to tell the leaders apart",
    "Raise n_repeats (the same call with out= goes on where it stopped), or call them equal.",
)
def _leaders_tied(report: Report) -> Iterator[str]:
    if len(report.predictors) < 2:
        return
    first, second = report.ranking().index[:2]
    losses = report.losses()[[second, first]]
    test = pairwise_wilcoxon(losses).iloc[0]
    if test["p_value"] < 0.05 or not test["n_pairs"]:
        return
    lead = f"{first} ranks before {second}, with a mean τ {abs(test['difference']):.4f} "
    lead += "higher" if test["difference"] > 0 else "lower"
    text = f"{lead} over {test['n_pairs']} cells, p = {test['p_value']:.2g}."
    spread = (losses[second] - losses[first]).std()
    if test["difference"] > 0 and np.isfinite(spread):
        # 1.96 + 0.84: two-sided 5 % level with a power of 80 %; 0.955 is the test's efficiency on normal data.
        needed = (2.8 * spread / test["difference"]) ** 2 / 0.955
        if needed <= _AFFORDABLE:
            text += f" About {max(6, np.ceil(needed)):,.0f} cells would tell a difference of that size."
        else:
            text += f" Not even {_AFFORDABLE:,} cells would tell a difference of that size."
    yield text


@_check("SNB005", "error", "Failed cells", "They rank last in their cells; read the error and repeat the same call.")
def _failed(report: Report) -> Iterator[str]:
    failed = report.frame[report.frame["error"].notna()]
    for (predictor, error), cells in failed.groupby(["predictor", "error"], sort=False):
        yield f"{predictor}, {len(cells)} of {_n_cells(report)} cells: {error}"


@_check(
    "SNB006",
    "error",
    "Negative correlation",
    "It ranks upside down: check the direction of the target and of the predictor's output.",
)
def _upside_down(report: Report) -> Iterator[str]:
    for predictor, sizes in _by_predictor(report, ["kendall_tau"]):
        negative = sizes[sizes["kendall_tau"] < 0]
        if len(negative):
            yield f"{predictor}: {_join(f'τ {row.kendall_tau:.3f} at n = {n}' for n, row in negative.iterrows())}."


@_check(
    "SNB007",
    "warning",
    "Constant predictions",
    "A constant ranks nothing: its correlations are undefined, and it ranks last in these cells.",
)
def _constant(report: Report) -> Iterator[str]:
    constant = report.frame[report.frame["kendall_tau"].isna() & report.frame["error"].isna()]
    for predictor, cells in constant.groupby("predictor", sort=False):
        yield f"{predictor}, {len(cells)} of {_n_cells(report)} cells."


@_check(
    "SNB008",
    "warning",
    "Tested on training rows",
    "Compare these figures only with others of the same protocol; protocol='rest' measures generalisation.",
)
def _tested_on_training(report: Report) -> Iterator[str]:
    if report.protocol.test_on_training:
        yield f"The protocol {report.protocol.name!r} tests on every row, the n training rows included."


@_check("SNB009", "info", "Warnings while fitting", "Shown as the libraries gave them; the cells count as they are.")
def _warned(report: Report) -> Iterator[str]:
    warned = report.frame[report.frame["warnings"].notna()]
    if len(warned):
        texts = warned["warnings"].str.split("\n").explode().value_counts()
        others = f" ({len(texts) - 1} other texts)" if len(texts) > 1 else ""
        yield f"In {len(warned)} of all {len(report.frame)} cells, most often: {texts.index[0]}{others}"


def _by_predictor(report: Report, columns: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Means over the repeats, a row a size, for each predictor."""
    for predictor, cells in report.frame.groupby("predictor", sort=False):
        yield str(predictor), cells.dropna(subset=columns).groupby("n_train", sort=False)[columns].mean()


def _n_cells(report: Report) -> int:
    return len(report.frame) // len(report.predictors)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _join(parts: Iterator[str]) -> str:
    return ", ".join(parts)
