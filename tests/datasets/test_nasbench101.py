"""NAS-Bench-101's sample against its file, read in another way."""

from __future__ import annotations

import ast
import csv

import numpy as np
import pytest
from scipy.stats import kendalltau

from surronas.datasets import load_benchmark, nasbench101
from surronas.datasets.files import find_file
from surronas.exceptions import InvalidFileError, UnknownNameError

FILE = "nasbench101/zc13_500.csv"
needs_file = pytest.mark.needs_data(FILE)


@needs_file
def test_values_belong_to_their_architectures():
    table = load_benchmark("nasbench101")
    with find_file(FILE).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(table) == len(rows) == 500
    assert not table.targets.isna().any(axis=None)
    for row, record in enumerate(rows):
        flat = ast.literal_eval(record["arch"])
        matrix = np.reshape(flat[:49], (7, 7))
        assert table.archs[row, :21].tolist() == matrix[np.triu_indices(7, k=1)].tolist()
        for name, value in table.targets.loc[row].items():
            assert value == float(record[name])


@needs_file
def test_targets_are_described():
    table = load_benchmark("nasbench101", "cifar10")
    kinds = {name: table.target(name).kind for name in table.targets}
    assert list(kinds)[:3] == ["val_accuracy", "params", "flops"]
    assert [kinds[name] for name in list(kinds)[:3]] == ["accuracy", "size", "compute"]
    assert [name for name, kind in kinds.items() if kind == "proxy"] == list(kinds)[3:]
    assert len(kinds) == 12
    assert "arXiv:1902.09635" in table.info.citation
    assert table.info.licence.startswith("Apache-2.0")


@needs_file
def test_what_the_notes_say_of_repeats():
    table = load_benchmark("nasbench101")
    key = table.space.key(table.archs)
    _, first, counts = np.unique(key, return_index=True, return_counts=True)
    assert len(first) == 292
    assert counts.max() == 55
    by_cell = table.targets["val_accuracy"].groupby(key)
    assert by_cell.nunique().max() == 3
    train, test = table.split(100, random_state=0)
    assert len(train) + len(test) == 292


@needs_file
def test_rows_of_one_cell_are_nearly_as_accurate_and_size_matters():
    """Cells mixed up would spread as widely as the whole table does, and no longer go with the size."""
    table = load_benchmark("nasbench101")
    accuracy = table.targets["val_accuracy"]
    groups = accuracy.groupby(table.space.key(table.archs))
    assert groups.std().median() < 0.1 * accuracy.std()
    assert kendalltau(table.space.cost(table.archs)["params"], accuracy).statistic > 0.45


@needs_file
def test_a_damaged_copy_is_refused(tmp_path, monkeypatch):
    text = find_file(FILE).read_text()
    for wrong, says in [
        (text.replace("arch,flops", "arch,flop", 1), "not laid out"),
        (text.replace("val_accuracy", "accuracy", 1), "not laid out"),
        (text.replace("92.578125", "high", 1), "not laid out"),
        (text.replace("4, 4, 4, 1)", "4, 4, 9, 1)", 1), "Row 0 does not parse"),
        (
            text.replace('"(0, 1, 1, 1, 1, 0, 1,', '"(0, 0, 0, 0, 0, 0, 0,', 1),
            "in row 0, which is none: a path must join",
        ),
    ]:
        assert wrong != text
        path = tmp_path / "zc13_500.csv"
        path.write_text(wrong)
        monkeypatch.setattr("surronas.datasets.suite_zero.find_file", lambda name, path=path: path)
        with pytest.raises(InvalidFileError, match=says):
            nasbench101.load()


def test_there_is_one_dataset():
    with pytest.raises(UnknownNameError, match="Did you mean 'cifar10'"):
        load_benchmark("nasbench101", "cifar100")
