from __future__ import annotations

import json

import joblib
import numpy as np
import pandas as pd
import pytest

from surronas.benchmark import evaluate, metrics
from surronas.encoders.one_hot import OneHot
from surronas.encoders.zero_cost import ZeroCost
from surronas.exceptions import InvalidFileError, InvalidInputError, UnknownNameError
from surronas.predictors import get_predictor
from surronas.proxies import Scorer

TIMES = ["fit_seconds", "predict_seconds"]


def run(table, predictors=("linear", "mean"), **options):
    return evaluate(predictors, table, **{"n_train": [10, 20], "n_repeats": 3, **options})


def same(a, b):
    pd.testing.assert_frame_equal(a.drop(columns=TIMES), b.drop(columns=TIMES))


def test_one_row_a_cell_in_the_order_asked_for(table, fits):
    frame = run(table).frame
    cells = list(frame[["predictor", "n_train", "repeat"]].itertuples(index=False, name=None))
    assert cells == [(p, n, r) for p in ("linear", "mean") for n in (10, 20) for r in range(3)]


def test_all_predictors_see_the_same_rows(table, fits):
    run(table)
    by_predictor = [[fit for fit in fits.seen if fit.predictor == name] for name in ("linear", "mean")]
    for a, b in zip(*by_predictor, strict=True):
        np.testing.assert_array_equal(a.archs, b.archs)
        assert a.seed == b.seed


@pytest.mark.parametrize(("protocol", "train_counts"), [("rest", False), ("all", True)])
def test_scores_are_those_of_the_rows_the_protocol_names(table, fits, protocol, train_counts):
    frame = run(table, ["linear"], n_train=[20], n_repeats=1, test_target="test_accuracy", protocol=protocol).frame
    (fit,) = fits.seen
    rows = [table.archs.tolist().index(arch) for arch in fit.archs.tolist()]
    np.testing.assert_array_equal(fit.y, table.targets["val_accuracy"].iloc[rows])
    tested = table.targets["test_accuracy"].notna().to_numpy(copy=True)
    if not train_counts:
        tested[rows] = False
    from surronas.benchmark.cell import fit_predictor

    model = fit_predictor(
        fit.archs, fit.y, space=table.space, predictor="linear", encoder="auto", random_state=0, n_jobs=1
    )
    tau = metrics.kendall_tau(table.targets["test_accuracy"][tested], model.predict(table.archs[tested]))
    assert frame["kendall_tau"].item() == pytest.approx(tau)
    assert frame["n_test"].item() == tested.sum()


def test_duplicates_are_counted_by_isomorphism(table, fits):
    frame = run(table, ["linear"]).frame
    keys = table.space.key(table.archs).tolist()
    for fit, row in zip(fits.seen, frame.sort_values(["repeat", "n_train"]).itertuples(), strict=True):
        rows = [table.archs.tolist().index(arch) for arch in fit.archs.tolist()]
        tested = set(np.flatnonzero(table.targets["val_accuracy"].notna())) - set(rows)
        assert row.n_duplicates == sum(keys[i] in {keys[j] for j in rows} for i in tested)
    assert (frame["n_duplicates"] > 0).any()
    assert (run(table, ["linear"], protocol="unique").frame["n_duplicates"] == 0).all()


@pytest.mark.parametrize(("target", "sign"), [("val_accuracy", 1), ("latency", 1), ("error", -1)])
def test_the_parameter_count_is_turned_the_way_size_should_help(table, fits, target, sign):
    frame = run(table, ["linear"], target=target, n_train=[10], n_repeats=1, protocol="all").frame
    known = table.targets[target].notna()
    params = table.space.cost(table.archs[known])["params"]
    assert frame["size_tau"].item() == pytest.approx(metrics.kendall_tau(table.targets[target][known], sign * params))


def test_names_are_taken_apart(table, fits):
    run(table, ["auto", "linear", "one_hot:mean", "one_hot+graph:linear"], n_train=[10], n_repeats=1)
    assert [(fit.encoder, fit.predictor) for fit in fits.seen] == [
        ("auto", "auto"),
        ("auto", "linear"),
        ("one_hot", "mean"),
        ("one_hot+graph", "linear"),
    ]


def test_what_was_chosen_is_recorded(table, fits):
    assert set(run(table, ["linear"]).frame["chosen"]) == {"one_hot:linear + one_hot:mlp"}


