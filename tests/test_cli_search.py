"""``surronas search`` on a made-up table and a tiny supernet."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch

from surronas import cli, cli_search, datasets
from surronas.cli_search import _constraints
from surronas.datasets import BenchmarkTable, TableInfo, Target
from surronas.exceptions import InvalidInputError
from surronas.search import MSuNAS, RandomSearch
from surronas.search.search import Search
from surronas.spaces import Gene, SearchSpace
from surronas.spaces.mbconv import MBConv, Stage
from surronas.supernet import load_supernet, save_supernet
from surronas.supernet.network import SuperNet


@pytest.fixture
def table(monkeypatch):
    space = SearchSpace([Gene(f"g{i}", (0, 1, 2), ordered=True) for i in range(4)])
    X = space.enumerate()
    frame = pd.DataFrame(
        {"val_accuracy": 60 + 10 * np.log1p(X.sum(axis=1)) + X[:, 0], "madds": 1e6 * (1 + X.sum(axis=1))}
    )
    described = [Target("val_accuracy", "%", True, "accuracy"), Target("madds", "", False, "compute")]
    table = BenchmarkTable("tiny", space, X, frame, described, TableInfo("a test", "CC0", "Nobody (2024)", "none"))
    monkeypatch.setattr(datasets, "load_benchmark", lambda name, dataset=None: table)
    return table


def search(*argv):
    return cli.main(["search", *map(str, argv), "--jobs", "1"])


def on_table(out, *more, algorithm="random"):
    return search("--evaluator", "tiny", "--algorithm", algorithm, "--initial", 4, "--batch", 4, "--out", out, *more)


def test_it_searches_prints_the_front_and_leaves_files(table, tmp_path, capsys):
    assert on_table(tmp_path / "x", "--evaluations", 20, "--seed", 3) == 0
    expected = RandomSearch(table, n_initial=4, batch_size=4, random_state=3).run(n_evaluations=20)
    frame = pd.read_csv(tmp_path / "x/result/front.csv", dtype={"arch": str})
    assert frame["arch"].tolist() == table.space.format(expected.front.archs)
    printed = capsys.readouterr().out
    assert f"{len(frame)} Pareto-optimal of 20 architectures" in printed
    assert f"{frame['error'][0]:,.6g}" in printed
    assert "hypervolume" in printed
    assert str(tmp_path / "x/result/report.html") in printed


def test_resume_needs_no_options_and_takes_more_evaluations(table, tmp_path, monkeypatch):
    assert on_table(tmp_path / "whole", "--evaluations", 16) == 0
    evaluate, calls = Search._evaluate, []

    def interrupt(self, run, archs):
        calls.append(len(archs))
        if len(calls) == 3:
            raise KeyboardInterrupt
        evaluate(self, run, archs)

    monkeypatch.setattr(Search, "_evaluate", interrupt)
    assert on_table(tmp_path / "x", "--evaluations", 12) == 130
    monkeypatch.setattr(Search, "_evaluate", evaluate)
    assert search("--resume", tmp_path / "x") == 0
    assert told(tmp_path / "x") == told(tmp_path / "whole")[:12]
    assert search("--resume", tmp_path / "x", "--evaluations", 16) == 0
    assert told(tmp_path / "x") == told(tmp_path / "whole")


def told(folder):
    records = map(json.loads, (folder / "journal.jsonl").read_text().splitlines())
    return [arch for record in records if record.get("event") == "told" for arch in record["archs"]]


def test_the_algorithm_and_its_constraints_are_those_asked_for(table, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(MSuNAS, "_propose", lambda self, n, rng: (seen.append(self), self._first(n, rng))[1])
    argv = ["--evaluations", 8, "--constraint", "madds<=7e6", "--constraint", "val_accuracy >= 65"]
    assert on_table(tmp_path / "x", *argv, algorithm="msunas") == 0
    (made,) = {id(s): s for s in seen}.values()
    assert made.constraints == {"madds": (None, 7e6), "val_accuracy": (65.0, None)}
    frame = pd.read_csv(tmp_path / "x/result/front.csv")
    assert frame["madds"].max() <= 7e6


def test_bounds_from_both_sides_are_one():
    assert _constraints(["madds<=50e6", "madds>=1e6"]) == {"madds": (1e6, 50e6)}
    for text in ("madds<50", "madds", "madds<=many", "<=3", "madds<=nan"):
        with pytest.raises(InvalidInputError, match="--constraint must be such as"):
            _constraints([text])


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--algorithm", "nsga"], "Unknown algorithm 'nsga'. Did you mean 'nsga2'?"),
        (["--objectives", "eror"], "Unknown objective 'eror'. Did you mean 'error'?"),
        (["--constraint", "latency<=3"], "Unknown target in 'constraints' 'latency'"),
        (["--initial", "-1"], "'n_initial' of a search must be a positive int"),
    ],
)
def test_bad_requests_are_one_line_and_leave_no_folder(table, tmp_path, capsys, argv, text):
    assert search("--evaluator", "tiny", "--out", tmp_path / "x", *argv) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_another_search_s_folder_is_refused(table, tmp_path, capsys):
    assert on_table(tmp_path, "--evaluations", 4) == 0
    assert on_table(tmp_path, "--evaluations", 4, "--seed", 1) == 2
    assert "holds another search, whose seed is 0. Got 1" in capsys.readouterr().err
    assert search("--resume", tmp_path / "nowhere") == 2
    assert "no search to go on with" in capsys.readouterr().err
    assert search("--out", tmp_path / "x") == 2
    assert "needs an --evaluator" in capsys.readouterr().err


def test_a_supernet_is_adapted_to_images_of_other_classes_and_its_subnets_are_saved(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cli_search, "_N_TRAIN", 160)
    monkeypatch.setattr(cli_search, "_N_VALIDATION", 100)
    space = MBConv(
        stages=[Stage(True, 8, 2, (1, 2), (3,), (1, 2)), Stage(False, 16, 2, (1, 2), (3, 5), (1, 2))],
        resolutions=(8, 16),
        widths=(0.5, 1.0),
        stem=8,
        features=16,
    )
    torch.manual_seed(0)
    save_supernet(tmp_path / "net.safetensors", SuperNet(space, 3).eval())
    argv = ["--evaluator", tmp_path / "net.safetensors", "--images", "digits", "--n-validation", 60]
    argv += ["--evaluations", 12, "--initial", 8, "--batch", 4, "--epochs", 2, "--float32", "--out", tmp_path / "x"]
    assert search(*argv) == 0
    records = [json.loads(line) for line in (tmp_path / "x/journal.jsonl").read_text().splitlines()]
    assert [record.get("event") for record in records].count("adapted") == 2
    assert [records[0]["evaluator"][f"n_{split}"] for split in ("calibration", "validation")] == [160, 60]
    frame = pd.read_csv(tmp_path / "x/result/front.csv")
    files = sorted((tmp_path / "x/result/subnets").glob("*"))
    assert len(files) == len(frame)
    assert (frame["version"] == 2).all()
    assert load_supernet(files[0]).num_classes == 10
    printed = capsys.readouterr().out
    assert "Pareto-optimal of 12 architectures" in printed
    cascades = pd.read_csv(tmp_path / "x/result/cascades.csv", dtype={"members": str})
    together = cascades["members"].str.contains(",").sum()
    assert (f"{together} cascades of the front's networks" in " ".join(printed.split())) == (together > 0)


@pytest.mark.parametrize(
    "change",
    [
        {"algorithm": ["nat"]},
        {"constraints": 7},
        {"objectives": [1]},
        {"seed": "x"},
        {"evaluator": 5},
        {"epochs": None},
    ],
    ids=str,
)
def test_a_damaged_command_is_refused(table, tmp_path, capsys, change):
    assert on_table(tmp_path, "--evaluations", 8) == 0
    path = tmp_path / "command.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert search("--resume", tmp_path) == 2
    assert "command.json is damaged" in capsys.readouterr().err
