from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import optuna
import pytest
from optuna.storages import InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

import surronas as sn
from surronas.adapters.optuna import SurrogateSampler, suggest

optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture
def objective(table):
    """(error, latency) of a trial's architecture; ``of`` makes it single-objective."""
    values = dict(zip(table.space.key(table.archs).tolist(), table.targets.to_numpy().tolist(), strict=True))

    def measure(trial):
        accuracy, latency = values[table.space.key([suggest(trial, table.space)]).tolist()[0]]
        return 100 - accuracy, latency

    return measure


def sampler(space, **options):
    return SurrogateSampler(space, **({"n_initial": 6, "predictor": "linear"} | options))


def storage(kind, folder):
    if kind == "journal":
        return JournalStorage(JournalFileBackend(str(folder / "study.log")))
    return InMemoryStorage() if kind == "memory" else RDBStorage(f"sqlite:///{folder}/study.db")


def archs_of(study, space):
    return space.canonical(space.parse([trial.params for trial in study.trials]))


@pytest.mark.parametrize("kind", ["memory", "sqlite", "journal"])
def test_a_stopped_study_goes_on_as_if_it_had_not(table, objective, tmp_path, kind):
    studies = []
    for name, parts in (("whole", [11]), ("parts", [4, 4, 3])):
        keep = storage(kind, tmp_path)
        for n in parts:
            fresh = keep if kind == "memory" else storage(kind, tmp_path)
            study = optuna.create_study(
                storage=fresh,
                study_name=name,
                load_if_exists=True,
                directions=["minimize"] * 2,
                sampler=sampler(table.space),
            )
            study.optimize(objective, n_trials=n)
        studies.append(archs_of(study, table.space))
    assert (studies[0] == studies[1]).all()
    assert len(np.unique(table.space.key(studies[0]))) == 11


def test_it_finds_the_best_sooner_than_chance(table, objective):
    def best(of, **options):
        study = optuna.create_study(**options)
        study.optimize(lambda trial: of(objective(trial)[0]), n_trials=20)
        return study.best_value

    worst = best(lambda error: error, sampler=optuna.samplers.RandomSampler(0))
    found = best(lambda error: error, sampler=sampler(table.space))
    assert found < worst
    assert found == pytest.approx(100 - table.targets["val_accuracy"].max())
    highest = best(lambda error: 100 - error, sampler=sampler(table.space), direction="maximize")
    assert highest == pytest.approx(100 - found)


def test_parameters_are_those_that_are_expressed(table, objective):
    study = optuna.create_study(sampler=sampler(table.space), directions=["minimize"] * 2)
    study.optimize(objective, n_trials=10)
    for trial in study.trials:
        expressed = {"depth", "op", *(f"kernel{i}" for i in range(1, trial.params["depth"] + 1))}
        assert trial.params.keys() == expressed
    assert {trial.params["depth"] for trial in study.trials} == {1, 2, 3}


def test_threads_never_evaluate_the_same_architecture(table, objective):
    barrier = threading.Barrier(3)

    def slow(trial):
        barrier.wait(timeout=300)
        return objective(trial)

    study = optuna.create_study(sampler=sampler(table.space), directions=["minimize"] * 2)
    study.optimize(slow, n_trials=15, n_jobs=3)
    assert len(np.unique(table.space.key(archs_of(study, table.space)))) == 15


def test_workers_that_choose_at_the_same_time_take_different_ones(table, objective):
    study = optuna.create_study(sampler=sampler(table.space), directions=["minimize"] * 2)
    study.optimize(objective, n_trials=8)
    storage, number = study._storage, study._study_id
    choosing = [storage.get_trial(storage.create_new_trial(number)) for _ in range(3)]
    relative = study.sampler.infer_relative_search_space(study, choosing[0])
    chosen = [table.space.parse([study.sampler._propose(study, trial)[0][-1]])[0] for trial in choosing]
    assert len(np.unique(table.space.key(chosen))) == 3
    # One that has been choosing for longer than choosing takes was killed: nothing is left to it.
    for trial in storage.get_all_trials(number, deepcopy=False):
        if trial.state is TrialState.RUNNING:
            trial.datetime_start = trial.datetime_start.replace(year=2020)
    params = study.sampler.sample_relative(study, choosing[2], relative)
    assert table.space.canonical(table.space.parse([params]))[0].tolist() == chosen[0].tolist()


