"""Subnets of the project's own supernet, measured: accuracy on three image data sets, size and latency."""

from __future__ import annotations

from pathlib import Path

from surronas.datasets import register_benchmark
from surronas.datasets.sources import choose_dataset
from surronas.datasets.table import BenchmarkTable
from surronas.datasets.table_file import read_table
from surronas.exceptions import DataNotFoundError

__all__ = ["DATASETS", "SHIPPED", "path_of"]

DATASETS = ("cifar10", "fashion_mnist", "digits")
SHIPPED = Path(__file__).parent / "shipped"


@register_benchmark("mbconv_cifar10")
def load(dataset: str | None = None) -> BenchmarkTable:
    """Subnets of the supernet trained on CIFAR-10: top-1 there, or with a closed-form head elsewhere; size, latency.

    Column ``origin`` of ``context`` says how a subnet came in: ``smallest``, ``largest``, ``random`` (uniform over the
    genes), or ``front`` (chosen by a search for accuracy at few multiply-adds, so no random sample).
    """
    path = path_of(choose_dataset("mbconv_cifar10", dataset, DATASETS, default="cifar10"))
    if not path.is_file():
        raise DataNotFoundError(
            f"The measured table {path} is not there. Make it by 'python benchmarks/supernet_table.py'."
        )
    return read_table(path)


def path_of(dataset: str) -> Path:
    """Where the package keeps the measurements on a data set."""
    return SHIPPED / f"mbconv_cifar10_{dataset}.parquet"
