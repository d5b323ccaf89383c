from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import surronas as sn
from surronas.exceptions import InvalidFileError, InvalidInputError, UnknownNameError
from surronas.search import NAT, NSGA2, FunctionEvaluator, MSuNAS, RandomSearch, RegularizedEvolution, TableEvaluator
from surronas.search.progress import prequential_taus
from surronas.search.run import Run

QUICK = {"n_initial": 8, "batch_size": 4, "predictor": "linear", "encoder": "one_hot"}
SEARCHES = {
    "nat": lambda table, **options: NAT(table, **QUICK | options),
    "evolved": lambda table, **options: NAT(
        table, **QUICK | {"candidates": "nsga3", "population": 12, "generations": 3} | options
    ),
    "random": lambda table, **options: RandomSearch(table, **{"n_initial": 8, "batch_size": 4} | options),
    "evolution": lambda table, **options: RegularizedEvolution(table, **{"n_initial": 8, "batch_size": 4} | options),
    "nsga2": lambda table, **options: NSGA2(table, **{"n_initial": 8, "batch_size": 8, "population": 8} | options),
}


@pytest.fixture(params=SEARCHES)
def make(request):
    return SEARCHES[request.param]


def test_asks_for_new_architectures_only(make, table):
    search = make(table)
    told = []
    for _ in range(4):
        archs = search.ask()
        assert len(archs)
        told += table.space.key(archs).tolist()
        search.tell(archs, search.evaluator_.evaluate(archs))
    assert len(set(told)) == len(told) == len(search.result().archive)


def test_asking_twice_gives_different_ones(make, table):
    search = make(table)
    first, second = search.ask(), search.ask()
    assert not np.isin(table.space.key(first), table.space.key(second)).any()


def test_the_same_seed_gives_the_same_archive_and_another_one_another(make, table):
    runs = [make(table, random_state=seed).run(n_evaluations=24).archive for seed in (3, 3, 4)]
    assert (runs[0].archs == runs[1].archs).all()
    assert (runs[0].archs != runs[2].archs).any()


def test_exactly_as_many_as_allowed_and_all_of_a_small_space(make, table):
    assert len(make(table).run(n_evaluations=13).archive) == 13
    small = table.subset(np.arange(15))
    assert len(make(small).run(n_evaluations=100).archive) == 15


def test_ask_and_tell_do_what_run_does(make, table):
    search, evaluator = make(table), TableEvaluator(table)
    while len(search.result().archive) < 24:
        archs = search.ask()
        search.tell(archs, evaluator.evaluate(archs))
    run = make(table).run(n_evaluations=len(search.archive_)).archive
    assert (run.archs == search.archive_.archs).all()


def test_parameters_are_stored_and_cloned(make, table):
    search = make(table, random_state=5)
    assert clone(search, safe=False).get_params()["random_state"] == 5
    assert not hasattr(search, "archive_")


def test_the_table_s_best_is_found(table):
    front = NAT(table, n_initial=10, batch_size=5, predictor="gp", encoder="one_hot").run(n_evaluations=70).front
    evaluator = TableEvaluator(table)
    values = evaluator.evaluate(evaluator.pool)
    everything = RandomSearch(table)
    archs = everything.ask(243)
    everything.tell(archs, evaluator.evaluate(archs))
    reference = [100 - values["val_accuracy"].min(), values["madds"].max()]
    best = everything.archive_.hypervolume(reference)
    assert front.hypervolume(reference) > 0.995 * best


def test_told_what_was_not_asked_for(table):
    search = NAT(table, **QUICK)
    search.tell(table.archs[:9], table.targets.iloc[:9])
    assert len(search.archive_) == 9
    archs = search.ask()
    assert len(archs) == 4
    assert not search.archive_.contains(archs).any()


def test_constraints_keep_what_is_evaluated_feasible(table):
    search = NAT(table, constraints={"latency_ms": 4.0}, confidence=0.9, **QUICK)
    archive = search.run(n_evaluations=40).archive
    chosen = archive.values["latency_ms"][8:]
    assert (chosen <= 4.0).mean() > 0.8
    assert (archive.values["latency_ms"][:8] > 4.0).any()
    assert (archive.front().values["latency_ms"] <= 4.0).all()


def test_confidence_moves_the_margin(table):
    shares = []
    for confidence in (0.05, 0.95):
        search = NAT(table, constraints={"latency_ms": 4.0}, confidence=confidence, **QUICK)
        shares.append((search.run(n_evaluations=40).archive.values["latency_ms"][8:] <= 4.0).mean())
    assert shares[0] < shares[1]


# -- faults of the public code, REFERENCES.md section 1 ------------------------------------------


