"""NAS-Bench-101: 500 random cells with validation accuracy, size and zero-cost proxies."""

from __future__ import annotations

from surronas.datasets import register_benchmark
from surronas.datasets.sources import choose_dataset, info_of
from surronas.datasets.suite_zero import described_as, drop_failed, read_sample
from surronas.datasets.table import BenchmarkTable, Target
from surronas.spaces.nasbench101 import NASBench101

_FILE = "nasbench101/zc13_500.csv"
_NOTES = (
    "A sample of the 423,624 cells, drawn gene by gene: 500 rows of 292 different cells, 55 rows being the cell "
    "that only joins input and output (split(unique=True) takes the first row of each). The accuracy is that of "
    "one of the benchmark's three runs of 108 epochs, which one the source does not say; rows of one cell have up to "
    "three values. No test accuracy. params and flops are of the network with its nodes as drawn, so they can "
    "differ from the space's by up to 2 % where the output concatenates three or five nodes."
)


@register_benchmark("nasbench101")
def load(dataset: str | None = None) -> BenchmarkTable:
    """The sample of NAS-Bench-Suite-Zero in its order."""
    dataset = choose_dataset("nasbench101", dataset, ("cifar10",), default="cifar10")
    space = NASBench101()
    archs, targets = read_sample(_FILE, space)
    accuracy = Target("val_accuracy", "%", True, "accuracy", "CIFAR-10 validation accuracy after 108 epochs, one run")
    described = described_as(targets.columns, accuracy)
    notes = f"{_NOTES} {drop_failed(targets, described)}".strip()
    return BenchmarkTable("nasbench101", space, archs, targets, described, info_of([_FILE], notes), dataset)
