"""Where a data file is looked for, in which order, and what the errors say."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import subprocess
import sys
import threading
from importlib.metadata import distribution
from pathlib import Path

import pytest

from surronas.datasets import files
from surronas.datasets.files import data_file, find_file, list_files
from surronas.exceptions import DataNotFoundError, InvalidFileError, UnknownNameError


def put(folder: Path, content: bytes, name: str = "room/data.bin") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def server(tmp_path):
    """A local web server over ``tmp_path/web``; yields the address and the list of paths asked for."""
    web, asked = tmp_path / "web", []
    web.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=web)) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}/", web, asked
        httpd.shutdown()
        thread.join()


def test_every_entry_is_complete_and_agrees_with_the_installed_packages():
    for name in list_files():
        file = data_file(name)
        assert len(file.sha256) == 64
        assert file.bytes > 0
        assert file.source
        assert file.licence
        assert file.citation
        assert file.path
        assert file.url is None or (file.url.startswith("https://") and file.package is None)
        if file.package is not None:
            package, _, version = file.package.partition("==")
            assert distribution(package).version == version
            content = Path(str(distribution(package).locate_file(file.path))).read_bytes()
            assert (len(content), hashlib.sha256(content).hexdigest()) == (file.bytes, file.sha256)


@pytest.mark.needs_data("manifest.json")
def test_entries_agree_with_the_manifest(shared_data):
    manifest = {entry["file"]: entry for entry in json.loads((shared_data / "manifest.json").read_text())}
    downloadable = [data_file(name) for name in list_files() if data_file(name).package is None]
    assert downloadable
    for file in downloadable:
        entry = manifest[file.name]
        assert (file.sha256, file.bytes, file.path) == (entry["sha256"], entry["bytes"], entry["path"])
        assert (file.url is not None) == (entry["raw"] and entry["source"].startswith("github.com/"))
        if file.url is not None:
            repository = entry["source"].removeprefix("github.com/")
            assert file.url == f"https://raw.githubusercontent.com/{repository}/{entry['commit']}/{entry['path']}"


def test_packages_are_read_without_being_imported():
    program = (
        "import sys; from surronas.datasets import load_benchmark; load_benchmark('analog_nasbench');"
        "load_benchmark('nasbench_graph', 'proteins');"
        "print([m for m in sys.modules if m.startswith(('analognasbench', 'nas_bench_graph'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_data_directory_comes_before_the_cache(place):
    put(place.cache, place.content)
    assert find_file("room/data.bin") == place.cache / "room/data.bin"
    path = put(place.data_dir, place.content)
    assert find_file("room/data.bin") == path


def test_installed_package_comes_first(place):
    content = Path(str(distribution("pooch").locate_file("pooch/__init__.py"))).read_bytes()
    place.register(package="pooch==1", path="pooch/__init__.py", sha256=hashlib.sha256(content).hexdigest())
    put(place.data_dir, content)
    assert find_file("room/data.bin") == Path(str(distribution("pooch").locate_file("pooch/__init__.py")))


def test_another_version_of_the_package_is_passed_over(place):
    place.register(package="pooch==1", path="pooch/__init__.py")
    path = put(place.data_dir, place.content)
    assert find_file("room/data.bin") == path


def test_damaged_file_in_the_data_directory_is_an_error(place):
    path = put(place.data_dir, b"something else")
    with pytest.raises(InvalidFileError, match=r"data\.bin.*damaged.*Replace or remove"):
        find_file("room/data.bin")
    path.write_bytes(place.content)  # a file that changes within the process is hashed again
    assert find_file("room/data.bin") == path


def test_a_file_is_hashed_once(place, monkeypatch):
    put(place.data_dir, place.content)
    find_file("room/data.bin")
    monkeypatch.setattr(files.hashlib, "file_digest", lambda *args: pytest.fail("hashed again"))
    find_file("room/data.bin")


def test_nowhere_names_the_file_the_places_and_the_package(place):
    place.register(package="no-such-distribution==1.0")
    with pytest.raises(DataNotFoundError) as caught:
        find_file("room/data.bin")
    text = str(caught.value)
    assert "'room/data.bin'" in text
    assert "no-such-distribution: not installed" in text
    assert str(place.data_dir / "room/data.bin") in text
    assert str(place.cache / "room/data.bin") in text
    assert "pip install no-such-distribution==1.0" in text
    assert data_file("room/data.bin").sha256 in text
    assert isinstance(caught.value, FileNotFoundError)


def test_nowhere_and_no_address_names_the_original(place, monkeypatch):
    monkeypatch.delenv(files.DATA_DIR)
    with pytest.raises(DataNotFoundError) as caught:
        find_file("room/data.bin")
    assert "$SURRONAS_DATA_DIR: not set" in str(caught.value)
    assert "No public address serves this file; it was converted from raw/data.bin of example.org" in str(caught.value)


def test_download_is_kept_in_the_cache(place, server):
    address, web, asked = server
    put(web, place.content, "raw/data.bin")
    place.register(address=address)
    path = find_file("room/data.bin")
    assert path == place.cache / "room/data.bin"
    assert path.read_bytes() == place.content
    assert find_file("room/data.bin") == path
    assert asked == ["/raw/data.bin"]
    assert [p.name for p in path.parent.iterdir()] == ["data.bin"]


def test_damaged_cache_is_downloaded_again(place, server):
    address, web, _ = server
    put(web, place.content, "raw/data.bin")
    put(place.cache, b"torn off")
    place.register(address=address)
    assert find_file("room/data.bin").read_bytes() == place.content


def test_download_of_other_content_is_refused_and_not_kept(place, server):
    address, web, _ = server
    put(web, b"something else", "raw/data.bin")
    place.register(address=address)
    with pytest.raises(InvalidFileError, match=r"raw/data\.bin sent is not the data file 'room/data\.bin'"):
        find_file("room/data.bin")
    assert not (place.cache / "room/data.bin").exists()


def test_offline_names_the_address_and_where_to_put_the_file(place):
    address = "http://127.0.0.1:9/"  # the discard port: nobody listens
    place.register(address=address)
    with pytest.raises(DataNotFoundError) as caught:
        find_file("room/data.bin")
    text = str(caught.value)
    assert f"download {address}raw/data.bin and put" in text
    assert "Looked at:" in text
    assert "ConnectionError" in text


def test_unknown_file_offers_the_nearest():
    with pytest.raises(UnknownNameError, match=r"Did you mean 'nasbench201/nats_bench\.csv'"):
        find_file("nasbench201/nats_bench.cvs")
