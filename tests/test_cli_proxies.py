"""``surronas proxies`` on small networks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from surronas import cli
from surronas.proxies import list_proxies, score


@pytest.fixture
def proxies(tmp_path):
    def run(*arguments):
        options = ["--batch-size", "4", "--jobs", "1", "--cache", str(tmp_path / "cache")]
        return cli.main(["proxies", "nats_size", *map(str, arguments), *options])

    return run


def test_it_draws_scores_prints_and_writes(proxies, tmp_path, capsys):
    assert proxies("--n", 3, "--proxies", "params,nwot,jacov", "--seed", 2, "--out", tmp_path / "scores.csv") == 0
    printed = capsys.readouterr().out
    frame = pd.read_csv(tmp_path / "scores.csv", index_col="architecture")
    expected = score(frame.index, "nats_size", ["params", "nwot", "jacov"], batch_size=4, random_state=2)
    np.testing.assert_array_equal(frame, expected)
    lines = {line.split()[0]: line.split() for line in printed.splitlines() if line.strip()}
    for name in frame:
        assert lines[name][1:5] == ["↑", *(f"{f(frame[name]):.3g}" for f in (np.median, np.min, np.max))]
    assert "3/3 networks" in printed
    assert "3 architectures" in printed
    assert "Batch of 4x3x32x32: standard normal noise" in " ".join(printed.split())


def test_what_is_in_the_cache_is_not_computed_again(proxies, tmp_path, capsys):
    assert proxies("--n", 2, "--proxies", "params") == 0
    assert proxies("--n", 2, "--proxies", "params", "--out", tmp_path / "scores.parquet") == 0
    assert capsys.readouterr().out.count("networks") == 1
    frame = pd.read_parquet(tmp_path / "scores.parquet")
    assert frame.attrs["info"]["batch"]["shape"] == [4, 3, 32, 32]
    assert frame.index.name == "architecture"


def test_architectures_and_images_of_ones_own(proxies, tmp_path, capsys):
    (tmp_path / "archs.txt").write_text("64:8:8:8:8\n\n8:64:8:8:8\n")
    out = tmp_path / "scores.csv"
    options = ["--file", tmp_path / "archs.txt", "--images", "digits", "--out", out, "--proxies", "params"]
    assert proxies("8:8:8:8:8", *options) == 0
    assert pd.read_csv(out)["architecture"].tolist() == ["8:8:8:8:8", "64:8:8:8:8", "8:64:8:8:8"]
    assert "Batch of 4x1x8x8: training images of digits" in " ".join(capsys.readouterr().out.split())


def test_failures_are_counted_with_their_reason(proxies, capsys):
    assert proxies("8:8:8:8:8", "--images", "digits", "--proxies", "epe_nas") == 0
    assert "1 x epe_nas: no class has two images in the batch" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--proxies", "nwott"], "Unknown proxy 'nwott'. Did you mean 'nwot'?"),
        (["--out", "scores.txt"], "The --out must be a .csv or a .parquet file. Got scores.txt."),
        (["8:8"], "Row 0 does not parse"),
        (["--file", "nowhere.txt"], "The --file nowhere.txt cannot be read"),
        (["--images", "cifar"], "Unknown image data set 'cifar'"),
        (["--seed", "-1"], "at least 0"),
    ],
)
def test_bad_requests_are_one_line(proxies, capsys, arguments, text):
    assert proxies(*arguments) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1


def test_the_list_says_what_each_is_and_which_way_it_points(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert cli.main(["list"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for name in list_proxies():
        assert f" {name} " in printed
    assert "arXiv:2006.04647). More is better." in printed
