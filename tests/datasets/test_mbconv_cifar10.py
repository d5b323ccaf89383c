"""The loader of the shipped table, on files made here; the shipped files themselves where they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from surronas.datasets import BenchmarkTable, TableInfo, Target, mbconv_cifar10
from surronas.datasets.join import join
from surronas.datasets.table_file import write_table
from surronas.exceptions import DataNotFoundError, InvalidFileError, UnknownNameError
from surronas.spaces.mbconv import MBConv


def write(dataset, n, folder):
    space = MBConv()
    archs = np.concatenate([[space.smallest(), space.largest()], space.sample(n - 2, random_state=0)])
    targets = pd.DataFrame({"test_accuracy": np.linspace(50, 60, n)}).join(space.cost(archs))
    described = [
        Target("test_accuracy", "%", True, "accuracy", f"on {dataset}"),
        Target("params", "", False, "size", "Parameters"),
        Target("madds", "", False, "compute", "Multiply-adds"),
    ]
    info = TableInfo("this test", "Apache-2.0", f"Nobody, {dataset}", "", "drawn")
    origin = pd.DataFrame({"origin": ["smallest", "largest"] + ["random"] * (n - 2)})
    table = BenchmarkTable("mbconv_cifar10", space, archs, targets, described, info, dataset, context=origin)
    write_table(table, folder / f"mbconv_cifar10_{dataset}.parquet")


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    for dataset, n in (("cifar10", 30), ("fashion_mnist", 10)):
        write(dataset, n, tmp_path)
    monkeypatch.setattr(mbconv_cifar10, "SHIPPED", tmp_path)
    return tmp_path


def test_each_data_set_has_a_file_and_cifar10_is_meant_by_none(shipped):
    table = mbconv_cifar10.load()
    assert (table.name, table.dataset, len(table)) == ("mbconv_cifar10", "cifar10", 30)
    assert table.context["origin"].value_counts().to_dict() == {"random": 28, "smallest": 1, "largest": 1}
    pd.testing.assert_frame_equal(
        table.targets[["params", "madds"]], table.space.cost(table.archs), check_dtype=False, check_exact=True
    )
    assert mbconv_cifar10.load("fashion_mnist").dataset == "fashion_mnist"


def test_data_sets_side_by_side(shipped):
    both = join([mbconv_cifar10.load("cifar10"), mbconv_cifar10.load("fashion_mnist")])
    assert len(both) == 30
    assert both.targets["fashion_mnist_test_accuracy"].notna().sum() == 10
    assert both.context["origin"].tolist() == mbconv_cifar10.load().context["origin"].tolist()


def test_unknown_data_sets_are_refused(shipped):
    with pytest.raises(UnknownNameError, match=r"dataset of mbconv_cifar10 'cifar100'.*Did you mean 'cifar10'"):
        mbconv_cifar10.load("cifar100")


def test_a_missing_file_says_how_to_make_it(shipped):
    with pytest.raises(DataNotFoundError, match=r"mbconv_cifar10_digits\.parquet is not .*supernet_table\.py"):
        mbconv_cifar10.load("digits")


def test_a_damaged_file_is_refused(shipped):
    path = shipped / "mbconv_cifar10_cifar10.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InvalidFileError, match=r"mbconv_cifar10_cifar10\.parquet does not read"):
        mbconv_cifar10.load()
