"""Every registered benchmark table keeps the contract of its kit."""

from __future__ import annotations

import pytest

from surronas.datasets import list_benchmarks
from surronas.testing import check_benchmark

CARRIED = ("analog_nasbench", "mbconv_cifar10", "nasbench_graph")  # by a package; the others are files
DATASETS = {"nasbench_graph": "cora"}  # which has no default


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in CARRIED else pytest.mark.needs_data(name)) for name in list_benchmarks()],
)
def test_contract(name):
    check_benchmark(name, DATASETS.get(name))
