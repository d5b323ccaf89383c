"""A disk that fills up, a real one: what was there stays, the error names the file, and the run goes on later.

The disk is a tmpfs of 256 KiB in a name space of its own. Where the system allows no such thing, as in some containers,
the tests are skipped; tests of io and journal have a full disk by system calls that fail.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

SCRIPT = """
import errno
import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from surronas.benchmark import evaluate
from surronas.datasets import BenchmarkTable, TableInfo, Target
from surronas.io import write_atomic
from surronas.journal import Journal
from surronas.proxies.cache import ScoreCache
from surronas.proxies.measure import Measured
from surronas.search import RandomSearch
from surronas.spaces import Gene, SearchSpace

warnings.simplefilter("ignore")
disk, elsewhere = Path(sys.argv[1]), Path(sys.argv[2])
found = {}


def refused(what):
    try:
        what()
    except OSError as error:
        return [errno.errorcode[error.errno], str(error.filename), sorted(p.name for p in disk.rglob("*"))]
    return None


def fill(left):
    "All but so many bytes of the disk."
    with open(disk / "ballast", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(file.tell() - left)


def empty():
    (disk / "ballast").unlink()


# a file that is replaced
path = disk / "file"
write_atomic(path, b"old" * 1000)
found["atomic"] = refused(lambda: write_atomic(path, bytes(300_000)))
found["atomic, old content"] = path.read_bytes() == b"old" * 1000
path.unlink()

# a journal, and a cache of scores, that grow until the disk is full
for kind in ("journal", "cache"):
    context = {"space": {"name": "s"}}

    def opened():
        return Journal(disk / "j.jsonl", context) if kind == "journal" else ScoreCache(context, disk)

    def append(grown, i):
        if kind == "journal":
            grown.append({"i": i, "text": "x" * 3000})
        else:
            grown.add((i,), Measured({"nwot": float(i)}, {"snip": "x" * 3000}, {}))

    def count():
        grown = opened()
        return len(grown.cells) if kind == "journal" else sum(not grown.missing((i,), ["nwot"]) for i in range(200))

    grown, done = opened(), []
    found[kind] = refused(lambda: [(append(grown, i), done.append(i)) for i in range(200)])
    found[kind + ", lost or doubled"] = len(done) - count()
    fill(0)
    found[kind + ", reads on a full disk"] = count() == len(done)
    empty()
    if kind == "journal":
        lines = (disk / "j.jsonl").read_bytes().splitlines(keepends=True)
        (disk / "j.jsonl").write_bytes(b"".join(lines[:5]))
        append(opened(), 200)
        found["journal, goes on"] = count() == 5
    for file in disk.glob("*"):
        file.unlink()

# runs
space = SearchSpace([Gene(f"g{i}", (0, 1, 2), ordered=True) for i in range(4)])
X = space.enumerate()
values = pd.DataFrame({"val_accuracy": 60.0 + X.sum(axis=1) + X[:, 0] / 7, "madds": 1.0 + X.sum(axis=1)})
described = [Target("val_accuracy", "%", True, "accuracy"), Target("madds", "", False, "compute")]
table = BenchmarkTable("made", space, X, values, described, TableInfo("", "", "", ""))


def compare(out):
    frame = evaluate(["one_hot:mean"], table, n_train=[16], n_repeats=30, out=out).frame
    return frame.drop(columns=["fit_seconds", "predict_seconds"]).to_csv()


def search(out):
    result = RandomSearch(table, ["error", "madds"], n_initial=8, batch_size=8).run(out, 60)
    result.save(out / "result")
    return result.archive.archs.tolist()


for kind, run in (("evaluate", compare), ("search", search)):
    expected = run(elsewhere / kind)
    fill(8192)
    found[kind] = refused(lambda: run(disk / kind))
    empty()
    found[kind + ", goes on"] = run(disk / kind) == expected
    found[kind + ", left over"] = sorted(p.name for p in (disk / kind).rglob(".*"))
    os.system(f"rm -r {disk / kind}")
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the script says, of all of its runs."""
    disk, elsewhere = tmp_path_factory.mktemp("disk"), tmp_path_factory.mktemp("elsewhere")
    inside = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=256k tmpfs {disk}"
    if shutil.which("unshare") is None or subprocess.run([*inside, mount], capture_output=True).returncode:
        pytest.skip("no tmpfs can be mounted here")
    command = [*inside, f'{mount} && exec "$@"', "sh", sys.executable, "-c", SCRIPT, str(disk), str(elsewhere)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {"disk": str(disk), **json.loads(done.stdout.splitlines()[-1])}


@pytest.mark.parametrize("kind", ["atomic", "journal", "cache", "evaluate", "search"])
def test_the_error_names_the_file(found, kind):
    code, path, _ = found[kind]
    assert code == "ENOSPC"
    assert path.startswith(found["disk"])


def test_the_old_content_stays_and_nothing_else(found):
    assert found["atomic, old content"]
    assert found["atomic"][2] == ["file"]


@pytest.mark.parametrize("kind", ["journal", "cache"])
def test_what_was_written_is_there_once(found, kind):
    assert found[f"{kind}, lost or doubled"] == 0
    assert found[f"{kind}, reads on a full disk"]


def test_a_journal_goes_on_when_there_is_space_again(found):
    assert found["journal, goes on"]


@pytest.mark.parametrize("kind", ["evaluate", "search"])
def test_a_run_goes_on_when_there_is_space_again(found, kind):
    assert found[f"{kind}, goes on"]
    assert found[f"{kind}, left over"] == []
