"""MetaD2A's meta-database against its files, read in another way."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from surronas.datasets import load_benchmark, metad2a
from surronas.datasets.files import find_file
from surronas.exceptions import InvalidFileError
from surronas.spaces import get_space

needs_files = pytest.mark.needs_data("metad2a/nb201_meta_train.csv")


@pytest.fixture(scope="module")
def table():
    return load_benchmark("metad2a")


@pytest.fixture(scope="module")
def rows():
    with find_file("metad2a/nb201_meta_train.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@needs_files
def test_values_belong_to_their_rows(table, rows):
    assert len(table) == len(rows) == 4_630
    assert table.space.name == "nasbench201"
    assert table.space.format(table.archs) == [row["str"] for row in rows]
    accuracy = table.targets["val_accuracy"].fillna(table.targets["val_accuracy_second_part"])
    np.testing.assert_allclose(accuracy, [float(row["acc"]) for row in rows], rtol=1e-14)
    np.testing.assert_allclose(table.targets["latency_relative"], [float(row["latency"]) for row in rows], rtol=1e-14)
    assert table.context["task"].tolist() == [int(row["task"]) for row in rows]
    assert [" ".join(map(str, classes)) for classes in table.context["classes"]] == [row["classes"] for row in rows]


@needs_files
def test_two_parts_on_different_scales(table):
    first, second = table.targets["val_accuracy"].dropna(), table.targets["val_accuracy_second_part"].dropna()
    assert (len(first), len(second)) == (4_152, 478)
    np.testing.assert_allclose(first, first.round(1), atol=1e-4)
    assert (second.round(1) != second.round(2)).mean() > 0.8
    assert first.mean() - second.mean() > 16
    pairs = table.context["task"].astype(str) + table.targets.index.map(lambda i: str(table.archs[i]))
    twice = pairs[pairs.duplicated(keep=False)].sort_values(kind="stable").index.to_numpy().reshape(-1, 2)
    differences = first[twice[:, 0]].to_numpy() - second[twice[:, 1]].to_numpy()
    assert sorted(differences.round()) == [19, 25]


@needs_files
def test_tasks_are_those_of_the_other_file(table):
    tasks = json.loads(find_file("metad2a/task_classes.json").read_text())
    for task, classes in zip(table.context["task"], table.context["classes"], strict=True):
        assert list(classes) == tasks[task]
        assert len(set(classes)) == 20
        assert 1 <= min(classes) <= max(classes) <= 600


@needs_files
def test_the_files_own_sizes_are_shares_of_the_unpruned_range(table, rows):
    """So they are no counts, and the table has computed ones."""
    space = get_space("nasbench201")
    full = np.array([[2] * 6, [3] * 6])  # nothing is pruned where every edge has an operation
    empty = space.cost([[0] * 6], num_classes=20)
    for name, ours in (("params", "params"), ("flops", "madds")):
        one, three = (space.cost(full, num_classes=20)[ours] - empty[ours].item()) / 6
        counts = np.stack([(table.archs == op).sum(axis=1) for op in (2, 3)])
        share = (counts[0] * one + counts[1] * three) / (6 * three)
        published = np.array([float(row[name]) for row in rows])
        np.testing.assert_allclose(published, 1e-5 + (1 - 1e-5) * share, atol=1e-3)
    cost = space.cost(table.archs, num_classes=20) / 1e6
    np.testing.assert_array_equal(table.targets[["params", "flops"]], cost[["params", "flops"]])


@needs_files
def test_targets_are_described(table):
    kinds = {name: (table.target(name).kind, table.target(name).unit) for name in table.targets}
    assert kinds == {
        "val_accuracy": ("accuracy", "%"),
        "val_accuracy_second_part": ("accuracy", "%"),
        "params": ("size", "millions"),
        "flops": ("compute", "millions"),
        "latency_relative": ("latency", ""),
    }
    assert "arXiv:2107.00860" in table.info.citation
    assert "4,152 rows" in table.info.notes
    part = table.subset(np.array([3, 1]))
    assert part.context["task"].tolist() == [table.context["task"][3], table.context["task"][1]]


@needs_files
@pytest.mark.parametrize("damage", ["short", "classes", "task", "column", "arch"])
def test_files_of_another_layout_are_refused(damage, tmp_path, monkeypatch):
    text = find_file("metad2a/nb201_meta_train.csv").read_text()
    head, first, *rest = text.splitlines()
    if damage == "short":
        rest.pop()
    elif damage == "classes":
        first = first.replace("187 314", "314 187")
    elif damage == "task":
        first = first.replace("3890,", "9999,")
    elif damage == "column":
        head = head.replace("acc", "accuracy")
    else:
        first = first.replace("~0", "~7")
    path = tmp_path / "damaged.csv"
    path.write_text("\n".join([head, first, *rest]))
    monkeypatch.setattr(metad2a, "find_file", lambda name: path if name.endswith(".csv") else find_file(name))
    with pytest.raises(InvalidFileError, match=r"metad2a/nb201_meta_train\.csv"):
        metad2a.load()