def test_a_mapping_names_predictors_of_ones_own(table, fits):
    mine = get_predictor("linear")
    frame = run(table, {"mine": mine, "its": "one_hot:mean"}, n_train=[10], n_repeats=1).frame
    assert frame["predictor"].tolist() == ["mine", "its"]
    assert [(fit.encoder, fit.predictor) for fit in fits.seen] == [("auto", mine), ("one_hot", "mean")]


def test_a_failure_is_one_cells_result(table, fits):
    report = run(table, ["linear", "gp"])
    failed = report.frame[report.frame["predictor"] == "gp"]
    assert (failed["error"] == "ValueError: not positive definite").all()
    assert failed["kendall_tau"].isna().all()
    assert report.frame[report.frame["predictor"] == "linear"]["error"].isna().all()
    assert report.ranking().loc["gp", "n_missing"] == 6


def test_a_constant_prediction_has_no_tau(table, fits):
    frame = run(table, ["mean"]).frame
    assert frame[["kendall_tau", "spearman", "pearson"]].isna().all(axis=None)
    assert frame[["rmse", "error"]].notna().all().tolist() == [True, False]


def test_results_are_written_and_read_back(table, fits, tmp_path):
    frame = run(table, ["linear", "gp"], out=tmp_path).frame
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "results.parquet"), frame, check_dtype=False)
    assert len(pd.read_csv(tmp_path / "results.csv")) == len(frame)


@pytest.mark.parametrize("torn", [0, 1, 40])
def test_an_interrupted_run_goes_on_where_it_stopped(table, fits, tmp_path, torn):
    expected = run(table).frame
    fits.seen.clear()
    fits.stop_after = 7
    with pytest.raises(KeyboardInterrupt):
        run(table, out=tmp_path)
    journal = tmp_path / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[: len(journal.read_bytes()) - torn])
    assert not (tmp_path / "results.parquet").exists()

    fits.seen.clear()
    fits.stop_after = None
    same(run(table, out=tmp_path).frame, expected)
    assert len(fits.seen) == len(expected) - (7 if torn == 0 else 6)
    fits.seen.clear()
    same(run(table, out=tmp_path).frame, expected)
    assert fits.seen == []


def test_failed_cells_are_repeated(table, fits, tmp_path):
    run(table, ["linear", "gp"], out=tmp_path)
    fits.seen.clear()
    run(table, ["linear", "gp"], out=tmp_path)
    assert {fit.predictor for fit in fits.seen} == {"gp"}


def test_a_journal_takes_more_repeats_but_no_other_measurement(table, fits, tmp_path):
    run(table, ["linear"], out=tmp_path)
    fits.seen.clear()
    run(table, ["linear", "mean"], n_repeats=4, out=tmp_path)
    assert len(fits.seen) == 10
    for change in ({"target": "latency"}, {"random_state": 1}, {"protocol": "unique"}, {"test_target": "latency"}):
        with pytest.raises(InvalidInputError, match="belongs to another measurement"):
            run(table, ["linear"], out=tmp_path, **change)
    other = table.copy()
    other.targets.loc[100, "val_accuracy"] += 1e-9
    with pytest.raises(InvalidInputError, match="content"):
        run(other, ["linear"], out=tmp_path)


def test_the_journal_is_plain_json(table, fits, tmp_path):
    run(table, ["mean"], out=tmp_path)

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    for line in (tmp_path / "journal.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=refuse)


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_the_numbers_do_not_depend_on_where_cells_run(table, backend):
    expected = run(table, ["linear"], n_train=[16], n_repeats=2).frame
    assert expected["error"].isna().all()
    with joblib.parallel_config(backend=backend, n_jobs=2):
        same(run(table, ["linear"], n_train=[16], n_repeats=2).frame, expected)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"predictors": ["xgbost"]}, UnknownNameError, "Unknown predictor 'xgbost'. Did you mean 'xgboost'"),
        ({"predictors": ["onehot:gp"]}, UnknownNameError, "Unknown encoder 'onehot'. Did you mean 'one_hot'"),
        ({"predictors": {}}, InvalidInputError, "must name at least one. Got none"),
        ({"predictors": []}, InvalidInputError, "'predictors' parameter of evaluate must name at least one"),
        ({"predictors": [3]}, InvalidInputError, "'predictors' of evaluate must be names.* Got 3"),
        ({"target": "acc"}, UnknownNameError, "Unknown target 'acc'"),
        ({"test_target": "tst_accuracy"}, UnknownNameError, "Did you mean 'test_accuracy'"),
        (
            {"n_repeats": 0},
            InvalidInputError,
            "'n_repeats' parameter of evaluate must be a positive int below 2.32. Got 0",
        ),
        ({"n_repeats": 10**20}, InvalidInputError, "'n_repeats' parameter of evaluate must be a positive int below"),
        (
            {"random_state": None},
            InvalidInputError,
            "'random_state' parameter .* non-negative int below 2.32. Got None",
        ),
        ({"n_train": [16, -3]}, InvalidInputError, "'n_train' parameter of evaluate .* Got -3"),
        ({"protocol": "al"}, UnknownNameError, "Unknown protocol 'al'"),
    ],
)
def test_bad_arguments_are_named(table, fits, options, error, message):
    with pytest.raises(error, match=message):
        run(table, **options)
    assert fits.seen == []


