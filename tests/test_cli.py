from __future__ import annotations

import errno
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pandas as pd
import pytest

from surronas import cli, datasets
from surronas.datasets import BenchmarkTable, TableInfo, Target
from surronas.datasets.formats import list_formats
from surronas.datasets.images import list_images
from surronas.spaces import get_space
from surronas.supernet import list_pretrained


@pytest.fixture
def table(monkeypatch):
    space = get_space("nasbench201")
    archs = space.enumerate()[:200]
    y = space.cost(archs)["params"].to_numpy() ** 0.1 + 0.05 * np.random.default_rng(0).normal(size=200)
    info = TableInfo("a test", "CC0", "Nobody (2024)", "none")
    table = BenchmarkTable("tiny", space, archs, pd.DataFrame({"acc": y}), [Target("acc", "%", True, "accuracy")], info)
    monkeypatch.setattr(datasets, "load_benchmark", lambda name, dataset=None: table)
    return table


def bench(out, *more):
    options = ["--predictors", "one_hot:linear,one_hot:mean", "--n-train", "16,32", "--repeats", "2", "--jobs", "1"]
    return cli.main(["bench", "tiny", "--target", "acc", *options, "--out", str(out), *more])


def test_bench_leaves_results_and_a_page_and_prints_the_gist(table, tmp_path, capsys):
    assert bench(tmp_path) == 0
    frame = pd.read_parquet(tmp_path / "results.parquet")
    assert len(frame) == 8
    assert "one_hot:linear" in (tmp_path / "report.html").read_text()
    printed = " ".join(capsys.readouterr().out.split())
    tau = frame[(frame["predictor"] == "one_hot:linear") & (frame["n_train"] == 16)]["kendall_tau"].mean()
    assert f"{tau:.3f} ±" in printed
    assert "SNB007 Constant predictions: one_hot:mean, 4 of 4 cells." in printed


def bench_file(path, *more):
    options = ["--predictors", "one_hot:linear", "--n-train", "32", "--repeats", "1", "--jobs", "1"]
    return cli.main(["bench", str(path), "--target", "acc", *options, "--out", str(path.parent / "out"), *more])


def test_bench_takes_a_file_of_ones_own(table, tmp_path, capsys):
    choices = pd.DataFrame(table.archs, columns=list("abcdef"))
    choices.assign(acc=table.targets["acc"]).to_csv(tmp_path / "nets.csv", index=False)
    assert bench_file(tmp_path / "nets.csv") == 0
    cells = pd.DataFrame({"cell": table.space.format(table.archs), "acc": table.targets["acc"]})
    cells.to_parquet(tmp_path / "cells.parquet")
    assert bench_file(tmp_path / "cells.parquet", "--space", "nasbench201", "--out", str(tmp_path / "cells")) == 0
    assert len(pd.read_parquet(tmp_path / "cells/results.parquet")) == 1
    assert "cells.parquet sha256:" in (tmp_path / "cells/report.html").read_text()
    assert bench_file(tmp_path / "cells.parquet", "--format", "nats_benc") == 2
    assert "Unknown format 'nats_benc'. Did you mean 'nats_bench'?" in capsys.readouterr().err


def test_an_error_is_one_line_and_exit_code_2(table, tmp_path, capsys):
    assert bench(tmp_path, "--protocol", "al") == 2
    error = capsys.readouterr().err
    assert error.startswith("Unknown protocol 'al'. Did you mean 'all'?")
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_interrupt_says_how_to_go_on(table, tmp_path, capsys, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("surronas.benchmark.cell.fit_predictor", interrupt)
        assert bench(tmp_path) == 130
    error = capsys.readouterr().err
    assert error.startswith("Interrupted. `surronas bench tiny --target acc --predictors one_hot:linear,one_hot:mean ")
    assert error.endswith(f" --out {tmp_path}` goes on where it stopped.\n")
    assert bench(tmp_path) == 0


@pytest.mark.parametrize("argv", [[], ["bench"], ["bench", "t", "--out", "x", "--n-train", "16,many"], ["nonsense"]])
def test_bad_usage_exits_with_2(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(argv)
    assert stop.value.code == 2
    assert "usage: surronas" in capsys.readouterr().err


def test_list_names_every_part(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert cli.main(["list"]) == 0
    printed = capsys.readouterr().out
    names = ["nasbench201", "nasbench_graph", "one_hot", "graph_features", "linear", "gp", "analog_nasbench"]
    for name in (*names, *list_formats(), *list_images(), *list_pretrained()):
        assert f" {name} " in printed


def test_a_full_disk_is_one_line_and_says_how_to_go_on(table, tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        assert bench(tmp_path) == 1
    error = capsys.readouterr().err
    assert error.startswith(
        f"[Errno {errno.ENOSPC}] No space left on device: '{tmp_path / 'journal.jsonl'}'. `surronas"
    )
    assert error.endswith("` goes on where it stopped.\n")
    assert error.count("\n") == 1
    assert bench(tmp_path) == 0


def test_a_folder_that_is_a_file_and_killed_workers_are_one_line(table, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").touch()
    assert bench(tmp_path / "file") == 1
    assert "file" in capsys.readouterr().err

    def killed(*args, **kwargs):
        raise BrokenProcessPool

    monkeypatch.setattr("surronas.benchmark.evaluate", killed)
    assert bench(tmp_path / "out") == 1
    assert capsys.readouterr().err.startswith("A worker process was killed, or ran out of memory. `surronas bench")


@pytest.mark.parametrize("option", [("--seed", "-1"), ("--seed", "4294967296"), ("--jobs", "0"), ("--jobs", "many")])
def test_seeds_and_jobs_that_cannot_be_are_bad_usage(table, tmp_path, capsys, option):
    with pytest.raises(SystemExit) as stop:
        bench(tmp_path, *option)
    assert stop.value.code == 2
    assert f"argument {option[0]}" in capsys.readouterr().err
