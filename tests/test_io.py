"""Files that are whole or absent; archives that are damaged or hostile."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import sys
import zipfile

import pytest

from surronas import io
from surronas.exceptions import InvalidFileError
from surronas.io import read_archive, remove_unfinished, write_archive, write_atomic

KIND, VERSION = "test archive", 3
PARTS = {"a.bin": bytes(range(256)) * 20, "b.json": b'{"x": 1}'}


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "archive"
    write_archive(path, KIND, VERSION, {"note": "ä"}, PARTS)
    return path


def rewrite(path, change, extra=None):
    """The archive with another manifest, well formed otherwise."""
    with zipfile.ZipFile(path) as old:
        entries = {name: old.read(name) for name in old.namelist()}
    manifest = json.loads(entries.pop("manifest.json"))
    changed = change(manifest)
    with zipfile.ZipFile(path, "w") as new:
        new.writestr("manifest.json", changed if isinstance(changed, str) else json.dumps(changed))
        for name, content in {**entries, **(extra or {})}.items():
            new.writestr(name, content)


def test_what_was_written_is_read(archive):
    head, parts = read_archive(archive, KIND, VERSION)
    assert parts == PARTS
    assert (head["kind"], head["version"], head["note"]) == (KIND, VERSION, "ä")
    assert head["parts"]["a.bin"] == hashlib.sha256(PARTS["a.bin"]).hexdigest()


def test_older_versions_are_read_and_newer_ones_are_not(archive):
    assert read_archive(archive, KIND, VERSION + 1)[1] == PARTS
    with pytest.raises(InvalidFileError, match="format version 3; this library reads up to 2"):
        read_archive(archive, KIND, VERSION - 1)


def test_absent_foreign_and_empty_files(tmp_path, archive):
    with pytest.raises(InvalidFileError, match="There is no file .*nowhere"):
        read_archive(tmp_path / "nowhere", KIND, VERSION)
    with pytest.raises(InvalidFileError, match="There is no file"):
        read_archive(tmp_path, KIND, VERSION)
    with pytest.raises(InvalidFileError, match="is not a other kind"):
        read_archive(archive, "other kind", VERSION)
    for content in (b"", b"PK", b"not a zip", b"\x80\x04N."):
        (tmp_path / "foreign").write_bytes(content)
        with pytest.raises(InvalidFileError, match="is not a whole test archive"):
            read_archive(tmp_path / "foreign", KIND, VERSION)


@pytest.mark.parametrize("kept", [0.01, 0.3, 0.6, 0.99])
def test_truncated_files_are_refused(archive, kept):
    content = archive.read_bytes()
    archive.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InvalidFileError):
        read_archive(archive, KIND, VERSION)


def test_no_flipped_byte_changes_what_is_read(archive):
    """A byte that matters is noticed; zip has bytes that do not matter, such as time stamps."""
    content = archive.read_bytes()
    noticed = 0
    for i in range(len(content)):
        archive.write_bytes(content[:i] + bytes([content[i] ^ 0xFF]) + content[i + 1 :])
        try:
            head, parts = read_archive(archive, KIND, VERSION)
        except InvalidFileError:
            noticed += 1
        else:
            assert (parts, head["note"]) == (PARTS, "ä")
    assert noticed > len(content) / 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: {**m, "parts": dict(zip(m["parts"], reversed(m["parts"].values()), strict=True))}, "its checksum"),
        (lambda m: {**m, "parts": {**m["parts"], "a.bin": None}}, "its checksum"),
        (lambda m: {**m, "parts": {**m["parts"], "c.bin": "0" * 64}}, "not a whole test archive"),
        (lambda m: {**m, "parts": {"a.bin": m["parts"]["a.bin"]}}, "holds 'b.json', which its manifest does not list"),
        (lambda m: {**m, "parts": list(m["parts"])}, "not a whole test archive"),
        (lambda m: {**m, "parts": 7}, "not a whole test archive"),
        (lambda m: {k: v for k, v in m.items() if k != "parts"}, "not a whole test archive"),
        (lambda m: {**m, "version": VERSION + 1}, "format version 4"),
        (lambda m: {**m, "version": "3"}, "format version '3'"),
        (lambda m: {**m, "kind": ["test archive"]}, "is not a test archive"),
        (lambda m: [m], "is not a test archive"),
        (lambda m: "{", "not a whole test archive"),
        (lambda m: "[" * 100_000, "not a whole test archive"),
    ],
    ids=[
        "swapped checksums", "no checksum", "missing member", "unlisted member", "list of parts", "number of parts",
        "no parts", "newer", "version of another type", "kind of another type", "list", "no json", "deep json",
    ],
)  # fmt: skip
def test_wrong_manifests_are_refused(archive, change, message):
    rewrite(archive, change)
    with pytest.raises(InvalidFileError, match=message):
        read_archive(archive, KIND, VERSION)


@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/evil.txt", "a/b.bin", "..\\evil.txt", ".hidden"])
def test_paths_are_no_part_names(archive, tmp_path, name):
    content = b"evil"
    checksum = hashlib.sha256(content).hexdigest()
    rewrite(archive, lambda m: {**m, "parts": {**m["parts"], name: checksum}}, {name: content})
    before = sorted(tmp_path.parent.rglob("*"))
    with pytest.raises(InvalidFileError, match="has a part .* a plain name was expected"):
        read_archive(archive, KIND, VERSION)
    rewrite(archive, lambda m: {**m, "parts": {k: v for k, v in m["parts"].items() if k != name}})
    with pytest.raises(InvalidFileError, match="which its manifest does not list"):
        read_archive(archive, KIND, VERSION)
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_a_bomb_is_refused_before_it_is_unpacked(archive, monkeypatch):
    zeros = b"\0" * 2**20
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("c.bin", zeros)
    monkeypatch.setattr(io, "_LARGEST", 2**20)
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(InvalidFileError, match="would unpack to 1,05.,... bytes, more than 1,048,576"):
        read_archive(archive, KIND, VERSION)


def test_an_entry_larger_than_it_says_is_refused(archive):
    """The declared size is what the bomb check adds up, so no more may be unpacked."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("manifest.json", json.dumps({"kind": KIND, "version": VERSION, "parts": {"a.bin": "0" * 64}}))
        file.writestr("a.bin", b"\0" * 100_000)
    content = archive.read_bytes()
    size = (100_000).to_bytes(4, "little")
    assert content.count(size) == 2
    archive.write_bytes(content.replace(size, (10).to_bytes(4, "little")))
    with pytest.raises(InvalidFileError):
        read_archive(archive, KIND, VERSION)


