"""HW-NAS-Bench's pickle: small files of its layout, with the readme's row and measured Pixel 3 latencies."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from surronas.datasets import load_benchmark
from surronas.datasets.formats import get_format
from surronas.datasets.formats.hw_nas_bench import read_fbnet
from surronas.exceptions import DataNotFoundError, InvalidFileError, SurronasWarning, UnknownNameError
from surronas.spaces import get_space

read = get_format("hw_nas_bench")
# The readme's architecture No. 0 on cifar10; it prints no arithmetic intensity.
README = {
    "edgegpu_latency": 5.807418537139893,
    "edgegpu_energy": 24.226614330768584,
    "raspi4_latency": 10.481976820010459,
    "edgetpu_latency": 0.9571811309997429,
    "pixel3_latency": 3.6058499999999998,
    "eyeriss_latency": 3.645620000000001,
    "eyeriss_energy": 0.6872827644999999,
    "eyeriss_arithmetic_intensity": 12.5,
    "fpga_latency": 2.57296,
    "fpga_energy": 18.01072,
}
SPACE, FBNET = get_space("nasbench201"), get_space("fbnet")
CELLS = SPACE.format(SPACE.enumerate()[[0, 1, 2]])
BLOCKS, _ = FBNET.blocks([[3] * 22])


def content(as_arrays=False):
    """Cell i has i + 1 times the readme's costs, in the file's layout."""
    part = {name: [value * (i + 1) for i in range(3)] for name, value in README.items()}
    if as_arrays:
        part = {name: np.array(values, dtype=np.float32) for name, values in part.items()}
    part["config"] = [{"name": "infer.tiny", "C": 16, "N": 5, "arch_str": cell, "num_classes": 10} for cell in CELLS]
    other = {**part, "edgetpu_latency": [-1, 2.0, -1]}
    lookup = {name: dict.fromkeys(BLOCKS, 0.25) for name in README if not name.startswith("edgetpu")}
    return {"nasbench201": {"cifar10": part, "cifar100": part, "ImageNet16-120": other}, "fbnet": lookup}


def write(folder, what):
    path = folder / "HW-NAS-Bench-v1_0.pickle"
    path.write_bytes(pickle.dumps(what))
    return path


@pytest.mark.parametrize("as_arrays", [False, True])
def test_values_belong_to_their_architectures(tmp_path, as_arrays):
    table = read(write(tmp_path, content(as_arrays)))
    assert table.dataset == "cifar10"
    assert table.space.name == "nasbench201"
    assert table.space.format(table.archs) == CELLS
    assert len(table.targets.columns) == len(README)
    for name, value in README.items():
        device, _, what = name.partition("_")
        ours = {"latency": f"latency_{device}_ms", "energy": f"energy_{device}_mj"}.get(what, f"{what}_{device}")
        np.testing.assert_allclose(table.targets[ours], [value, 2 * value, 3 * value], rtol=1e-6 if as_arrays else 0)
    assert "arXiv:2103.10584" in table.info.citation


def test_rows_go_by_the_configurations_and_not_by_number(tmp_path):
    what = content()
    what["nasbench201"]["cifar10"]["config"].reverse()
    assert SPACE.format(read(write(tmp_path, what)).archs) == CELLS[::-1]


def test_targets_are_described(tmp_path):
    table = read(write(tmp_path, content()))
    for name in table.targets:
        target = table.target(name)
        assert target.description
        kind, unit = {"latency": ("latency", "ms"), "energy": ("energy", "mJ")}.get(name.split("_")[0], ("compute", ""))
        assert (target.kind, target.unit) == (kind, unit)
        assert target.maximize == (name == "arithmetic_intensity_eyeriss")


def test_impossible_values_are_missing(tmp_path):
    table = read(write(tmp_path, content()), "ImageNet16-120")
    assert table.targets["latency_edgetpu_ms"].isna().tolist() == [True, False, True]
    assert table.targets.isna().to_numpy().sum() == 2
    assert "2 of latency_edgetpu_ms" in table.info.notes


@pytest.mark.needs_data("nasbench201/latency_help/pixel3.pt")
def test_the_readmes_row_is_in_the_latencies_of_help():
    """So HELP's file of the Pixel 3 is HW-NAS-Bench's column."""
    assert load_benchmark("nasbench201").targets["latency_pixel3_ms"][0] == pytest.approx(README["pixel3_latency"])


def test_fbnet_is_a_table_of_blocks(tmp_path):
    path = write(tmp_path, content())
    table = read_fbnet(path, "raspi4")
    assert len(table) == len(BLOCKS)
    X = FBNET.sample(3, random_state=0)
    np.testing.assert_allclose(table.latency(X), 26 * 0.25)  # 22 layers, stem, head, pooling, classifier
    with pytest.warns(SurronasWarning, match="HW-NAS-Bench raspi4 lacks"):
        assert np.isnan(table.latency(X, dataset="cifar100")).all()
    with pytest.raises(UnknownNameError, match="Known: edgegpu, eyeriss, fpga, pixel3, raspi4"):
        read_fbnet(path, "edgetpu")


@pytest.mark.parametrize(
    "damage", ["list", "space", "dataset", "config", "arch", "metric", "short", "text", "lookup", "negative"]
)
def test_a_file_of_another_layout_is_refused(damage, tmp_path):
    what = content()
    part = what["nasbench201"]["cifar10"]
    match damage:
        case "list":
            what = [what]
        case "space":
            what = {}
        case "dataset":
            del what["nasbench201"]["cifar10"]
        case "config":
            del part["config"]
        case "arch":
            part["config"][1]["arch_str"] = CELLS[0][:-3]
        case "metric":
            del part["fpga_energy"]
        case "short":
            part["fpga_energy"].pop()
        case "text":
            part["fpga_energy"][1] = "much"
        case "lookup":
            what["fbnet"]["raspi4_latency"] = [1.0]
        case "negative":
            what["fbnet"]["raspi4_latency"][BLOCKS[3]] = -1.0
    path = write(tmp_path, what)
    with pytest.raises(InvalidFileError, match="HW-NAS-Bench-v1_0.pickle"):
        read_fbnet(path, "raspi4") if damage in ("lookup", "negative") else read(path)


def test_a_hostile_file_is_refused_and_nothing_runs(tmp_path):
    trace = tmp_path / "trace"

    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {trace}",)

    what = content()
    what["nasbench201"]["cifar10"]["fpga_energy"][1] = Hostile()
    path = write(tmp_path, what)
    for attempt in (lambda: read(path), lambda: read(path, "cifar100"), lambda: read_fbnet(path, "raspi4")):
        with pytest.raises(InvalidFileError, match="system"):
            attempt()
    assert not trace.exists()
    pickle.loads(path.read_bytes())
    assert trace.exists()  # the standard unpickler would have run it


def test_errors_name_file_and_dataset(tmp_path):
    with pytest.raises(DataNotFoundError, match="nowhere.pickle"):
        read(tmp_path / "nowhere.pickle")
    with pytest.raises(UnknownNameError, match="Did you mean 'cifar10'"):
        read(write(tmp_path, content()), "cifar1")
    (tmp_path / "empty.pickle").write_bytes(b"")
    with pytest.raises(InvalidFileError, match="no readable pickle"):
        read(tmp_path / "empty.pickle")
