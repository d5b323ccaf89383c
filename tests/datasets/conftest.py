"""A small registry of files of our own, so that where a file comes from can be tested without the real ones."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import pytest

from surronas.datasets import files

CONTENT = b"some data\n"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Empty data directory and cache, no network, one registered file ``room/data.bin``."""
    data_dir, cache = tmp_path / "data", tmp_path / "cache"
    entry = {
        "name": "room/data.bin",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "bytes": len(CONTENT),
        "source": "example.org at 0123456",
        "licence": "CC0-1.0",
        "citation": "Nobody, 2024",
        "path": "raw/data.bin",
    }

    def register(**changes):
        file = files.DataFile(**{**entry, **changes})
        monkeypatch.setattr(files, "_registry", lambda: {file.name: file})
        return file

    monkeypatch.setenv(files.DATA_DIR, str(data_dir))
    monkeypatch.setattr(files, "user_cache_dir", lambda name: str(cache))
    register()
    return SimpleNamespace(content=CONTENT, data_dir=data_dir, cache=cache, register=register)
