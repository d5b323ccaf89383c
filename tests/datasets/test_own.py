"""A table of one's own: from a file to everything that a benchmark table feeds."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import pandas as frames

import surronas as sn
from surronas.datasets import formats, load_benchmark, load_table
from surronas.datasets.table import Target
from surronas.exceptions import InvalidInputError, UnknownNameError
from surronas.spaces import Gene, SearchSpace, get_space


def mixed(n=120):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "stem": rng.choice(["conv3x3", "conv5x5", "patchify"], n),
            "depth": rng.integers(2, 6, n),
            "width": rng.choice([0.5, 0.75, 1.0], n),
            "attention": rng.random(n) < 0.5,
            "seed": 777,
        }
    )
    frame["val_accuracy"] = 60 + 3 * frame["depth"] + 5 * frame["attention"] + rng.normal(size=n)
    frame["latency_ms"] = frame["depth"] * frame["width"]
    return frame


@pytest.fixture
def path(tmp_path):
    frame = mixed()
    frame.loc[[3, 9], "latency_ms"] = -1
    frame.loc[5, "val_accuracy"] = np.nan
    frame.to_csv(tmp_path / "nets.csv", index=False)
    return tmp_path / "nets.csv"


def values_of(table):
    """The table's architectures as a frame of choices."""
    columns = zip(table.space.genes, table.archs.T, strict=True)
    return pd.DataFrame({gene.name: [gene.choices[code] for code in codes] for gene, codes in columns})


def test_a_file_alone_is_enough(path):
    table = load_table(path)
    assert table.space == SearchSpace(
        [
            Gene("stem", ("conv3x3", "conv5x5", "patchify")),
            Gene("depth", (2, 3, 4, 5), ordered=True),
            Gene("width", (0.5, 0.75, 1.0), ordered=True),
            Gene("attention", (False, True)),
        ]
    )
    assert (table.name, table.dataset) == ("nets", None)
    assert values_of(table).to_dict("list") == mixed()[table.space.gene_names].to_dict("list")
    assert table.target("val_accuracy") == Target("val_accuracy", "%", True, "accuracy")
    assert np.flatnonzero(table.targets["val_accuracy"].isna()).tolist() == [5]
    assert np.flatnonzero(table.targets["latency_ms"].isna()).tolist() == [3, 9]
    assert table.context["seed"].tolist() == [777] * 120
    assert table.info.source == str(path)
    assert table.info.checksum == f"nets.csv sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert (table.info.licence, table.info.citation) == ("not stated", "not stated")


def test_what_was_inferred_is_said_and_shown(path):
    table = load_table(path)
    repeats = mixed()[table.space.gene_names].duplicated().sum()
    assert repeats > 0
    for text in (
        "120 rows and 7 columns.",
        "Targets: val_accuracy (maximize by its name, % by its values); latency_ms (minimize by its name).",
        "  depth: 2, 3, 4, 5 (4 numbers, in this order)",
        "  attention: False, True (2 booleans)",
        "No genes, for they do not vary: seed (777 throughout).",
        "Impossible values set to missing: 2 of latency_ms.",
        f"Rows that repeat the architecture of an earlier row, all kept: {repeats}.",
    ):
        assert text in table.info.notes.splitlines()
        assert text in repr(table)


CHOICES = {"op": st.sampled_from(["conv", "pool", "NA", "None", "a,b", "x y"]), "n": st.integers(-3, 3)}


@given(
    frames.data_frames(
        [
            frames.column("op", elements=CHOICES["op"], dtype=object),
            frames.column("n", elements=CHOICES["n"]),
            frames.column("on", elements=st.booleans(), dtype=bool),
            frames.column("y", elements=st.floats(-1e300, 1e300)),
        ],
        index=frames.range_indexes(min_size=2, max_size=40),
    )
)
def test_values_survive_the_way_through_a_file(tmp_path_factory, frame):
    genes = [name for name in ("op", "n", "on") if frame[name].nunique() > 1]
    path = tmp_path_factory.mktemp("own") / "t.csv"
    frame.to_csv(path, index=False)
    if not genes:
        with pytest.raises(InvalidInputError, match="at least two different values"):
            load_table(path, targets={"y": "maximize"}, genes=["op", "n", "on"])
        return
    for source in (path, frame):
        table = load_table(source, targets={"y": "maximize"}, genes=["op", "n", "on"])
        assert table.targets["y"].tolist() == frame["y"].tolist()
        assert values_of(table).to_dict("list") == frame[genes].to_dict("list")
        assert json.loads(json.dumps(table.space.to_spec())) == table.space.to_spec()


