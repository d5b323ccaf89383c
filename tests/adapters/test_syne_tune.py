from __future__ import annotations

import dill
import numpy as np
import pytest
from sklearn.neighbors import KNeighborsRegressor
from syne_tune import StoppingCriterion, Tuner
from syne_tune.backend.simulator_backend.simulator_callback import SimulatorCallback
from syne_tune.backend.trial_status import Trial
from syne_tune.blackbox_repository import UserBlackboxBackend, add_surrogate
from syne_tune.optimizer.schedulers.single_fidelity_scheduler import SingleFidelityScheduler
from syne_tune.optimizer.schedulers.single_objective_scheduler import SingleObjectiveScheduler

import surronas as sn
from surronas.adapters.syne_tune import SurrogateSearcher, TableBlackbox, config_space, from_config, to_config
from surronas.datasets.table import BenchmarkTable, Runs, TableInfo, Target
from surronas.exceptions import InvalidInputError, UnknownNameError


def searcher(space, n_metrics=1, **options):
    return SurrogateSearcher(space, n_metrics, **({"n_initial": 6, "predictor": "linear"} | options))


def drive(scheduler, box, n, first=0):
    """Ask the scheduler n times and tell it what the black box says; the configurations."""
    configs = []
    for number in range(first, first + n):
        suggestion = scheduler.suggest()
        trial = Trial(number, suggestion.config, None)
        scheduler.on_trial_complete(trial, box(suggestion.config, fidelity=1))
        configs.append(suggestion.config)
    return configs


def keys_of(space, configs):
    return space.key(np.array([from_config(space, config) for config in configs]))


def test_configurations_are_architectures():
    for name in ("nasbench201", "mbconv", "nasbench_mr"):
        space = sn.get_space(name)
        X = space.canonical(space.sample(20, random_state=0))
        theirs = config_space(space)
        for x in X:
            config = to_config(space, x)
            assert all(theirs[gene].is_valid(value) for gene, value in config.items())
            assert (from_config(space, config) == x).all()
            drawn = {gene: domain.sample() for gene, domain in theirs.items()} | {"epochs": 3}
            assert space.is_valid(from_config(space, drawn)[None]).all()


def test_the_simulator_runs_it_on_a_table(table, tmp_path, monkeypatch):
    """Syne Tune's own tuner: workers in parallel on simulated time, nothing evaluated twice."""
    monkeypatch.setenv("SYNETUNE_FOLDER", str(tmp_path))
    box = TableBlackbox(table, ["val_accuracy", "latency_ms"], seconds=30.0)
    scheduler = SingleFidelityScheduler(
        config_space(table.space), metrics=["latency_ms", "val_accuracy"], searcher=searcher(table.space, 2)
    )
    backend = UserBlackboxBackend(box, elapsed_time_attr="elapsed_time")
    tuner = Tuner(
        backend,
        scheduler,
        StoppingCriterion(max_num_trials_completed=14),
        n_workers=3,
        sleep_time=0,
        callbacks=[SimulatorCallback()],
        results_update_interval=1000,
        print_update_interval=1000,
        save_tuner=False,
    )
    tuner.run()
    archive = scheduler.searcher.search.archive_
    assert len(archive) >= 14
    assert archive.succeeded.all()
    assert len(np.unique(archive.keys)) == len(archive)


def test_it_finds_the_best_of_117_with_20_evaluations(table):
    box = TableBlackbox(table, ["val_accuracy"])
    scheduler = SingleObjectiveScheduler(
        config_space(table.space), metric="val_accuracy", do_minimize=False, searcher=searcher(table.space)
    )
    found = [box(config, fidelity=1)["val_accuracy"] for config in drive(scheduler, box, 20)]
    assert max(found[6:]) == pytest.approx(table.targets["val_accuracy"].max())


def test_a_saved_scheduler_goes_on_as_if_it_had_not_stopped(table):
    box = TableBlackbox(table, ["val_accuracy", "latency_ms"])

    def new():
        return SingleFidelityScheduler(
            config_space(table.space), metrics=box.objectives_names[:2], searcher=searcher(table.space, 2)
        )

    whole, stopped = new(), new()
    configs = drive(whole, box, 11)
    first = drive(stopped, box, 8)
    resumed = dill.loads(dill.dumps(stopped))
    assert first + drive(resumed, box, 3, first=8) == configs
    assert len(np.unique(keys_of(table.space, configs))) == 11