def test_logged_correlations_are_of_architectures_that_no_model_had_seen():
    """The public code logs the correlation over the training points, which an interpolating predictor makes 1."""
    space = sn.SearchSpace([sn.Gene(f"g{i}", (0, 1, 2)) for i in range(6)])
    noise = dict(zip(space.key(space.enumerate()).tolist(), np.random.RandomState(0).rand(729), strict=True))
    evaluator = FunctionEvaluator(
        lambda X: np.array([[noise[k], -noise[k]] for k in space.key(X).tolist()]), space, {"a": False, "b": False}
    )
    search = NAT(evaluator, ["a", "b"], n_initial=20, batch_size=20, predictor="rbf", encoder="one_hot")
    archive = search.run(n_evaluations=80).archive
    assert archive.predicted[:20].isna().all(axis=None)
    assert archive.predicted[20:].notna().all(axis=None)
    assert abs(prequential_taus(archive)["a"]) < 0.3


def test_predictors_see_canonical_genotypes_only(conditional_space, monkeypatch):
    """The public code's evolution feeds genomes with unexpressed genes to a predictor trained on canonical ones."""
    seen = []
    predict = sn.AdaptiveSwitching.predict_scores

    def spy(self, X):
        seen.append(X)
        return predict(self, X)

    monkeypatch.setattr(sn.AdaptiveSwitching, "predict_scores", spy)
    evaluator = FunctionEvaluator(
        lambda X: {"a": X.sum(axis=1), "b": -X[:, 0]}, conditional_space, {"a": False, "b": False}
    )
    options = {"candidates": "unsga3", "population": 10, "generations": 4}
    NAT(evaluator, ["a", "b"], **QUICK | {"n_initial": 6}, **options).run(n_evaluations=14)
    X = np.concatenate(seen)
    assert len(X) > 40
    assert (X == conditional_space.canonical(X)).all()


def test_a_failed_evaluation_never_enters_as_a_number(table, monkeypatch):
    """The public code records a failure as error 100, which the front, the surrogates and the plots then use."""
    fitted = []
    fit = sn.AdaptiveSwitching.fit
    monkeypatch.setattr(sn.AdaptiveSwitching, "fit", lambda self, X, y: (fitted.append(y), fit(self, X, y))[1])
    inner = TableEvaluator(table)

    def evaluate(X):
        if X[0, 0] == 1:
            raise RuntimeError("out of memory")
        return inner.evaluate(X)

    evaluator = FunctionEvaluator(evaluate, table.space, inner.targets)
    search = NAT(evaluator, **QUICK)
    archive = search.run(n_evaluations=32).archive
    failed = ~archive.succeeded
    assert (failed == (archive.archs[:, 0] == 1)).all()
    assert failed.sum() > 2
    assert archive.values[failed].isna().all(axis=None)
    assert set(archive.reason[failed]) == {"RuntimeError: out of memory"}
    assert max(len(y) for y in fitted) <= archive.succeeded.sum()
    assert all(np.isfinite(y).all() for y in fitted)
    assert archive.front().succeeded.all()


def test_a_constant_predictor_is_not_selected(table):
    """The public code's argmax over mean tau - std tau selects the NaN of a constant prediction."""
    search = NAT(table, **QUICK | {"predictor": ["mean", "linear"]}, rule="nat")
    search.run(n_evaluations=20)
    memories = [why["surrogates"] for why in search.decisions_ if "surrogates" in why]
    assert memories
    assert all("one_hot:linear" in memory["val_accuracy"]["weights"] for memory in memories)
    assert memories[0]["val_accuracy"]["taus"]["one_hot:mean"] is None


def test_msunas_pool_runs_and_repeats(table):
    """The public code's cross-validation is unseeded, and its RBF and GP do not import on a current Python."""
    runs = [MSuNAS(table, n_initial=12, batch_size=4, random_state=1) for _ in range(2)]
    archives = [search.run(n_evaluations=24).archive for search in runs]
    assert (archives[0].archs == archives[1].archs).all()
    memory = runs[0].decisions_[1]["surrogates"]["val_accuracy"]
    assert set(memory["taus"]) == {"one_hot:rbf", "one_hot:gp", "one_hot:cart"}
    assert len(memory["weights"]) == 1


def test_candidates_are_predicted_all_at_once(table, monkeypatch):
    """Predicting 100 architectures took the public code's trees a minute: one call a generation, not one each."""
    sizes = []
    predict = sn.AdaptiveSwitching.predict_scores
    monkeypatch.setattr(
        sn.AdaptiveSwitching, "predict_scores", lambda self, X: (sizes.append(len(X)), predict(self, X))[1]
    )
    options = {"candidates": "nsga2", "population": 20, "generations": 5}
    search = NAT(table, **QUICK | {"n_initial": 20}, **options)
    search.run(n_evaluations=24)
    n_targets = 2
    assert len(sizes) <= n_targets * (5 + 2)


# -- a run's folder ------------------------------------------------------------------------------


