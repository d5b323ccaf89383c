from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from surronas import cli
from surronas.meta import database
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
