from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from surronas import cli
from surronas.meta import database
from surronas.meta.recipe import MetaRecipe
from surronas.meta.tasks import draw_view


@pytest.fixture
def asked(monkeypatch):
    """What ``build_database`` is called with; nothing is measured."""
    calls = []

    class Built:
        info = {"cpu_seconds_a_row": 0.5}

        def reliability(self):
            return pd.Series([0.5, 0.7, 0.9])

        def __repr__(self):
            return "MetaDatabase(of what was asked)"

    def build(supernet, views, folder, **others):
        calls.append(SimpleNamespace(supernet=supernet, views=views, folder=folder, **others))
        folder.mkdir()
        (folder / "database.parquet").write_bytes(b"12345")
        return Built()

    monkeypatch.setattr(database, "build_database", build)
    return calls


def test_build_measures_the_views_of_its_seeds(asked, tmp_path, capsys):
    out = tmp_path / "db"
    options = ["--views", "3", "--archs", "4", "--tasks", "5", "--seed", "7", "--jobs", "2"]
    sizes = ["--n-train", "50", "--n-validation", "60"]
    assert cli.main(["meta", "build", "--out", str(out), *options, *sizes]) == 0
    (call,) = asked
    assert call.views == [draw_view(seed, "train", 50, 60) for seed in (7, 8, 9)]
    assert (call.folder, call.n_archs, call.n_tasks, call.n_jobs, call.progress) == (out, 4, 5, 2, True)
    assert call.info == {"weights": "mbconv-cifar10"}
    assert call.supernet.space.name == "mbconv"
    assert capsys.readouterr().out == (
        "MetaDatabase(of what was asked), 0.5 s of a core each, 5 bytes; halves agree with a Spearman correlation of "
        f"0.70 (median): {out / 'database.parquet'}\n"
    )


def test_unknown_weights_are_an_error(asked, tmp_path, capsys):
    assert cli.main(["meta", "build", "--out", str(tmp_path), "--weights", "mbconv-cifar"]) == 2
    assert "mbconv-cifar10" in capsys.readouterr().err


def test_train_goes_on_in_its_folder(tmp_path, capsys, monkeypatch):
    calls = []
    database = SimpleNamespace(info={"weights": "mbconv-cifar10"})
    monkeypatch.setattr("surronas.meta.database.MetaDatabase.load", lambda path: database)

    def train(database, supernet, folder, **others):
        calls.append(SimpleNamespace(database=database, supernet=supernet, folder=folder, **others))
        folder.mkdir()
        (folder / "metad2a.safetensors").write_bytes(b"123")
        return SimpleNamespace(card={"predictor": {"kept_out_spearman": 0.81234}})

    monkeypatch.setattr("surronas.meta.training.train_metad2a", train)
    out = tmp_path / "runs"
    argv = ["meta", "train", "--database", "d.parquet", "--out", str(out), "--predictor-steps", "7", "--seed", "3"]
    assert cli.main(argv) == 0
    (call,) = calls
    assert call.database is database
    assert call.supernet.space.name == "mbconv"
    assert call.recipe == MetaRecipe(predictor_steps=7, seed=3)
    assert (call.folder, call.name, call.n_jobs, call.progress) == (out, "mbconv-cifar10", -1, True)
    printed = capsys.readouterr().out
    assert "Spearman 0.812" in printed
    assert f"3 bytes: {out / 'metad2a.safetensors'}" in printed


def test_propose_prints_architectures_or_writes_them(tmp_path, capsys, monkeypatch):
    calls = []

    def propose(images, n, **others):
        calls.append((images.name, n, others))
        return pd.DataFrame({"arch": ["a", "b"], "score": [1.5, 0.25]})

    monkeypatch.setattr("surronas.meta.metad2a.MetaD2A.load", lambda name: SimpleNamespace(propose=propose))
    argv = ["meta", "propose", "--images", "digits", "-n", "2", "--max-madds", "20", "--seed", "4"]
    assert cli.main(argv) == 0
    assert capsys.readouterr().out == "arch,score\na,1.5\nb,0.25\n"
    assert calls == [("digits", 2, {"max_madds": 20e6, "max_latency_ms": None, "random_state": 4})]
    out = tmp_path / "p.csv"
    assert cli.main([*argv, "--out", str(out)]) == 0
    assert out.read_text() == "arch,score\na,1.5\nb,0.25\n"
    assert cli.main(["meta", "propose", "--images", "no-such-images"]) == 2