def test_failed_and_pruned_trials_are_not_sampled_again(table, objective):
    def fragile(trial):
        error, latency = objective(trial)
        if trial.number % 4 == 1:
            raise ZeroDivisionError
        if trial.number % 4 == 2:
            raise optuna.TrialPruned
        return error, latency

    study = optuna.create_study(sampler=sampler(table.space), directions=["minimize"] * 2)
    study.optimize(fragile, n_trials=14, catch=ZeroDivisionError)
    assert len(np.unique(table.space.key(archs_of(study, table.space)))) == 14


def test_enqueued_trials_and_other_parameters_are_the_users(table, objective):
    def more(trial):
        trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
        return objective(trial)

    study = optuna.create_study(sampler=sampler(table.space), directions=["minimize"] * 2)
    study.enqueue_trial({"depth": 2, "kernel1": 7, "kernel2": 3, "op": "shuffle"})
    study.optimize(more, n_trials=9)
    assert {"depth": 2, "kernel1": 7, "kernel2": 3, "op": "shuffle"}.items() <= study.trials[0].params.items()
    assert len({trial.params["learning_rate"] for trial in study.trials}) == 9


def test_known_objectives_are_not_predicted(table, objective):
    def latency(archs):
        rows = [int(np.flatnonzero(table.space.key(table.archs) == key)[0]) for key in table.space.key(archs)]
        return {"latency": table.targets["latency_ms"].to_numpy()[rows]}

    study = optuna.create_study(sampler=sampler(table.space, cost=latency), directions=["minimize"] * 2)
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        study.set_metric_names(["error", "latency"])
    study.optimize(objective, n_trials=8)
    assert list(study.trials[-1].system_attrs["surronas:surrogates"]) == ["error"]


def test_a_pool_is_all_that_is_sampled_and_then_chance(table, objective):
    pool = table.archs[::20]
    study = optuna.create_study(sampler=sampler(table.space, pool=pool), directions=["minimize"] * 2)
    study.optimize(objective, n_trials=len(pool) + 1)
    keys = table.space.key(archs_of(study, table.space))
    assert sorted(keys[:-1]) == sorted(table.space.key(pool))


def test_what_is_no_architecture_is_pruned():
    space = sn.get_space("nasbench101")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    study.optimize(lambda trial: float(suggest(trial, space).sum()), n_trials=40)
    pruned = [trial for trial in study.trials if trial.state is TrialState.PRUNED]
    assert 0 < len(pruned) < 40
    for trial in study.trials:
        if trial.state is TrialState.COMPLETE:
            assert space.is_valid(space.parse([trial.params])).all()


WORKER = """
import sys, time
import optuna
import surronas as sn
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from surronas.adapters.optuna import SurrogateSampler, suggest

space = sn.SearchSpace([sn.Gene(f"g{i}", (0, 1, 2), ordered=True) for i in range(5)])
sampler = SurrogateSampler(space, n_initial=6, predictor="linear")
keep = JournalStorage(JournalFileBackend(sys.argv[1]))
study = optuna.create_study(storage=keep, study_name="s", load_if_exists=True, sampler=sampler, direction="maximize")

def objective(trial):
    x = suggest(trial, space)
    if sys.argv[3] == "slow":
        time.sleep(600)
    return float((x * [5, 1, 3, 2, 1]).sum())

study.optimize(objective, n_trials=int(sys.argv[2]))
"""


def test_a_killed_worker_loses_its_own_trial_only(tmp_path):
    log = tmp_path / "study.log"

    def start(n, kind):
        code = textwrap.dedent(WORKER)
        return subprocess.Popen([sys.executable, "-c", code, str(log), str(n), kind], env=os.environ)

    assert start(8, "quick").wait() == 0
    doomed = start(1, "slow")
    study = optuna.load_study(study_name="s", storage=JournalStorage(JournalFileBackend(str(log))))
    while not (len(study.trials) == 9 and len(study.trials[-1].params) == 5):
        assert doomed.poll() is None
        time.sleep(0.2)
    doomed.send_signal(signal.SIGKILL)
    doomed.wait()
    assert start(4, "quick").wait() == 0
    states = [trial.state for trial in study.trials]
    assert states == [TrialState.COMPLETE] * 8 + [TrialState.RUNNING] + [TrialState.COMPLETE] * 4
    assert len({tuple(trial.params.items()) for trial in study.trials}) == 13
