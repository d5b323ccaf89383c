"""On a Dask cluster of two workers, of which one is killed: the results are those of one process, each once."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
import warnings
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

import surronas as sn
from surronas import cli
from surronas.command import cluster as on_cluster
from surronas.exceptions import InvalidInputError, SurronasWarning
from surronas.meta.database import build_database
from surronas.meta.tasks import Task
from surronas.meta.variation import Variation
from surronas.search import NAT
from surronas.spaces.mbconv import MBConv, Stage
from surronas.supernet import SuperNet

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore")  # Dask's own


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=logging.CRITICAL
    ) as started:
        yield started


@contextmanager
def killing(cluster, folder, after):
    """Kills a worker as soon as the journal in the folder has that many lines; then some have to be left to write."""
    killed = []

    def kill():
        while len(lines(folder)) < after:
            time.sleep(0.005)
        worker = next(iter(cluster.workers.values()))
        os.kill(worker.pid, signal.SIGKILL)
        killed.append(len(lines(folder)))

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    yield
    thread.join(1)
    assert len(killed) == 1
    assert killed[0] < len(lines(folder))


def lines(folder):
    """Those of the journal in the folder, but for its head."""
    text = "".join(path.read_text() for path in folder.glob("*.jsonl"))
    return [json.loads(line) for line in text.splitlines()[1:] if line.endswith("}")]


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    """A file of 200 networks."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"gene{i}": rng.integers(0, 3, 200) for i in range(6)})
    frame["val_accuracy"] = (70 + frame.sum(axis=1) + rng.normal(size=200)).round(2)
    frame["latency_ms"] = (1 + frame["gene0"] * frame["gene1"] + rng.random(200)).round(2)
    path = tmp_path_factory.mktemp("nets") / "nets.csv"
    frame.to_csv(path, index=False)
    return path


def test_bench(cluster, nets, tmp_path):
    far, near = tmp_path / "far", tmp_path / "near"
    command = ["bench", str(nets), "--predictors", "one_hot:linear", "--n-train", "16,32", "--repeats", "6"]
    with killing(cluster, far, after=8):
        assert cli.main([*command, "--out", str(far), "--scheduler", cluster.scheduler_address]) == 0
    assert cli.main([*command, "--out", str(near), "--jobs", "1"]) == 0
    frames = [pd.read_parquet(folder / "results.parquet") for folder in (far, near)]
    pd.testing.assert_frame_equal(*(frame.drop(columns=["fit_seconds", "predict_seconds"]) for frame in frames))
    assert frames[0]["error"].isna().all()
    cells = [(cell["predictor"], cell["n_train"], cell["repeat"]) for cell in lines(far)]
    assert len(cells) == len(set(cells)) == 12


def test_proxies(cluster, tmp_path):
    far, near = tmp_path / "far", tmp_path / "near"
    command = ["proxies", "nats_size", "--n", "24", "--proxies", "params,nwot,synflow", "--batch-size", "8"]
    with killing(cluster, far, after=8):
        options = ["--out", str(tmp_path / "far.csv"), "--scheduler", cluster.scheduler_address]
        assert cli.main([*command, "--cache", str(far), *options]) == 0
    assert cli.main([*command, "--cache", str(near), "--out", str(tmp_path / "near.csv"), "--jobs", "1"]) == 0
    assert (tmp_path / "far.csv").read_bytes() == (tmp_path / "near.csv").read_bytes()
    archs = [tuple(cell["arch"]) for cell in lines(far)]
    assert len(archs) == len(set(archs)) == 24


def test_search(cluster, nets, tmp_path):
    def run(folder):
        search = NAT(
            sn.load_table(nets),
            ["val_accuracy", "latency_ms"],
            n_initial=8,
            batch_size=4,
            predictor=["one_hot:linear", "one_hot:cart"],
            random_state=0,
        )
        return search.run(folder, n_evaluations=16).archive

    with on_cluster(cluster.scheduler_address), killing(cluster, tmp_path / "far", after=4):
        far = run(tmp_path / "far")
    near = run(tmp_path / "near")
    np.testing.assert_array_equal(far.archs, near.archs)
    pd.testing.assert_frame_equal(far.values, near.values)


def test_meta_build(cluster, tmp_path):
    space = MBConv(
        [Stage(False, 16, 2, (1, 2), (3, 5), (1, 2))], resolutions=(8, 16), widths=(0.5,), stem=8, features=16
    )
    torch.manual_seed(0)
    supernet = SuperNet(space, 10).eval()
    views = [Task({"digits": tuple("0123456789")}, Variation(turns=i % 4), 40, 40, 0, i) for i in range(12)]

    def build(folder):
        with warnings.catch_warnings():  # there are no measured latencies of this space
            warnings.simplefilter("ignore", SurronasWarning)
            return build_database(supernet, views, folder, n_archs=2, n_tasks=1, n_jobs=-1)

    with on_cluster(cluster.scheduler_address), killing(cluster, tmp_path / "far", after=8):
        far = build(tmp_path / "far")
    near = build(tmp_path / "near")
    assert sorted(cell["view"] for cell in lines(tmp_path / "far")) == list(range(12))
    np.testing.assert_array_equal(far.X, near.X)
    pd.testing.assert_frame_equal(far.frame, near.frame)


def test_a_scheduler_that_is_not_there(nets, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("surronas.command._SECONDS", 0.2)
    for address in ("tcp://127.0.0.1:1", "nonsense://"):
        assert cli.main(["bench", str(nets), "--out", str(tmp_path), "--scheduler", address]) == 2
        assert f"There is no Dask scheduler at '{address}'" in capsys.readouterr().err


def test_without_dask_it_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InvalidInputError, match="needs Dask: pip install distributed"), on_cluster("tcp://127.0.0.1:1"):
        pass


@pytest.mark.parametrize(
    "error",
    [
        distributed.KilledWorker("task", SimpleNamespace(address="tcp://127.0.0.1:1"), 3),
        distributed.CancelledError("lost"),
    ],
)
def test_workers_that_die_again_and_again_are_a_broken_pool(cluster, error):
    with pytest.raises(BrokenExecutor), on_cluster(cluster.scheduler_address):
        raise error