def test_given_points_come_first_and_the_pool_is_all_there_is(table):
    pool = table.archs[::15]
    given = [to_config(table.space, pool[3])]
    mine = searcher(table.space, pool=pool, points_to_evaluate=given, n_initial=3)
    scheduler = SingleObjectiveScheduler(config_space(table.space), metric="latency_ms", searcher=mine)
    box = TableBlackbox(table, ["latency_ms"])
    configs = drive(scheduler, box, len(pool))
    assert configs[0] == given[0]
    assert sorted(keys_of(table.space, configs)) == sorted(table.space.key(pool))
    assert scheduler.suggest() is None


def test_known_metrics_are_not_predicted(table):
    values = dict(zip(table.space.key(table.archs).tolist(), table.targets["latency_ms"], strict=True))

    def latency(archs):
        return {"metric1": [values[key] for key in table.space.key(archs).tolist()]}

    mine = searcher(table.space, 2, cost=latency)
    metrics = ["val_accuracy", "latency_ms"]
    scheduler = SingleFidelityScheduler(config_space(table.space), metrics=metrics, searcher=mine)
    drive(scheduler, TableBlackbox(table, metrics), 8)
    assert list(mine.search.decisions_[-1]["surrogates"]) == ["metric0"]


def test_a_black_box_says_what_the_table_says(table):
    box = TableBlackbox(table, ["latency_ms", "val_accuracy"], seconds="latency_ms")
    for row in (0, 50, 116):
        config = to_config(table.space, table.archs[row])
        expected = table.targets.loc[row]
        said = box(config, fidelity=1)
        assert said == {**expected[["latency_ms", "val_accuracy"]], "elapsed_time": expected["latency_ms"]}
        hidden = config | ({"kernel3": 7} if table.archs[row, 0] < 2 else {})
        assert box(hidden, fidelity={"epoch": 1}) == said
        assert box(config).tolist() == [list(said.values())]
    with pytest.raises(UnknownNameError, match="Unknown target 'latency'"):
        TableBlackbox(table, ["latency"])
    part = TableBlackbox(table.subset(np.arange(5)), ["latency_ms"])
    with pytest.raises(InvalidInputError, match="not in the table 'made'"):
        part(to_config(table.space, table.archs[100]), fidelity=1)


def test_runs_become_seeds_and_epochs(table):
    curves = np.arange(117 * 2 * 3, dtype=float).reshape(117, 2, 3)
    frame = table.targets[["val_accuracy"]].assign(val_accuracy=curves[:, :, -1].mean(axis=1))
    described = [Target("val_accuracy", "", True, "accuracy")]
    runs = {"val_accuracy": Runs(curves, {"seed": (7, 8), "epoch": (1, 4, 9)})}
    other = BenchmarkTable("runs", table.space, table.archs, frame, described, TableInfo("", "", "", ""), runs=runs)
    box = TableBlackbox(other, ["val_accuracy"], seconds=2.0)
    assert (box.fidelity_values.tolist(), box.num_seeds) == ([1, 4, 9], 2)
    config = to_config(table.space, table.archs[10])
    assert box(config, seed=1).tolist() == [[curves[10, 1, i], 2.0 * (i + 1)] for i in range(3)]
    assert box(config, fidelity=4, seed=0) == {"val_accuracy": curves[10, 0, 1], "elapsed_time": 4.0}


def test_their_surrogates_learn_from_it(table):
    part = table.subset(np.arange(0, 117, 2))
    box = TableBlackbox(part, ["latency_ms", "val_accuracy"])
    expected = table.targets.loc[40, ["latency_ms", "val_accuracy"]].tolist()
    known, other = (to_config(table.space, table.archs[row]) for row in (40, 41))
    for curves in (False, True):
        everywhere = add_surrogate(box, KNeighborsRegressor(n_neighbors=1), predict_curves=curves)
        assert everywhere(known)[0].tolist() == pytest.approx([*expected, 1.0])
        assert np.isfinite(everywhere(other)).all()
