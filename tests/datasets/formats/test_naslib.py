"""NASLib's dictionaries: files of its layout made of NATS-Bench's published runs."""

from __future__ import annotations

import bz2
import os
import pickle

import numpy as np
import pytest

from surronas.datasets import load_benchmark
from surronas.datasets.formats import get_format
from surronas.exceptions import DataNotFoundError, InvalidFileError, UnknownNameError
from surronas.spaces import get_space

read = get_format("naslib")
SPACE = get_space("nasbench201")
INDICES = [0, 11, 284]
CELLS = SPACE.format(SPACE.enumerate()[INDICES])
needs_files = pytest.mark.needs_data("nats_bench/NATS-tss-v1_0-3ffb9-simple/meta.pickle.pbz2")


@pytest.fixture
def content(shared_data):
    """One run of each published architecture, laid out as nb201_cifar10_full_training.pickle."""
    records = {}
    for cell, index in zip(CELLS, INDICES, strict=True):
        path = shared_data / "nats_bench" / "NATS-tss-v1_0-3ffb9-simple" / f"{index:06d}.pickle.pbz2"
        results = pickle.loads(bz2.decompress(path.read_bytes()))["200"]["all_results"]  # sha256 in the manifest
        seed = min(seed for name, seed in results if name == "cifar10-valid")
        run = results["cifar10-valid", seed]
        epochs = range(200)
        records[cell] = {
            "cifar10-valid": {
                "train_acc1es": [run["train_acc1es"][epoch] for epoch in epochs],
                "train_losses": [run["train_losses"][epoch] for epoch in epochs],
                "eval_acc1es": [run["eval_acc1es"].get(f"x-valid@{epoch}", np.nan) for epoch in epochs],
                "eval_losses": [run["eval_losses"].get(f"x-valid@{epoch}", np.nan) for epoch in epochs],
                "cost_info": {
                    "flops": run["flop"],
                    "params": run["params"],
                    "latency": float(np.mean(run["latency"])),
                    "train_time": sum(run["train_times"].values()),
                },
            }
        }
    return records


def write(folder, what):
    path = folder / "nb201_cifar10_full_training.pickle"
    path.write_bytes(pickle.dumps(what))
    return path


@needs_files
def test_values_belong_to_their_architectures(tmp_path, content):
    table = read(write(tmp_path, content))
    assert table.dataset == "cifar10-valid"
    assert table.space.format(table.archs) == CELLS
    for row, cell in enumerate(CELLS):
        record = content[cell]["cifar10-valid"]
        assert table.targets.loc[row].to_dict() == {
            "val_accuracy": record["eval_acc1es"][-1],
            "train_accuracy": record["train_acc1es"][-1],
            "val_loss": record["eval_losses"][-1],
            "train_loss": record["train_losses"][-1],
            "params": record["cost_info"]["params"],
            "flops": record["cost_info"]["flops"],
            "latency_gpu_ms": 1000 * record["cost_info"]["latency"],
            "train_time_s": record["cost_info"]["train_time"],
        }
        for name, key in (("val_accuracy", "eval_acc1es"), ("train_loss", "train_losses")):
            assert table.runs[name].axes == {"epoch": tuple(range(1, 201))}
            np.testing.assert_array_equal(table.runs[name].values[row], record[key])


@needs_files
def test_sizes_are_those_of_the_networks(tmp_path, content):
    table = read(write(tmp_path, content), "cifar10")
    cost = SPACE.cost(table.archs)
    np.testing.assert_allclose(table.targets["params"], cost["params"] / 1e6, rtol=1e-9)
    np.testing.assert_allclose(table.targets["flops"], (cost["madds"] + 10) / 1e6, rtol=1e-9)
    assert table.targets["latency_gpu_ms"].between(5, 50).all()
    other = load_benchmark("nasbench201").targets["val_accuracy"][INDICES].to_numpy()
    assert abs(table.targets["val_accuracy"] - other).max() < 1.5  # other seeds of the same networks


@needs_files
def test_numbers_in_place_of_curves(tmp_path, content):
    """As in nb201_all.pickle, which has several data sets and the costs beside the accuracies."""
    flat = {
        cell: {
            name: {
                "eval_acc1es": record["cifar10-valid"]["eval_acc1es"][-1] / scale,
                "flop": record["cifar10-valid"]["cost_info"]["flops"],
            }
            for name, scale in (("cifar10-valid", 1), ("cifar100", 2))
        }
        for cell, record in content.items()
    }
    del flat[CELLS[1]]["cifar100"]
    path = write(tmp_path, flat)
    table, other = read(path), read(path, "cifar100")
    assert list(table.targets) == ["val_accuracy", "flops"]
    assert (table.dataset, other.dataset) == ("cifar10-valid", "cifar100")
    assert table.runs == {}
    assert SPACE.format(other.archs) == [CELLS[0], CELLS[2]]
    np.testing.assert_allclose(other.targets["val_accuracy"], table.targets["val_accuracy"][[0, 2]] / 2)
    with pytest.raises(UnknownNameError, match="ImageNet16-120.*Known: cifar10-valid, cifar100"):
        read(path, "ImageNet16-120")


@needs_files
def test_impossible_values_are_missing(tmp_path, content):
    content[CELLS[0]]["cifar10-valid"]["eval_acc1es"][7] = -1.0
    content[CELLS[1]]["cifar10-valid"]["eval_acc1es"][199] = 101.0
    content[CELLS[1]]["cifar10-valid"]["cost_info"]["latency"] = -0.001
    table = read(write(tmp_path, content))
    assert np.isnan(table.runs["val_accuracy"].values[0, 7])
    assert table.targets["val_accuracy"].isna().tolist() == [False, True, False]
    assert table.targets["latency_gpu_ms"].isna().tolist() == [False, True, False]
    assert "2 values of val_accuracy's curves" in table.info.notes
    assert "1 of latency_gpu_ms" in table.info.notes


@needs_files
@pytest.mark.parametrize("damage", ["list", "flat", "arch", "length", "empty", "text", "no curve", "cost"])
def test_a_file_of_another_layout_is_refused(damage, tmp_path, content):
    record = content[CELLS[1]]["cifar10-valid"]
    match damage:
        case "list":
            content = [content]
        case "flat":
            content[CELLS[1]] = 91.5
        case "arch":
            content[CELLS[0][:-3]] = content.pop(CELLS[1])
        case "length":
            record["eval_losses"].pop()
        case "empty":
            for one in content.values():
                one["cifar10-valid"]["eval_losses"] = []
        case "text":
            record["eval_losses"][3] = "high"
        case "no curve":
            content = {cell: {"cifar10-valid": {"cost_info": {}}} for cell in content}
        case "cost":
            record["cost_info"] = 3.0
    with pytest.raises(InvalidFileError, match="nb201_cifar10_full_training.pickle"):
        read(write(tmp_path, content))


@needs_files
def test_a_hostile_file_is_refused_and_nothing_runs(tmp_path, content):
    trace = tmp_path / "trace"

    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {trace}",)

    content[CELLS[2]]["cifar10-valid"]["cost_info"]["note"] = Hostile()
    path = write(tmp_path, content)
    with pytest.raises(InvalidFileError, match="system"):
        read(path)
    assert not trace.exists()
    pickle.loads(path.read_bytes())
    assert trace.exists()  # the standard unpickler would have run it


def test_no_file(tmp_path):
    with pytest.raises(DataNotFoundError, match="nowhere.pickle"):
        read(tmp_path / "nowhere.pickle")
