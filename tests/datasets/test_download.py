"""Transfers that break off, servers that know no ranges, other content."""

from __future__ import annotations

import hashlib
import http.server
import re
import threading

import pytest

from surronas.datasets.download import download, part_of
from surronas.datasets.files import find_file
from surronas.exceptions import DataNotFoundError, InvalidFileError

CONTENT = bytes(range(256)) * 2000
KEPT = 3 * 2**16  # whole chunks of a transfer that ends after
CUT = KEPT + 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves ``content``; ``limit`` bytes a transfer, then it hangs up; ranges and lengths where it knows them."""

    content = CONTENT
    limit: int | None = None
    ranges = True
    lengths = True
    wrong_range = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}/data.bin"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        server.asked.append(int(asked[1]) if asked else None)
        start = int(asked[1]) if asked and server.ranges else 0
        body = server.content[start:]
        self.send_response(206 if asked and server.ranges else 200)
        if asked and server.ranges:
            first = 0 if server.wrong_range else start
            self.send_header("Content-Range", f"bytes {first}-{len(server.content) - 1}/{len(server.content)}")
        if server.lengths:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.limit])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Server() as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield httpd
        httpd.shutdown()
        thread.join()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "data.bin"


def fetch(server, path, progress=None):
    download(server.url, path, SHA256, len(CONTENT), progress)


def test_an_interrupted_transfer_goes_on_where_it_stopped(server, path):
    server.limit = CUT
    with pytest.raises(OSError, match="IncompleteRead"):
        fetch(server, path)
    assert not path.exists()
    assert part_of(path).read_bytes() == CONTENT[:KEPT]
    assert [p.name for p in path.parent.iterdir()] == ["data.bin.part"]
    server.limit = 2**16
    with pytest.raises(OSError, match="IncompleteRead"):
        fetch(server, path)
    server.limit, seen = None, []
    fetch(server, path, seen.append)
    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == ["data.bin"]
    assert server.asked == [None, KEPT, KEPT + 2**16]
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (KEPT + 2**16, len(CONTENT))


def test_a_server_without_ranges_is_asked_for_everything_again(server, path):
    server.ranges, server.limit = False, CUT
    with pytest.raises(OSError, match="IncompleteRead"):
        fetch(server, path)
    server.limit = None
    fetch(server, path)
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, KEPT]


def test_an_early_end_that_the_server_does_not_admit_is_an_interruption(server, path):
    server.lengths, server.limit = False, CUT
    with pytest.raises(OSError, match="ended after 197,608 of 512,000 bytes"):
        fetch(server, path)
    server.limit = None
    fetch(server, path)
    assert path.read_bytes() == CONTENT


def test_another_range_than_asked_for_is_refused(server, path):
    path.parent.mkdir()
    part_of(path).write_bytes(CONTENT[:1000])
    server.wrong_range = True
    with pytest.raises(OSError, match="asked for bytes from 1000 on, it sent 'bytes 0-511999/512000'"):
        fetch(server, path)
    assert part_of(path).read_bytes() == CONTENT[:1000]


@pytest.mark.parametrize("content", [CONTENT[::-1], CONTENT[:-1], CONTENT + b"more"])
def test_other_content_is_refused_and_not_kept(server, path, content):
    server.content = content
    with pytest.raises(InvalidFileError, match="sent another file"):
        fetch(server, path)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("beginning", [b"not its beginning", bytes(len(CONTENT))])
def test_a_wrong_beginning_is_found_out_and_thrown_away(server, path, beginning):
    path.parent.mkdir()
    part_of(path).write_bytes(beginning)
    with pytest.raises(InvalidFileError, match="sent another file"):
        fetch(server, path)
    assert list(path.parent.iterdir()) == []
    fetch(server, path)
    assert path.read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_started_again(server, path):
    path.parent.mkdir()
    part_of(path).write_bytes(CONTENT + b"more")
    fetch(server, path)
    assert path.read_bytes() == CONTENT
    assert server.asked == [None]


def test_a_whole_part_needs_no_network(path):
    path.parent.mkdir()
    part_of(path).write_bytes(CONTENT)
    download("http://127.0.0.1:9/", path, SHA256, len(CONTENT))
    assert path.read_bytes() == CONTENT


def test_a_missing_address_is_an_os_error(path):
    with pytest.raises(OSError, match="127.0.0.1"):
        download("http://127.0.0.1:9/", path, SHA256, len(CONTENT))
    assert list(path.parent.iterdir()) == []


# -- through the registry


@pytest.fixture
def registered(place, server):
    place.register(address=server.url.removesuffix("data.bin"), path="data.bin", sha256=SHA256, bytes=len(CONTENT))
    return place.cache / "room/data.bin"


def test_find_file_resumes_and_says_so_when_it_cannot(registered, server):
    server.limit = CUT
    with pytest.raises(DataNotFoundError, match="ChunkedEncodingError"):
        find_file("room/data.bin")
    assert part_of(registered).stat().st_size == KEPT
    with pytest.raises(DataNotFoundError):
        find_file("room/data.bin", fetch=False)
    assert server.asked == [None]
    server.limit, seen = None, []
    assert find_file("room/data.bin", progress=seen.append) == registered
    assert seen[-1] == len(CONTENT)
    assert server.asked == [None, KEPT]


def test_another_process_that_was_quicker_took_the_part(registered, server, monkeypatch):
    def beaten(source, target):
        source.rename(registered)
        raise FileNotFoundError(source)

    monkeypatch.setattr("surronas.datasets.download.os.replace", beaten)
    assert find_file("room/data.bin") == registered
    assert registered.read_bytes() == CONTENT
