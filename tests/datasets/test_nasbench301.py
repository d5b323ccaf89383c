"""NAS-Bench-301's sample against its file, read in another way."""

from __future__ import annotations

import ast
import csv

import numpy as np
import pytest

from surronas.datasets import load_benchmark, nasbench301
from surronas.datasets.files import find_file
from surronas.exceptions import InvalidFileError, UnknownNameError
from surronas.spaces.darts import OPS

FILE = "nasbench301/zc13_500.csv"
needs_file = pytest.mark.needs_data(FILE)


@needs_file
def test_values_belong_to_their_architectures():
    table = load_benchmark("nasbench301")
    with find_file(FILE).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(table) == len(rows) == 500
    assert not table.targets.isna().any(axis=None)
    names = [gene.name for gene in table.space.genes]
    for row, record in enumerate(rows):
        arch = ast.literal_eval(record["arch"])
        codes = dict(zip(names, table.archs[row].tolist(), strict=True))
        for cell, pairs in zip(("normal", "reduce"), arch, strict=True):
            for node in (2, 3, 4, 5):
                first, second = sorted(pairs[2 * node - 4 : 2 * node - 2])
                assert OPS[codes[f"{cell}_{node}_op1"]] == OPS[first[1]]
                assert OPS[codes[f"{cell}_{node}_op2"]] == OPS[second[1]]
        for name, value in table.targets.loc[row].items():
            assert value == float(record[name])


@needs_file
def test_params_and_flops_are_those_of_the_space():
    table = load_benchmark("nasbench301")
    cost = table.space.cost(table.archs)[["params", "flops"]] / 1e6
    np.testing.assert_allclose(table.targets[["params", "flops"]], cost, rtol=1e-12)


@needs_file
def test_targets_and_notes():
    table = load_benchmark("nasbench301", "cifar10")
    kinds = {name: table.target(name).kind for name in table.targets}
    assert [kinds[name] for name in ("val_accuracy", "params", "flops")] == ["accuracy", "size", "compute"]
    assert sum(kind == "proxy" for kind in kinds.values()) == 9
    assert "believed" in table.info.notes
    assert "arXiv:2008.09777" in table.info.citation
    accuracy = table.targets["val_accuracy"]
    assert accuracy.nunique() == len(np.unique(table.space.key(table.archs))) == 500
    assert (np.abs(accuracy * 100 - np.rint(accuracy * 100)) > 1e-6).mean() > 0.99  # no counts of 10,000 images
    assert accuracy.min() > 90
    assert accuracy.max() < 95


@needs_file
def test_a_damaged_copy_is_refused(tmp_path, monkeypatch):
    text = find_file(FILE).read_text()
    for wrong, says in [
        (text.replace("arch,flops", "arch,flop", 1), "not laid out"),
        (text.replace("93.90106806339374", "high", 1), "not laid out"),
        (text.replace("[[(0, 4), (1, 3)", "[[(0, 7), (1, 3)", 1), "Row 0 does not parse"),
    ]:
        assert wrong != text
        path = tmp_path / "zc13_500.csv"
        path.write_text(wrong)
        monkeypatch.setattr("surronas.datasets.suite_zero.find_file", lambda name, path=path: path)
        with pytest.raises(InvalidFileError, match=says):
            nasbench301.load()


def test_there_is_one_dataset():
    with pytest.raises(UnknownNameError, match="Did you mean 'cifar10'"):
        load_benchmark("nasbench301", "cifar100")
