from __future__ import annotations

import numpy as np
import pytest

from surronas.exceptions import UnknownNameError

A = np.array([[0.5, 0.6, 0.7, 0.5, 0.6, 0.7], [0.7, 0.8, 0.9, 0.7, 0.8, 0.9]])
WIGGLE = np.array([[0.01, 0.02, 0.03, 0.01, 0.02, 0.03]] * 2)


@pytest.fixture
def report(make_report):
    missing = A - 0.2
    missing[0, 0] = np.nan
    return make_report({"worst": missing, "best": A + WIGGLE, "middle": A})


def test_summary(report):
    row = report.summary().set_index(["predictor", "n_train"]).loc[("worst", 16)]
    values = np.array([0.4, 0.5, 0.3, 0.4, 0.5])
    assert row["n"] == 5
    assert row[["mean", "std", "sem"]].tolist() == pytest.approx(
        [values.mean(), values.std(ddof=1), values.std(ddof=1) / np.sqrt(5)]
    )


def test_ranking(report):
    ranking = report.ranking()
    assert ranking.index.tolist() == ["best", "middle", "worst"]
    assert ranking["mean_rank"].tolist() == [1.0, 2.0, 3.0]
    assert ranking["mean_regret"].tolist() == pytest.approx([0.0, 0.02, np.nanmean([0.2 + WIGGLE.ravel()[1:]])])
    assert ranking["n_missing"].tolist() == [0, 0, 1]


def test_ranking_by_coverage_goes_by_the_distance_from_nominal(report):
    report.frame["coverage_90"] = report.frame["predictor"].map({"worst": 0.99, "best": 0.88, "middle": 0.95})
    assert report.ranking("coverage_90").index.tolist() == ["best", "middle", "worst"]


def test_significance_is_signed_by_the_score(report):
    table = report.significance().set_index(["a", "b"])
    assert table.loc[("best", "middle"), "difference"] == pytest.approx(0.02)
    assert table.loc[("best", "middle"), "p_holm"] < 0.05
    assert table.loc[("worst", "middle"), "n_pairs"] == 11
    assert report.significance(n_train=64)["n_pairs"].tolist() == [6, 6, 6]


def test_rank_test(report):
    test = report.rank_test()
    assert test.p_value < 0.001
    assert test.distance == pytest.approx(2.343 * np.sqrt(12 / (6 * 12)), rel=1e-3)
    assert test.cliques == []


def test_headline(report, make_report):
    expected = "best ranks first of 3 predictors, ahead of middle: mean Kendall τ 0.720 against 0.700 over 12 cells"
    assert report.headline().startswith(expected)
    tied = make_report({"a": A, "b": A[:, ::-1]})
    assert "may be chance: mean Kendall τ 0.700 against 0.700" in tied.headline()
    assert make_report({"a": A}).headline() == "a has a mean Kendall τ of 0.700 over 12 cells."
    assert make_report({"a": A * np.nan}).headline() == "No predictor has a Kendall τ in any cell."


def test_unknown_metrics_are_refused(report):
    for ask in (report.summary, report.ranking, report.significance, report.rank_test):
        with pytest.raises(UnknownNameError, match="Unknown metric 'kendal_tau'. Did you mean 'kendall_tau'"):
            ask("kendal_tau")
