"""The table of measured once-for-all MobileNetV3 subnets against its five files, read in another way."""

from __future__ import annotations

import ast
import csv
from collections import defaultdict

import numpy as np
import pytest

from surronas.datasets import load_benchmark, ofa_mbv3
from surronas.datasets.files import find_file
from surronas.datasets.latency_table import load_latency_table
from surronas.exceptions import InvalidFileError, UnknownNameError

SEARCHES = ("evoga_acc", "evonsga2_acc_macs", "evounsga3_acc_macs_params", "linasga_acc", "linasnsga2_acc_macs")
FILES = [f"ofa_mbv3/mbnv3w10_{search}.csv" for search in SEARCHES]
needs_files = pytest.mark.needs_data(FILES[0])


@pytest.fixture(scope="module")
def table():
    return load_benchmark("ofa_mbv3")


@pytest.fixture(scope="module")
def published():
    """Active layers of each stage -> search -> (accuracies, params, multiply-adds)."""
    found = defaultdict(lambda: defaultdict(list))
    for search, name in zip(SEARCHES, FILES, strict=True):
        with find_file(name).open(newline="") as stream:
            for row in csv.DictReader(stream):
                arch = ast.literal_eval(row["Sub-network"])
                assert (arch["r"], arch["wid"]) == ([224], None)
                numbers = [float(row[column]) for column in ("Top-1 Acc (%)", "Model Parameters", "MACs")]
                found[layers(arch)][search].append(numbers)
    return found


def layers(arch):
    return tuple(
        tuple(zip(arch["ks"][4 * s : 4 * s + d], arch["e"][4 * s : 4 * s + d], strict=True))
        for s, d in enumerate(arch["d"])
    )


@needs_files
def test_values_belong_to_their_architectures(table, published):
    assert len(table) == len(published) == 2162
    assert len(np.unique(table.space.key(table.archs))) == 2162
    runs = table.runs["val_accuracy"]
    assert runs.axes == {"run": SEARCHES}
    for row, arch in enumerate(table.space.to_ofa(table.archs)):
        assert (arch["r"], arch["w"]) == (224, 1.0)
        measured = published[layers(arch)]
        accuracies = [measured[search][0][0] if search in measured else np.nan for search in SEARCHES]
        np.testing.assert_array_equal(runs.values[row], accuracies)
        _, params, madds = next(iter(measured.values()))[0]
        expected = [np.nanmean(accuracies), params / 1e6, madds / 1e6]
        np.testing.assert_allclose(table.targets.iloc[row, :3], expected, rtol=1e-12)


@needs_files
def test_what_the_notes_say_of_repeats(table, published):
    """A search that measures a subnet again gives the same value; searches differ by a few hundredths."""
    assert all(len({numbers[0] for numbers in runs}) == 1 for by in published.values() for runs in by.values())
    again = sum(len(runs) - 1 for by in published.values() for runs in by.values())
    several = [[runs[0][0] for runs in by.values()] for by in published.values() if len(by) > 1]
    widest = max(max(values) - min(values) for values in several)
    deviation = np.mean([np.var(values, ddof=1) for values in several]) ** 0.5
    assert f"measured again by the same search, {again} times" in table.info.notes
    assert f"{len(several)} architectures were measured by several searches" in table.info.notes
    assert f"deviation {deviation:.3f} points, at most {widest:.3f} apart" in table.info.notes
    assert "measured 2223 descriptions, which are 2162 architectures" in table.info.notes
    assert "0 in all 2373 rows" in table.info.notes


@needs_files
def test_size_and_compute_are_the_spaces_own(table):
    cost = table.space.cost(table.archs) / 1e6
    np.testing.assert_allclose(cost[["params", "madds"]], table.targets[["params", "madds"]], rtol=1e-12)


@needs_files
def test_latency_is_the_look_up_tables(table):
    latency = load_latency_table("i7-8700K").latency(table.archs)
    np.testing.assert_array_equal(table.targets["latency_i7_8700K_ms"], latency)
    assert not table.targets.isna().any(axis=None)


@needs_files
def test_known_extremes(table):
    assert table.targets["val_accuracy"].min() == pytest.approx(70.998)
    assert table.targets["val_accuracy"].max() == pytest.approx(77.466)
    tau = table.targets[["val_accuracy", "madds"]].corr("kendall").iloc[0, 1]
    assert tau == pytest.approx(0.81, abs=0.005)


@needs_files
def test_targets_are_described(table):
    described = [table.target(name) for name in table.targets]
    assert [(t.name, t.unit, t.maximize, t.kind) for t in described] == [
        ("val_accuracy", "%", True, "accuracy"),
        ("params", "millions", False, "size"),
        ("madds", "millions", False, "compute"),
        ("latency_i7_8700K_ms", "ms", False, "latency"),
    ]
    assert "not a measurement" in table.target("latency_i7_8700K_ms").description
    assert "arXiv:1908.09791" in table.info.citation
    assert "arXiv:2007.10396" in table.info.citation
    assert table.info.checksum.count("sha256:") == 6


@needs_files
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",MACs,", ",FLOPs,", "not laid out as expected"),
        ("'d': [2, 3, 2, 4, 3]", "'d': [2, 3, 2, 4]", "not laid out as expected: .*Row 0 .*5 depths"),
        (",5029656,0,", ",five,0,", "not laid out as expected"),
        (",5029656,0,", ",5029656,3.5,", "has latencies"),
        (",5029656,0,", ",5029657,0,", "several sizes"),
    ],
)
def test_a_file_of_another_layout_is_refused(old, new, message, tmp_path, monkeypatch):
    text = find_file(FILES[0]).read_text()
    assert old in text
    damaged = tmp_path / "damaged.csv"
    damaged.write_text(text.replace(old, new, 1))
    monkeypatch.setattr(ofa_mbv3, "find_file", lambda name: damaged if name == FILES[0] else find_file(name))
    with pytest.raises(InvalidFileError, match=message):
        ofa_mbv3.load()


def test_there_is_one_dataset():
    with pytest.raises(UnknownNameError, match="Did you mean 'imagenet'"):
        load_benchmark("ofa_mbv3", "ImageNet-1k")