def test_a_run_goes_on_where_the_journal_ends(make, table, tmp_path):
    whole = make(table).run(tmp_path / "a", n_evaluations=24)
    lines = (tmp_path / "a" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for cut in range(1, len(lines), 2):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / "journal.jsonl").write_bytes(b"".join(lines[:cut]) + lines[cut][: len(lines[cut]) // 2])
        again = make(table).run(folder, n_evaluations=24)
        assert (again.archive.archs == whole.archive.archs).all()
        timed = [c for c in whole.archive.records if c != "seconds"]
        pd.testing.assert_frame_equal(again.archive.records[timed], whole.archive.records[timed])
        assert again.decisions == whole.decisions


def test_a_finished_run_can_be_extended(table, tmp_path):
    NAT(table, **QUICK).run(tmp_path, n_evaluations=16)
    longer = NAT(table, **QUICK).run(tmp_path, n_evaluations=24).archive
    assert (longer.archs == NAT(table, **QUICK).run(n_evaluations=24).archive.archs).all()


def test_what_was_evaluated_is_not_evaluated_again(table, tmp_path):
    calls = []
    inner = TableEvaluator(table)
    evaluator = FunctionEvaluator(
        lambda X: (calls.append(len(X)), inner.evaluate(X))[1], table.space, inner.targets, chunk=10**6
    )
    NAT(evaluator, **QUICK).run(tmp_path, n_evaluations=16)
    NAT(evaluator, **QUICK).run(tmp_path, n_evaluations=24)
    assert sum(calls) == 24


def test_another_search_s_folder_is_refused(table, tmp_path):
    NAT(table, **QUICK).run(tmp_path, n_evaluations=8)
    with pytest.raises(InvalidInputError, match="belongs to another measurement.*random_state"):
        NAT(table, **QUICK, random_state=1).run(tmp_path, n_evaluations=8)
    with pytest.raises(InvalidInputError, match="RandomSearch"):
        RandomSearch(table).run(tmp_path, n_evaluations=8)


def test_a_folder_is_one_process_s_at_a_time(table, tmp_path):
    with Run(tmp_path, {}), pytest.raises(InvalidInputError, match="Another process is at work"):
        NAT(table, **QUICK).run(tmp_path, n_evaluations=8)


def test_a_broken_middle_is_refused(table, tmp_path):
    NAT(table, **QUICK).run(tmp_path, n_evaluations=16)
    path = tmp_path / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    asked = json.loads(lines[1])
    changes = {"archs": [[2**70] * 5], "why": 7, "predicted": [[1.0]], "seconds": "x"}
    for broken in (
        *(b'{"event": "tol\n', b'{"event": "dreamt"}\n', b'{"event": "told"}\n'),
        *(json.dumps(asked | {key: value}).encode() + b"\n" for key, value in changes.items()),
    ):
        path.write_bytes(b"".join([*lines[:2], broken, *lines[3:]]))
        with pytest.raises(InvalidFileError, match="journal"):
            NAT(table, **QUICK).run(tmp_path, n_evaluations=16)


def test_the_journal_is_plain_json(table, tmp_path):
    NAT(table, **QUICK).run(tmp_path, n_evaluations=16)

    def refuse(constant):
        raise AssertionError(constant)

    records = [
        json.loads(line, parse_constant=refuse) for line in (tmp_path / "journal.jsonl").read_text().splitlines()
    ]
    assert [r.get("event") for r in records] == [None, "asked", "told", "asked", "told", "asked", "told"]
    assert records[3]["why"]["surrogates"]["val_accuracy"]["weights"] == {"one_hot:linear": 1.0}


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"random_state": None}, InvalidInputError, "'random_state' of a search must be an int"),
        ({"n_initial": 0}, InvalidInputError, "'n_initial' of a search must be a positive int"),
        ({"batch_size": 1.5}, InvalidInputError, "'batch_size'"),
        ({"choice": "best"}, UnknownNameError, "Unknown choice 'best'"),
        ({"candidates": "nsga4"}, UnknownNameError, "Did you mean 'nsga"),
        ({"exploration": -1.0}, InvalidInputError, "'exploration' must be at least 0"),
        ({"confidence": 1.0}, InvalidInputError, "'confidence' must be between 0 and 1"),
    ],
)
def test_bad_parameters_are_named(table, options, error, text):
    with pytest.raises(error, match=text):
        NAT(table, **options).ask()


def test_bad_calls_are_named(table):
    search = NAT(table, **QUICK)
    with pytest.raises(InvalidInputError, match="'n' parameter of ask"):
        search.ask(0)
    with pytest.raises(InvalidInputError, match=r"shape \(2, 2\).*\(2, 3\)"):
        search.tell(table.archs[:2], np.zeros((2, 3)))
    with pytest.raises(InvalidInputError, match="'madds' is missing"):
        search.tell(table.archs[:2], {"val_accuracy": [1.0, 2.0]})
    with pytest.raises(InvalidInputError, match="'n_evaluations'"):
        search.run(n_evaluations=0)
