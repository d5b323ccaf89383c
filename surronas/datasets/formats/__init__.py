"""Files that users of the field hold on disk: one reader a format, for ``load_table(path, format=...)``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from surronas.datasets.table import BenchmarkTable
from surronas.registry import Registry

__all__ = ["get_format", "list_formats", "register_format"]

_formats: Registry[Callable[[Path, str | None], BenchmarkTable]] = Registry("format", __name__)
register_format = _formats.register
get_format = _formats.get
list_formats = _formats.names
