"""``surronas data`` on a registry of four small files: one installed, one in the data directory, two to download."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from importlib.metadata import distribution, version
from pathlib import Path
from types import SimpleNamespace

import pytest

from surronas import cli
from surronas.cli_data import files_of
from surronas.datasets import files
from surronas.datasets.download import part_of
from surronas.exceptions import UnknownNameError

CONTENT = {"room_a/table.csv": b"a,b\n1,2\n", "room_a/deep/runs.bin": bytes(5000), "roomb/other.bin": b"other\n" * 99}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """``room_a/table.csv`` is in the data directory, ``pool/doc`` in the package pooch; the others have an address."""
    web, data_dir, cache = tmp_path / "web", tmp_path / "data", tmp_path / "cache"
    for name, content in CONTENT.items():
        (web / name).parent.mkdir(parents=True, exist_ok=True)
        (web / name).write_bytes(content)
    (data_dir / "room_a").mkdir(parents=True)
    (data_dir / "room_a/table.csv").write_bytes(CONTENT["room_a/table.csv"])
    installed = Path(str(distribution("pooch").locate_file("pooch/__init__.py")))

    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=web)
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *args: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/"
        known = {name: entry(name, content, name, address=address) for name, content in CONTENT.items()}
        package = f"pooch=={version('pooch')}"
        known["pool/doc"] = entry("pool/doc", installed.read_bytes(), "pooch/__init__.py", package=package)
        monkeypatch.setattr(files, "_registry", lambda: known)
        monkeypatch.setattr(files, "user_cache_dir", lambda name: str(cache))
        monkeypatch.setenv(files.DATA_DIR, str(data_dir))
        monkeypatch.setenv("COLUMNS", "100")
        yield SimpleNamespace(web=web, data_dir=data_dir, cache=cache, installed=installed, known=known, server=server)
        server.shutdown()
        thread.join()


def entry(name, content, path, **more):
    sha256 = hashlib.sha256(content).hexdigest()
    return files.DataFile(name, sha256, len(content), "example.org", "CC0-1.0", "Nobody, 2024", path, **more)


def data(*argv):
    return cli.main(["data", *argv])


def lines(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_list_says_where_each_file_is(place, capsys):
    part_of(place.cache / "roomb/other.bin").parent.mkdir(parents=True)
    part_of(place.cache / "roomb/other.bin").write_bytes(CONTENT["roomb/other.bin"][:297])
    assert data("list") == 0
    printed = lines(capsys.readouterr().out)
    assert printed[:9] == [
        "file size licence where",
        "pool/",
        f"doc {place.installed.stat().st_size / 1000:.1f} kB CC0-1.0 package",
        "room_a/",
        "table.csv 8 bytes CC0-1.0 data directory",
        "room_a/deep/",
        "runs.bin 5.0 kB CC0-1.0 not here",
        "roomb/",
        "other.bin 594 bytes CC0-1.0 50% of it",
    ]
    assert any(line.startswith("2 of 4 files are here") for line in printed)
    assert f"$SURRONAS_DATA_DIR: {place.data_dir}" in printed
    assert all(len(line) <= 100 for line in printed if str(place.data_dir) not in line and str(place.cache) not in line)


def test_the_real_list_is_one_line_a_file(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(files, "user_cache_dir", lambda name: "cache")
    monkeypatch.delenv(files.DATA_DIR, raising=False)
    assert data("list") == 0
    printed = capsys.readouterr().out.splitlines()
    assert max(map(len, printed)) <= 100
    folders = {name.rpartition("/")[0] for name in files.list_files()}
    assert len(printed) == 1 + len(files.list_files()) + len(folders) + 4


def test_fetch_downloads_and_names_the_path(place, capsys):
    assert data("fetch", "room_a", "pool/doc") == 0
    path = place.cache / "room_a/deep/runs.bin"
    assert path.read_bytes() == CONTENT["room_a/deep/runs.bin"]
    assert sorted(lines(capsys.readouterr().out)) == [
        f"pool/doc: {place.installed}",
        f"room_a/deep/runs.bin: {path}",
        f"room_a/table.csv: {place.data_dir / 'room_a/table.csv'}",
    ]


def test_fetch_fetches_what_it_can_and_then_fails(place, capsys):
    (place.web / "roomb/other.bin").write_bytes(b"something else")
    assert data("fetch", "roomb", "room_a") == 2
    said = capsys.readouterr()
    assert "sent is not the data file 'roomb/other.bin'" in said.err
    assert said.err.endswith("1 of 3 files could not be fetched.\n")
    assert "room_a/deep/runs.bin: " in said.out
    assert list((place.cache / "roomb").iterdir()) == []


def test_offline_says_which_file_to_put_where(place, capsys):
    place.known["roomb/other.bin"] = entry("roomb/other.bin", b"x", "other", address="http://127.0.0.1:9/")
    assert data("fetch", "roomb") == 2
    said = capsys.readouterr().err
    assert "download http://127.0.0.1:9/other and put the file with sha256" in said
    assert str(place.cache / "roomb/other.bin") in said


def test_a_bar_on_a_terminal_tells_the_bytes(place, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert data("fetch", "roomb") == 0
    printed = capsys.readouterr().out
    assert "594/594 bytes" in printed
    assert "Downloading" not in printed


def test_verify_finds_damage_wherever_it_is(place, capsys):
    assert data("verify") == 0
    assert lines(capsys.readouterr().out) == ["2 whole, 0 damaged; 2 files are not here."]
    (place.cache / "roomb").mkdir(parents=True)
    (place.cache / "roomb/other.bin").write_bytes(b"torn")
    (place.data_dir / "room_a/table.csv").write_bytes(b"a,b\n1,3\n")
    assert data("verify") == 2
    said = capsys.readouterr()
    assert lines(said.out) == [
        f"room_a/table.csv: damaged in $SURRONAS_DATA_DIR, {place.data_dir / 'room_a/table.csv'}",
        f"roomb/other.bin: damaged in the cache, {place.cache / 'roomb/other.bin'}",
        "1 whole, 2 damaged; 1 files are not here.",
    ]
    assert "Replace or remove the damaged files" in said.err


def test_another_version_of_a_package_is_no_damage(place, capsys):
    for package, code in (("pooch==0.1", 0), (f"pooch=={version('pooch')}", 2)):
        place.known["pool/doc"] = entry("pool/doc", b"of another version", "pooch/__init__.py", package=package)
        assert data("verify") == code
        assert ("of another version in the PyPI package pooch, passed over" in capsys.readouterr().out) == (code == 0)


def test_path_prints_one_path(place, capsys):
    assert data("path", "room_a/table.csv") == 0
    assert capsys.readouterr().out == f"{place.data_dir / 'room_a/table.csv'}\n"
    assert data("path", "room_a") == 2
    assert "'room_a/deep/runs.bin' (5,000 bytes, example.org) was not found" in capsys.readouterr().err
    assert not place.cache.exists()
    assert data("fetch", "room_a") == 0
    capsys.readouterr()
    assert data("path", "room_a") == 2
    assert "several places. Name one: room_a/deep/runs.bin, room_a/table.csv." in capsys.readouterr().err
    (place.cache / "room_a/deep/runs.bin").rename(place.data_dir / "room_a/runs.bin")
    (place.data_dir / "room_a/deep").mkdir()
    (place.data_dir / "room_a/runs.bin").rename(place.data_dir / "room_a/deep/runs.bin")
    assert data("path", "room_a") == 0
    assert capsys.readouterr().out == f"{place.data_dir / 'room_a'}\n"


def test_info_says_whence_and_what_to_cite(place, capsys):
    assert data("info", "room_a", "pool") == 0
    printed = capsys.readouterr().out
    for text in ("example.org", "CC0-1.0", "Nobody, 2024", "8 bytes, data directory", "5,000 bytes, not here"):
        assert text in printed
    for name, file in place.known.items():
        assert (file.sha256 in printed) == (name != "roomb/other.bin")
    assert f"pip install pooch=={version('pooch')}" in printed


def test_a_name_is_a_file_a_folder_or_a_benchmark(place):
    assert files_of("room_a/table.csv") == ["room_a/table.csv"]
    assert files_of("room_a/deep/") == ["room_a/deep/runs.bin"]
    assert files_of("rooma_micro") == files_of("room_a") == ["room_a/deep/runs.bin", "room_a/table.csv"]
    with pytest.raises(UnknownNameError, match=r"benchmark 'poll'. Did you mean 'pool'\? Known: pool, room_a, roomb\."):
        files_of("poll")
    with pytest.raises(UnknownNameError, match="Did you mean 'room_a/table.csv'"):
        files_of("room_a/tables.csv")


@pytest.mark.parametrize("argv", [[], ["list", "x"], ["fetch"], ["path"], ["path", "a", "b"], ["remove"]])
def test_bad_usage_exits_with_2(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        data(*argv)
    assert stop.value.code == 2
    assert "usage: surronas" in capsys.readouterr().err
