"""A distribution of its own, installed by pip, adds parts that keep the library's contracts and work in all places."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent / "third_party"

CHECKS = """
import sys

import surronas as sn
from surronas import testing
from surronas.proxies import list_proxies

assert "surronas_ring" not in sys.modules, "nothing is imported before a part is asked for"
assert "ring" in sn.list_spaces()
assert "ring_counts" in sn.list_encoders()
assert "ring_neighbours" in sn.list_predictors()
assert "ring_table" in sn.list_benchmarks()
assert "ring_layers" in list_proxies()

testing.check_space(sn.get_space("ring"))
testing.check_encoder("ring_counts")
testing.check_predictor("ring_neighbours")
testing.check_proxy("ring_layers")
testing.check_benchmark("ring_table")

table = sn.load_benchmark("ring_table")
train, test = table.split(30, random_state=0)
y = table.targets["accuracy"].to_numpy()
model = sn.fit_predictor(
    table.archs[train],
    y[train],
    space="ring",
    predictor=["ring_counts:ring_neighbours", "ring_counts:linear"],
    random_state=0,
)
model.save("ring.surronas")
again = sn.load_predictor("ring.surronas")
assert (again.predict(table.archs) == model.predict(table.archs)).all()
assert sn.metrics.kendall_tau(y[test], model.predict(table.archs[test])) > 0.6
search = sn.search.NAT(table, ["accuracy"], n_initial=6, batch_size=4, predictor="ring_counts:ring_neighbours")
assert len(search.run(n_evaluations=10).archive) == 10
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """The environment variables under which Python finds the example's distribution."""
    site = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source")
    for path in PROJECT.rglob("*"):  # a build writes beside the sources
        if path.is_file() and path.suffix in (".py", ".toml"):
            copy = source / path.relative_to(PROJECT)
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(path.read_bytes())
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(site), str(source)], check=True, stdout=subprocess.PIPE)
    return os.environ | {"PYTHONPATH": str(site)}


def test_parts_of_another_distribution_keep_the_contracts(environment, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", CHECKS], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_command_line_lists_them(environment, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "surronas.cli", "list"], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert {"ring", "ring_counts", "ring_neighbours", "ring_table"} <= set(done.stdout.replace(",", " ").split())