def test_it_feeds_everything_else(path, tmp_path):
    table = load_table(path)
    train, test = table.split(n_train=40, random_state=0, target="val_accuracy")
    y = table.targets["val_accuracy"].to_numpy()
    model = sn.fit_predictor(
        table.archs[train], y[train], space=table.space, predictor="one_hot:linear", random_state=0
    )
    mean = model.predict(table.archs[test])
    assert sn.metrics.kendall_tau(y[test], mean) > 0.6
    model.save(tmp_path / "own.surronas")
    again = sn.load_predictor(tmp_path / "own.surronas")
    assert again.space == table.space
    np.testing.assert_array_equal(again.predict(table.archs[test]), mean)
    np.testing.assert_array_equal(again.predict(values_of(table).iloc[test]), mean)
    report = sn.evaluate(["one_hot:linear", "mean"], table, "val_accuracy", [20], 2, n_jobs=1)
    assert report.frame.groupby("predictor")["kendall_tau"].mean()["one_hot:linear"] > 0.5
    assert "nets.csv" in report.to_html(tmp_path / "report.html").read_text()


# -- genes


def test_named_genes_are_the_only_ones(path):
    table = load_table(path, genes=["depth", "attention"], targets=["val_accuracy"])
    assert table.space.gene_names == ["depth", "attention"]
    assert list(table.context) == ["stem", "width", "seed", "latency_ms"]
    assert "Neither gene nor target, kept as context: stem, width, seed, latency_ms." in table.info.notes


def test_declared_genes_bring_choices_and_conditions():
    frame = pd.DataFrame({"depth": [1, 2, 2], "kernel2": [None, 5, 3], "acc": [1, 2, 3]})
    depth, kernel = Gene("depth", (1, 2, 3), ordered=True), Gene("kernel2", (3, 5, 7), {"depth": (2, 3)}, ordered=True)
    table = load_table(frame, genes=[depth, kernel])
    assert table.space == SearchSpace([depth, kernel])
    assert table.archs.tolist() == [[0, 0], [1, 1], [1, 0]]
    frame.loc[2, "kernel2"] = None
    with pytest.raises(InvalidInputError, match=r"'kernel2' must hold one of \(3, 5, 7\). It is blank in row 2"):
        load_table(frame, genes=[depth, kernel])
    assert load_table(frame, genes=[depth, "kernel2"]).space.genes[1].choices == (5, None)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"genes": "depth"}, "must be a list of column names and Gene objects. Got 'depth'."),
        ({"genes": ["dept"]}, "Unknown column in 'genes' 'dept'. Did you mean 'depth'?"),
        ({"genes": ["depth", "depth"]}, "names the column 'depth' twice"),
        ({"genes": ["depth"], "targets": ["depth"]}, "'depth' must be a gene or a target. It is named as both."),
        ({"genes": [Gene("depth", (2, 3))]}, "'depth' must hold choices of its gene, (2, 3). Got 5 in row 0."),
        ({"genes": ["seed"]}, "at least two different values that is no target, to be a gene. Got seed (777"),
        ({"targets": ["val_accuracy"]}, "'latency_ms' must have at most 100 different values"),
        ({"space": 7}, "must be a SearchSpace, the name of one, or None"),
        ({"space": "nasbench201"}, "must be in one column, or in 6, one a gene (op_0_1, op_0_2, op_1_2, ...)."),
        ({"space": "nasbench201", "genes": ["stem"]}, "The column 'stem': The 'archs' must be architectures of the"),
        ({"space": "nasbench201", "genes": [Gene("stem", ("a",))]}, "must name columns when a space is given"),
    ],
)
def test_bad_arguments(arguments, text):
    frame = mixed(300).sort_values("depth", ascending=False)
    frame["latency_ms"] += np.linspace(0, 1, 300)
    frame["cell"] = frame["net"] = frame["stem"]
    frame = frame if "space" in arguments else frame.drop(columns=["cell", "net"])
    with pytest.raises(InvalidInputError) as caught:
        load_table(frame, **arguments)
    assert text in str(caught.value)