# -- proxies --------------------------------------------------------------------------------------


def known(table, seed=0):
    values = np.random.default_rng(seed).normal(size=(len(table), 2))
    return pd.DataFrame(values, columns=["synflow", "nwot"], index=table.space.format(table.archs))


def test_proxies_go_to_those_whose_encoder_may_use_them(table, fits):
    scores = known(table)
    run(table, ["auto", "linear", "one_hot:linear", "one_hot+zero_cost:linear"], n_repeats=1, proxies=scores)
    assert len(fits.seen) == 8
    for fit in fits.seen:
        assert (fit.proxies is None) == (fit.encoder == "one_hot")
        assert fit.proxies is None or fit.proxies.scores is scores


def test_proxies_make_a_difference_to_real_predictors(table):
    """A proxy that is the target."""
    subset = table.subset(np.arange(10, 60))
    told = known(subset).assign(nwot=subset.targets["val_accuracy"].to_numpy())
    options = {"n_train": [20], "n_repeats": 1, "proxies": told}
    frame = evaluate(["one_hot:linear", "zero_cost:linear"], subset, **options).frame.set_index("predictor")
    assert frame["error"].isna().all()
    assert frame.loc["zero_cost:linear", "kendall_tau"] > 0.95 > frame.loc["one_hot:linear", "kendall_tau"]


def test_proxies_are_computed_before_the_first_cell_and_what_stands_for_missing_ones_too(table, fits, monkeypatch):
    cut = (table.space.canonical(table.archs) == 0).all(axis=1)  # their logits depend on no pixel
    known = table.targets["val_accuracy"].notna()
    subset = table.subset(np.r_[np.flatnonzero(cut & known)[:2], np.flatnonzero(~cut & known)[:18]])
    scorer = Scorer("jacov", batch_size=2)
    evaluate(["zero_cost:linear"], subset, n_train=[5], n_repeats=2, proxies=scorer)
    assert all(fit.proxies.proxies is scorer for fit in fits.seen)
    monkeypatch.setattr("surronas.proxies.scorer.delayed", None)  # nothing is left to do
    features = ZeroCost(scorer, space=subset.space).fit_transform(subset.space.canonical(subset.archs))
    assert 0 < features[:, 1].sum() < len(subset), "some are missing"


def test_a_journal_knows_its_proxies(table, fits, tmp_path):
    options = {"n_repeats": 1, "out": tmp_path}
    run(table, ["zero_cost:linear"], proxies=known(table), **options)
    seen = len(fits.seen)
    run(table, ["zero_cost:linear"], proxies=known(table), **options)
    assert len(fits.seen) == seen
    for other in ({}, {"proxies": known(table, seed=1)}):
        with pytest.raises(InvalidInputError, match="proxies"):
            run(table, ["zero_cost:linear"], **options, **other)


def test_proxies_without_use_are_refused(table):
    with pytest.raises(InvalidInputError, match=r"The 'proxies' have no use: .* \['one_hot:linear'\]"):
        run(table, ["one_hot:linear"], proxies=known(table))
    with pytest.raises(InvalidInputError, match="names, a Scorer or a DataFrame. Got OneHot"):
        run(table, ["auto"], proxies=OneHot())


@pytest.mark.parametrize(
    "cell", [{}, {"error": None}, {"predictor": []}, {"n_train": "ten"}, {"kendall_tau": "high"}, {"seed": 10**400}]
)
def test_a_line_that_is_no_cell_is_refused(table, fits, tmp_path, cell):
    run(table, ["linear"], out=tmp_path)
    journal = tmp_path / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    changed = json.loads(lines[-1]) | cell if len(cell) and "error" not in cell else cell
    journal.write_bytes(b"".join(lines[:-1]) + json.dumps(changed).encode() + b"\n")
    before = journal.read_bytes()
    with pytest.raises(InvalidFileError, match="has a line that is no cell"):
        run(table, ["linear"], out=tmp_path)
    assert journal.read_bytes() == before
