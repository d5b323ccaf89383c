"""One thread a worker, the data directory, hypothesis's profile."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read once, when numpy, torch and xgboost load

import pytest
from hypothesis import HealthCheck, settings

from surronas.datasets.files import DATA_DIR, data_file, list_files

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

if SHARED.is_dir():
    os.environ.setdefault(DATA_DIR, str(SHARED))

settings.register_profile("dev", deadline=None, max_examples=50)
settings.register_profile(
    "ci", deadline=None, max_examples=50, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def data_dir() -> Path | None:
    folder = Path(os.environ.get(DATA_DIR, SHARED)).expanduser()
    return folder if folder.is_dir() else None


def how_to_get(name: str) -> str:
    address = data_file(name).url if name in list_files() else None
    fetch = f"download {address}" if address else "shared/data/manifest.json names its source"
    return f"needs the table {name}: {fetch}, put it under a directory and set {DATA_DIR} to that"


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs_data"):
        if data_dir() is None:
            pytest.skip(how_to_get(*marker.args))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Where the data are, a test that needs them may not be skipped for any reason."""
    report = yield
    if report.skipped and data_dir() is not None and item.get_closest_marker("needs_data"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped although the data directory {data_dir()} is there: {call.excinfo}"
    return report


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The data directory, for a test marked ``needs_data``."""
    folder = data_dir()
    assert folder is not None, "mark the test with needs_data"
    return folder
