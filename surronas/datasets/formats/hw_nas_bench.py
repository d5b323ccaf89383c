"""HW-NAS-Bench's pickle: hardware costs of NAS-Bench-201's cells, and of FBNet's blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from surronas.datasets.files import sha256_of
from surronas.datasets.formats import register_format
from surronas.datasets.latency_table import LatencyTable
from surronas.datasets.pickles import load_pickle
from surronas.datasets.sources import choose_dataset, drop_impossible
from surronas.datasets.table import BenchmarkTable, TableInfo, Target
from surronas.exceptions import DataNotFoundError, InvalidFileError, InvalidInputError, UnknownNameError
from surronas.spaces.nasbench201 import NASBench201

__all__ = ["read", "read_fbnet"]

_DATASETS = ("cifar10", "cifar100", "ImageNet16-120")
_DEVICES = {
    "edgegpu": "NVIDIA Edge GPU Jetson TX2",
    "raspi4": "Raspberry Pi 4",
    "edgetpu": "Google Edge TPU Dev Board",
    "pixel3": "Google Pixel 3",
    "eyeriss": "Eyeriss, an ASIC (simulated)",
    "fpga": "Xilinx ZC706, an FPGA",
}
_WITH_ENERGY = ("edgegpu", "eyeriss", "fpga")
_COLUMNS = {
    **{f"{device}_latency": f"latency_{device}_ms" for device in _DEVICES},
    **{f"{device}_energy": f"energy_{device}_mj" for device in _WITH_ENERGY},
    "eyeriss_arithmetic_intensity": "arithmetic_intensity_eyeriss",
}
_TARGETS = [
    *(Target(f"latency_{d}_ms", "ms", False, "latency", f"Latency of one image on {_DEVICES[d]}") for d in _DEVICES),
    *(Target(f"energy_{d}_mj", "mJ", False, "energy", f"Energy of one image on {_DEVICES[d]}") for d in _WITH_ENERGY),
    Target("arithmetic_intensity_eyeriss", "", True, "compute", "Operations for each memory access on Eyeriss"),
]
_CITATION = "Li, Yu, Fu, Zhang, Zhao, You, Yu, Wang and Lin, HW-NAS-Bench, ICLR 2021, arXiv:2103.10584"


@register_format("hw_nas_bench")
def read(path: Path, dataset: str | None = None) -> BenchmarkTable:
    """The part of ``HW-NAS-Bench-v1_0.pickle`` on NAS-Bench-201.

    Parameters
    ----------
    path : Path
    dataset : {"cifar10", "cifar100", "ImageNet16-120"}, default="cifar10"

    Returns
    -------
    BenchmarkTable
        Latency on six devices, energy on three, arithmetic intensity; rows are those of the file's ``config``.
        ``read_fbnet`` reads the rest of the file, which holds no architectures but blocks to add up.

    Raises
    ------
    DataNotFoundError
        When there is no such file.
    InvalidFileError
        When it is no such dictionary, or holds anything but numbers and strings.
    """
    dataset = choose_dataset("hw_nas_bench", dataset, _DATASETS, default="cifar10")
    content, sha256 = _load(path)
    space = NASBench201()
    try:
        part = content["nasbench201"][dataset]
        archs = space.parse([config["arch_str"] for config in part["config"]])
        columns = {ours: np.array([float(v) for v in part[name]]) for name, ours in _COLUMNS.items()}
        targets = pd.DataFrame(columns, index=range(len(archs)))
    except (InvalidInputError, AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise InvalidFileError(f"{path} is not laid out as HW-NAS-Bench 1.0 on {dataset}: {error!r}.") from error
    dropped = drop_impossible(targets, _TARGETS)
    notes = f"{len(archs)} architectures in the order of the file, batches of one image. {dropped}".strip()
    info = TableInfo(
        source=str(path),
        licence="MIT (github.com/GATECH-EIC/HW-NAS-Bench)",
        citation=_CITATION,
        checksum=f"sha256:{sha256}",
        notes=notes,
    )
    return BenchmarkTable("hw_nas_bench", space, archs, targets, _TARGETS, info, dataset)


def read_fbnet(path: Path, device: str) -> LatencyTable:
    """The part of ``HW-NAS-Bench-v1_0.pickle`` on FBNet: latencies of blocks, as a table that adds them up.

    Parameters
    ----------
    path : Path
    device : {"edgegpu", "raspi4", "pixel3", "eyeriss", "fpga"}

    Returns
    -------
    LatencyTable
        Of the space "fbnet"; ``latency(X, dataset="ImageNet" or "cifar100")``.

    Raises
    ------
    UnknownNameError
        When the device was not measured.
    DataNotFoundError, InvalidFileError
        As ``read``.
    """
    measured = [name for name in _DEVICES if name != "edgetpu"]
    if device not in measured:
        raise UnknownNameError.of("device of HW-NAS-Bench's FBNet", device, measured)
    content, _ = _load(path)
    try:
        blocks = {str(name): float(value) for name, value in content["fbnet"][f"{device}_latency"].items()}
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise InvalidFileError(f"{path} is not laid out as HW-NAS-Bench 1.0 on FBNet: {error!r}.") from error
    wrong = next((name for name, value in blocks.items() if not 0 <= value < np.inf), None)
    if wrong is not None:
        raise InvalidFileError(f"{path} must hold latencies from 0. Got {blocks[wrong]} for {wrong} on {device}.")
    return LatencyTable("fbnet", blocks, f"HW-NAS-Bench {device}")


def _load(path: Path) -> tuple[Any, str]:
    """What the pickle holds, and the file's sha256."""
    if not Path(path).is_file():
        raise DataNotFoundError(f"There is no file {path}; it is HW-NAS-Bench-v1_0.pickle of GATECH-EIC/HW-NAS-Bench.")
    return load_pickle(Path(path)), sha256_of(Path(path))