def test_encrypted_members_are_refused(archive):
    content = bytearray(archive.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.find(signature)
        while start >= 0:
            content[start + flags] |= 1
            start = content.find(signature, start + 4)
    archive.write_bytes(bytes(content))
    with pytest.raises(InvalidFileError, match="encrypted"):
        read_archive(archive, KIND, VERSION)


def test_manifests_must_be_json(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_archive(tmp_path / "x", KIND, VERSION, {"tau": float("nan")}, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
def test_the_old_file_stays_when_writing_fails(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    write_atomic(path, b"old")

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match=r"No space left on device: '.*file'"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_stays_when_the_content_is_none(tmp_path):
    path = tmp_path / "file"
    write_atomic(path, b"old")
    with pytest.raises(TypeError):
        write_atomic(path, "text")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made_and_permissions_are_the_usual(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    write_atomic(path, b"x")
    usual = tmp_path / "usual"
    usual.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)
    write_atomic(str(path), b"yy")
    assert path.read_bytes() == b"yy"


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path):
    for name in (".a.pt.x1y2", "a.pt", ".ab.pt.x1y2", "a.pt.bak"):
        (tmp_path / name).touch()
    remove_unfinished(tmp_path / "a.pt")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".ab.pt.x1y2", "a.pt", "a.pt.bak"]
    remove_unfinished(tmp_path / "nowhere/a.pt")


@pytest.mark.skipif(sys.platform == "win32", reason="has no named pipes")
def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write_atomic(path, b"content")
    assert os.read(reader, 100) == b"content"
    os.close(reader)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert list(tmp_path.iterdir()) == [path]
