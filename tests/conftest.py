"""One thread a worker, the data directory, a browser, hypothesis's profile."""

from __future__ import annotations

import os
import shutil
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


def chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("needs_browser") and chromium() is None:
        reason = "needs chromium: apt-get install chromium"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
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


@pytest.fixture(scope="session")
def browser():
    """Headless chromium, for a test marked ``needs_browser``."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])  # root has no sandbox
        yield opened
        opened.close()


@pytest.fixture
def check_page(browser):
    """Asserts that a page works offline, on a screen and on a phone: quiet, no wider than either, tables sorted."""

    def check(path, n_sortable):
        for width, height in ((1280, 900), (390, 844)):
            with browser.new_context(viewport={"width": width, "height": height}, offline=True) as context:
                check_in(context.new_page(), Path(path).absolute().as_uri(), width, n_sortable)

    return check


def check_in(page, address, width, n_sortable):
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url))
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    tables = page.locator("table.sortable").all()
    assert len(tables) == n_sortable
    for table in tables:
        check_sorting(table)
    for tab in page.get_by_role("tab").all():
        tab.click()
        shown = page.get_by_role("tabpanel").all()
        assert [panel.get_attribute("id") for panel in shown] == [tab.get_attribute("aria-controls")]
        assert page.evaluate("document.documentElement.scrollWidth") == width
    assert [text for text in said if not text.startswith("data:")] == [address]


def check_sorting(table):
    """A click on a heading sorts the rows by its column, another the other way round; what is missing stays below."""
    rows = "rows => rows.map(row => [...row.cells].map(cell => cell.dataset.value ?? cell.textContent))"
    before = table.locator("tbody tr").evaluate_all(rows)
    for column, heading in enumerate(table.locator("thead th").all()):
        ways = []
        for way in ("ascending", "descending"):
            heading.get_by_role("button").click()
            assert heading.get_attribute("aria-sort") == way
            after = table.locator("tbody tr").evaluate_all(rows)
            assert sorted(after) == sorted(before)
            ways.append([row[column] for row in after])
        up, down = ([cell for cell in cells if cell not in ("", "nan")] for cells in ways)
        assert [cells[: len(up)] for cells in ways] == [up, down]
        try:
            numbers = list(map(float, up))
        except ValueError:
            assert list(dict.fromkeys(up)) == list(dict.fromkeys(down))[::-1]
        else:
            assert numbers == sorted(numbers)
            assert list(map(float, down)) == numbers[::-1]