# -- a known space


def cells(n=50):
    space = get_space("nasbench201")
    X = space.sample(n, random_state=0)
    return (
        space,
        X,
        pd.DataFrame({"id": range(n), "arch_str": space.format(X), "note": "x", "acc": np.linspace(1, 90, n)}),
    )


def test_architectures_of_a_known_space_in_one_column(tmp_path):
    space, X, frame = cells()
    frame.to_csv(tmp_path / "cells.csv", index=False)
    for options in ({}, {"genes": ["arch_str"]}):
        table = load_table(tmp_path / "cells.csv", space="nasbench201", **options)
        assert table.space == space
        assert table.archs.tolist() == X.tolist()
        assert list(table.context) == ["id", "note"]
        assert "Architectures: the column 'arch_str'." in table.info.notes
    several = frame.rename(columns={"arch_str": "drawn"})
    assert load_table(several, space=space).archs.tolist() == X.tolist()
    one = frame[["arch_str", "acc"]].rename(columns={"arch_str": "anything"})
    assert load_table(one, space=space).archs.tolist() == X.tolist()


def test_architectures_of_a_known_space_in_one_column_a_gene():
    space, X, frame = cells()
    choices = pd.DataFrame(np.array(space.genes[0].choices, dtype=object)[X], columns=space.gene_names)
    table = load_table(choices.iloc[:, ::-1].assign(acc=frame["acc"]), space=space)
    assert table.archs.tolist() == X.tolist()
    renamed = choices.set_axis(list("abcdef"), axis=1).assign(acc=frame["acc"])
    assert load_table(renamed, space=space, genes=list("abcdef")).archs.tolist() == X.tolist()


def test_genotypes_in_json_records(tmp_path):
    space, X, frame = cells()
    records = [{"net": x.tolist(), "acc": y} for x, y in zip(X, frame["acc"], strict=True)]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, records)))
    assert load_table(tmp_path / "t.jsonl", space=space).archs.tolist() == X.tolist()


def test_a_bad_architecture_names_column_and_row():
    space, _, frame = cells()
    frame.loc[7, "arch_str"] = "|conv~0|"
    with pytest.raises(InvalidInputError, match=r"The column 'arch_str': .*Row 7 does not parse"):
        load_table(frame, space=space)
    frame.loc[7, "arch_str"] = None
    with pytest.raises(InvalidInputError, match="'arch_str' must hold an architecture in every row. Got none in row 7"):
        load_table(frame, space=space)


@pytest.mark.needs_data("nasbench201/nats_bench.csv")
def test_a_real_file_of_others_gives_the_table_it_gives_by_name(shared_data):
    table = load_table(shared_data / "nasbench201/nats_bench.csv", space="nasbench201", genes=["ArchitectureString"])
    known = load_benchmark("nasbench201", "cifar10")
    np.testing.assert_array_equal(table.archs, known.archs)
    np.testing.assert_array_equal(table.targets["CIFAR10TestAccuracy200Epochs"], known.targets["test_accuracy"])
    assert list(table.context) == ["UniqueString"]
    assert [table.target(name).unit for name in table.targets] == ["%"] * 3


# -- formats


def test_a_format_reads_the_path(tmp_path, monkeypatch):
    asked = []

    def read(path, dataset):
        asked.append((path, dataset))
        return load_table(mixed())

    monkeypatch.setattr(formats._formats, "_parts", {"ours": read})
    monkeypatch.setattr(formats._formats, "_loaded", True)
    assert load_table(str(tmp_path), format="ours", dataset="cifar10", name="mine").name == "mine"
    assert asked == [(tmp_path, "cifar10")]
    with pytest.raises(InvalidInputError, match="leave out the parameter 'targets'"):
        load_table(tmp_path, format="ours", targets=["acc"])
    with pytest.raises(InvalidInputError, match="There is no .*nothing"):
        load_table(tmp_path / "nothing", format="ours")
    with pytest.raises(InvalidInputError, match="must be a path for the format 'ours'. Got a DataFrame"):
        load_table(mixed(), format="ours")
    with pytest.raises(UnknownNameError, match="Unknown format 'our'. Did you mean 'ours'"):
        load_table(tmp_path, format="our")
