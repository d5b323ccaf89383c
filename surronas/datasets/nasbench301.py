"""NAS-Bench-301: 500 random pairs of DARTS cells with predicted validation accuracy, size and zero-cost proxies."""

from __future__ import annotations

from surronas.datasets import register_benchmark
from surronas.datasets.sources import choose_dataset, info_of
from surronas.datasets.suite_zero import described_as, drop_failed, read_sample
from surronas.datasets.table import BenchmarkTable, Target
from surronas.spaces.darts import DARTS

_FILE = "nasbench301/zc13_500.csv"
_NOTES = (
    "500 random architectures, no two isomorphic. The accuracies are not measured: they are believed to be what the "
    "surrogate model of NAS-Bench-301 predicts for training of 100 epochs, as NASLib queries it (the file does not "
    "say so; no two are equal, where measured ones would be multiples of 0.01 %), so they are smoother than "
    "accuracies are. No test accuracy. params and flops are of NASLib's network, 32 channels and 8 cells whose "
    "operations have batch norms without parameters."
)


@register_benchmark("nasbench301")
def load(dataset: str | None = None) -> BenchmarkTable:
    """The sample of NAS-Bench-Suite-Zero in its order."""
    dataset = choose_dataset("nasbench301", dataset, ("cifar10",), default="cifar10")
    space = DARTS()
    archs, targets = read_sample(_FILE, space)
    accuracy = Target("val_accuracy", "%", True, "accuracy", "CIFAR-10 validation accuracy, predicted by a surrogate")
    described = described_as(targets.columns, accuracy)
    notes = f"{_NOTES} {drop_failed(targets, described)}".strip()
    return BenchmarkTable("nasbench301", space, archs, targets, described, info_of([_FILE], notes), dataset)
