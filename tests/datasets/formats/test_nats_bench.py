"""NATS-Bench's 'simple' directories: real files, real numbers, and every way a directory can be wrong."""

from __future__ import annotations

import bz2
import os
import pickle
import shutil

import joblib
import numpy as np
import pandas as pd
import pytest

from surronas.datasets import load_benchmark
from surronas.datasets.formats import get_format
from surronas.exceptions import DataNotFoundError, InvalidFileError, UnknownNameError

read = get_format("nats_bench")
TOPOLOGY, SIZE = "NATS-tss-v1_0-3ffb9-simple", "NATS-sss-v1_0-50262-simple"
INDICES = [0, 11, 284]
DATASETS = {"cifar10": "cifar10", "cifar100": "cifar100", "ImageNet16-120": "imagenet"}
needs_files = pytest.mark.needs_data(f"nats_bench/{TOPOLOGY}/meta.pickle.pbz2")
every_dataset = pytest.mark.parametrize("dataset", list(DATASETS))


@pytest.fixture
def folders(shared_data):
    return {name: shared_data / "nats_bench" / name for name in (TOPOLOGY, SIZE)}


def trusted(path):
    """A file by the standard unpickler; its sha256 is in the manifest."""
    return pickle.loads(bz2.decompress(path.read_bytes()))


@needs_files
@pytest.mark.parametrize("name", [TOPOLOGY, SIZE])
@every_dataset
def test_runs_belong_to_architecture_seed_and_epoch(folders, name, dataset):
    table = read(folders[name], dataset)
    assert table.space.format(table.archs) == table.space.format(table.space.enumerate()[INDICES])
    splits = {"val": ("cifar10-valid" if dataset == "cifar10" else dataset, "x-valid")}
    splits["test"] = (dataset, "ori-test" if dataset == "cifar10" else "x-test")
    longest, seen = {TOPOLOGY: "200", SIZE: "90"}[name], 0
    for row, index in enumerate(INDICES):
        for schedule, record in trusted(folders[name] / f"{index:06d}.pickle.pbz2").items():
            for split, (trained, images) in splits.items():
                column = f"{split}_accuracy" + ("" if schedule == longest else f"_{int(schedule)}ep")
                runs = table.runs[column]
                seeds, epochs = runs.axes["seed"], runs.axes["epoch"]
                finals = []
                for (what, seed), run in record["all_results"].items():
                    points = {k: v for k, v in run["eval_acc1es"].items() if what == trained and k.startswith(images)}
                    for key, value in points.items():
                        epoch = int(key.split("@")[1]) + 1
                        assert runs.values[row, seeds.index(seed), epochs.index(epoch)] == value
                        seen += 1
                    finals += [value for key, value in points.items() if key.endswith(f"@{int(schedule) - 1}")]
                assert table.targets[column][row] == pytest.approx(np.mean(finals), rel=1e-12)
    assert sum(np.isfinite(runs.values).sum() for runs in table.runs.values()) == seen


@needs_files
@every_dataset
def test_topology_agrees_with_the_other_sources(folders, shared_data, dataset):
    table, other = read(folders[TOPOLOGY], dataset), load_benchmark("nasbench201", dataset)
    np.testing.assert_array_equal(table.archs, other.archs[INDICES])
    for name in ("test_accuracy", "test_accuracy_12ep", "val_accuracy_12ep"):
        np.testing.assert_allclose(table.targets[name], other.targets[name][INDICES], rtol=1e-9)


@needs_files
@pytest.mark.parametrize("dataset", ["cifar100", "ImageNet16-120"])
def test_naslibs_validation_accuracy_is_the_test_accuracy_of_one_seed(folders, shared_data, dataset):
    """What NASLib publishes as validation accuracy after 200 epochs is one of the runs behind the test accuracy."""
    table = read(folders[TOPOLOGY], dataset)
    naslib = pd.read_csv(shared_data / "nasbench201" / "val_accuracy_200ep.csv", index_col="arch")[dataset]
    tuples = [str(tuple(row)) for row in table.space.to_naslib(table.archs).tolist()]
    runs = table.runs["test_accuracy"]
    seed_888 = runs.values[:, runs.axes["seed"].index(888), runs.axes["epoch"].index(200)]
    np.testing.assert_allclose(naslib.loc[tuples], seed_888, rtol=1e-8)
    validation = table.runs["val_accuracy"]
    assert not np.isin(naslib.loc[tuples].round(5), validation.values.round(5)).any()


@needs_files
@pytest.mark.parametrize("name", [TOPOLOGY, SIZE])
@pytest.mark.parametrize(
    ("dataset", "shape"), [("cifar10", (10, 32)), ("cifar100", (100, 32)), ("ImageNet16-120", (120, 16))]
)
def test_costs_are_those_of_the_networks(folders, name, dataset, shape):
    table = read(folders[name], dataset)
    cost = table.space.cost(table.archs, *shape)
    np.testing.assert_allclose(table.targets["params"], cost["params"] / 1e6, rtol=1e-9)
    np.testing.assert_allclose(table.targets["flops"], (cost["madds"] + shape[0]) / 1e6, rtol=1e-9)
    assert table.targets["latency_gpu_ms"].between(5, 50).all()
    assert table.targets["train_time_per_epoch_s"].between(1, 100).all()


@needs_files
def test_table_is_described(folders):
    table = read(folders[SIZE])
    assert table.dataset == "cifar10"
    assert table.space.name == "nats_size"
    units = {name: table.target(name).unit for name in table.targets}
    assert {unit for name, unit in units.items() if "accuracy" in name} == {"%"}
    assert (units["params"], units["flops"], units["latency_gpu_ms"]) == ("millions", "millions", "ms")
    assert [name for name in units if table.target(name).maximize] == [name for name in units if "accuracy" in name]
    assert "3 of the space's 32768 architectures" in table.info.notes
    assert "arXiv:2009.00437" in table.info.citation


