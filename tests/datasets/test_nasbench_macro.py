"""NAS-Bench-Macro's table against its file, read in another way."""

from __future__ import annotations

import json

import numpy as np
import pytest

from surronas.datasets import load_benchmark, nasbench_macro
from surronas.datasets.files import find_file
from surronas.exceptions import InvalidFileError, UnknownNameError

FILE = "nasbench_macro/nas-bench-macro_cifar10.json"
needs_file = pytest.mark.needs_data(FILE)


@needs_file
def test_values_belong_to_their_architectures():
    table = load_benchmark("nasbench_macro")
    published = json.loads(find_file(FILE).read_text())
    assert len(table) == len(published) == 6_561
    assert not table.targets.isna().any(axis=None)
    runs = table.runs["test_accuracy"]
    assert runs.axes == {"seed": (0, 1, 2)}
    for row, name in enumerate(table.space.format(table.archs)):
        record = published[name]
        assert runs.values[row].tolist() == record["test_acc"]
        expected = [
            np.mean(record["test_acc"]),
            np.std(record["test_acc"]),
            record["params"] / 1e6,
            record["flops"] / 1e6,
        ]
        np.testing.assert_allclose(table.targets.loc[row], expected, rtol=1e-12)


@needs_file
def test_targets_are_described():
    table = load_benchmark("nasbench_macro", "cifar10")
    described = [table.target(name) for name in table.targets]
    assert [(t.name, t.unit, t.maximize, t.kind) for t in described] == [
        ("test_accuracy", "%", True, "accuracy"),
        ("test_accuracy_std", "%", False, "spread"),
        ("params", "millions", False, "size"),
        ("flops", "millions", False, "compute"),
    ]
    assert "arXiv:2103.11922" in table.info.citation
    assert table.info.licence.startswith("Apache-2.0")


@needs_file
def test_cost_and_unique_rows():
    table = load_benchmark("nasbench_macro")
    cost = table.space.cost(table.archs) / 1e6
    np.testing.assert_allclose(cost[["params", "madds"]], table.targets[["params", "flops"]], rtol=1e-12)
    train, test = table.split(100, random_state=0)
    assert len(train) + len(test) == 3_969


@needs_file
@pytest.mark.parametrize("damage", ["missing", "foreign", "runs", "mean", "field", "json", "list"])
def test_a_file_of_another_layout_is_refused(damage, tmp_path, monkeypatch):
    content = json.loads(find_file(FILE).read_text())
    if damage == "missing":
        del content["02012100"]
    elif damage == "foreign":
        content["02012103"] = content["02012100"]
    elif damage == "runs":
        content["02012100"]["test_acc"].pop()
    elif damage == "mean":
        content["02012100"]["mean_acc"] += 1
    elif damage == "field":
        del content["02012100"]["flops"]
    text = json.dumps(list(content) if damage == "list" else content)
    path = tmp_path / "damaged.json"
    path.write_text(text[:-9] if damage == "json" else text)
    monkeypatch.setattr(nasbench_macro, "find_file", lambda name: path)
    with pytest.raises(InvalidFileError, match="nasbench_macro/nas-bench-macro_cifar10.json"):
        nasbench_macro.load()


def test_there_is_one_dataset():
    with pytest.raises(UnknownNameError, match="Did you mean 'cifar10'"):
        load_benchmark("nasbench_macro", "cifar100")
