from __future__ import annotations

from types import SimpleNamespace

import pytest

from surronas import cli
from surronas.meta import database
from surronas.meta.tasks import draw_task


@pytest.fixture
def asked(monkeypatch):
    """What ``build_database`` is called with; nothing is measured."""
    calls = []

    class Built(list):
        info = {"cpu_seconds_a_row": 0.5}

    def build(supernet, tasks, folder, **others):
        calls.append(SimpleNamespace(supernet=supernet, tasks=tasks, folder=folder, **others))
        folder.mkdir()
        (folder / "database.parquet").write_bytes(b"12345")
        return Built([1, 2, 3])

    monkeypatch.setattr(database, "build_database", build)
    return calls


def test_build_measures_the_tasks_of_its_seeds(asked, tmp_path, capsys):
    out = tmp_path / "db"
    options = ["--tasks", "3", "--archs", "4", "--seed", "7", "--jobs", "2", "--n-train", "50", "--n-validation", "60"]
    assert cli.main(["meta", "build", "--out", str(out), *options]) == 0
    (call,) = asked
    assert call.tasks == [draw_task(seed, "train", 50, 60) for seed in (7, 8, 9)]
    assert (call.folder, call.n_archs, call.n_jobs, call.progress) == (out, 4, 2, True)
    assert call.info == {"weights": "mbconv-cifar10"}
    assert call.supernet.space.name == "mbconv"
    assert capsys.readouterr().out == f"3 rows of 3 tasks, 0.5 s of a core each, 5 bytes: {out / 'database.parquet'}\n"


def test_unknown_weights_are_an_error(asked, tmp_path, capsys):
    assert cli.main(["meta", "build", "--out", str(tmp_path), "--weights", "mbconv-cifar"]) == 2
    assert "mbconv-cifar10" in capsys.readouterr().err