@needs_files
def test_reading_in_parallel_changes_nothing(folders):
    with joblib.parallel_config("threading", n_jobs=2):
        parallel = read(folders[TOPOLOGY])
    alone = read(folders[TOPOLOGY])
    pd.testing.assert_frame_equal(parallel.targets, alone.targets)
    assert parallel.info == alone.info


# -- wrong directories -------------------------------------------------------------------------


@pytest.fixture
def copy(folders, tmp_path):
    """A writable copy of the topology space's directory."""
    target = tmp_path / "copy"
    target.mkdir()
    for path in folders[TOPOLOGY].iterdir():
        shutil.copyfile(path, target / path.name)
    return target


def write(path, content):
    path.write_bytes(bz2.compress(pickle.dumps(content)))


class Hostile:
    """Runs a shell command when it is unpickled in the usual way."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


@needs_files
@pytest.mark.parametrize("victim", ["meta", "000011"])
@pytest.mark.parametrize("inside", [False, True])
def test_a_hostile_pickle_is_refused_and_nothing_runs(copy, tmp_path, victim, inside):
    trace, path = tmp_path / "executed", copy / f"{victim}.pickle.pbz2"
    content = trusted(path)
    if inside:
        content = {**content, "200": {**content.get("200", {}), "clear_net_done": Hostile(trace)}}
    write(path, content if inside else Hostile(trace))
    with pytest.raises(InvalidFileError, match=rf"{victim}\.pickle\.pbz2 .*names .*system"):
        read(copy)
    assert not trace.exists()
    trusted(path)
    assert trace.exists(), "the payload works, so the test above means something"


@needs_files
def test_missing_architectures_are_no_error(copy):
    (copy / "000011.pickle.pbz2").unlink()
    (copy / "notes.txt").write_text("not an architecture")
    table = read(copy)
    assert table.space.format(table.archs) == table.space.format(table.space.enumerate()[[0, 284]])
    assert "2 of the space's 15625" in table.info.notes


@needs_files
def test_a_directory_without_files(copy, tmp_path):
    with pytest.raises(DataNotFoundError, match=r"nowhere.*meta\.pickle\.pbz2.*unpack the whole archive"):
        read(tmp_path / "nowhere")
    for index in INDICES:
        (copy / f"{index:06d}.pickle.pbz2").unlink()
    with pytest.raises(DataNotFoundError, match=r"no file of an architecture, such as 000000\.pickle\.pbz2"):
        read(copy)


@needs_files
@pytest.mark.parametrize("name", ["015625", "11", "000011 (1)", "copy"])
def test_a_file_under_a_foreign_name(copy, name):
    (copy / "000011.pickle.pbz2").rename(copy / f"{name}.pickle.pbz2")
    with pytest.raises(InvalidFileError, match="not named after an index from 000000 to 015624"):
        read(copy)


@needs_files
def test_a_renamed_file(copy):
    (copy / "000011.pickle.pbz2").rename(copy / "000012.pickle.pbz2")
    with pytest.raises(InvalidFileError, match=r"000012.* must hold architecture 12, .*Got 11, .*renamed"):
        read(copy)


@needs_files
@pytest.mark.parametrize("victim", ["meta", "000284"])
@pytest.mark.parametrize("damage", [lambda data: data[:-1000], lambda data: b"", lambda data: b"PK" + data])
def test_a_damaged_file(copy, victim, damage):
    path = copy / f"{victim}.pickle.pbz2"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InvalidFileError, match=rf"{victim}\.pickle\.pbz2 is damaged"):
        read(copy)


@needs_files
@pytest.mark.parametrize(
    "change",
    [
        lambda content: [],
        lambda content: {},
        lambda content: {"200": {}},
        lambda content: {"many": content["200"]},
        lambda content: {**content, "12": {**content["12"], "all_results": {"cifar10": 1}}},
        lambda content: {**content, "200": {**content["200"], "all_results": {}}},
    ],
)
def test_a_file_of_another_layout(copy, change):
    path = copy / "000011.pickle.pbz2"
    write(path, change(trusted(path)))
    with pytest.raises(InvalidFileError, match=r"000011\.pickle\.pbz2 is not laid out as NATS-Bench"):
        read(copy)


@needs_files
def test_a_meta_file_in_another_order(copy):
    content = trusted(copy / "meta.pickle.pbz2")
    write(copy / "meta.pickle.pbz2", {**content, "meta_archs": content["meta_archs"][::-1]})
    with pytest.raises(InvalidFileError, match=r"meta\.pickle\.pbz2 lists the architectures of neither space"):
        read(copy)


@needs_files
def test_missing_seeds_latencies_and_impossible_values(copy):
    path = copy / "000011.pickle.pbz2"
    content = trusted(path)
    results = content["200"]["all_results"]
    del results["cifar10", 777]
    results["cifar10", 888]["eval_acc1es"]["ori-test@199"] = -1.0
    for run in results.values():
        run["latency"] = []
    write(path, content)
    table = read(copy)
    assert table.targets["test_accuracy"][1] == results["cifar10", 999]["eval_acc1es"]["ori-test@199"]
    assert np.isnan(table.targets["latency_gpu_ms"][1])
    assert table.targets.isna().to_numpy().sum() == 1
    runs = table.runs["test_accuracy"]
    assert np.isnan(runs.values[1, runs.axes["seed"].index(777)]).all()
    assert "1 impossible accuracies" in table.info.notes


@needs_files
def test_dataset_names(folders):
    with pytest.raises(UnknownNameError, match="Did you mean 'cifar100'"):
        read(folders[TOPOLOGY], "cifar-100")
